// SPDX-License-Identifier: MIT
pragma solidity 0.8.17;

import {_packValidationData} from "@account-abstraction/contracts/core/Helpers.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {UserOperation} from "@account-abstraction/contracts/interfaces/UserOperation.sol";
import {BaseAuthorizationModule} from "@biconomy-devx/account-contracts-v2/contracts/smart-account/modules/BaseAuthorizationModule.sol";
import {ISessionKeyManager} from "@biconomy-devx/account-contracts-v2/contracts/smart-account/interfaces/ISessionKeyManager.sol";
import {ISessionValidationModule} from "@biconomy-devx/account-contracts-v2/contracts/smart-account/modules/SessionValidationModules/ISessionValidationModule.sol";

/// The part of a smart account that says which modules it has.
interface IModuleManager {
    function isModuleEnabled(address module) external view returns (bool);
}

/**
 * Validates a batch that one session key signed: every call has its own session, whose leaf the
 * session key manager knows and whose validation module accepts the call. The signature is the
 * key's EIP-191 signature of userOpHash.
 *
 * As with the deployed router, a batch without calls has no session whose key could differ from the
 * signer: anybody's signature is good for it, and the account pays for the gas.
 */
contract BatchedSessionRouter is BaseAuthorizationModule {
    struct SessionData {
        uint48 validUntil;
        uint48 validAfter;
        address sessionValidationModule;
        bytes sessionKeyData;
        bytes32[] merkleProof;
        bytes callSpecificData;
    }

    struct Calls {
        address[] to;
        uint256[] value;
        bytes[] data;
    }

    bytes4 public constant EXECUTE_BATCH_SELECTOR = 0x47e1da2a;
    bytes4 public constant EXECUTE_BATCH_OPTIMIZED_SELECTOR = 0x00004680;

    /// Returns the validation data of the batch: the intersection of its sessions' windows.
    function validateUserOp(
        UserOperation calldata userOp,
        bytes32 userOpHash
    ) external override returns (uint256) {
        bytes4 selector = bytes4(userOp.callData[0:4]);
        require(
            selector == EXECUTE_BATCH_OPTIMIZED_SELECTOR || selector == EXECUTE_BATCH_SELECTOR,
            "SR Invalid Selector"
        );
        (bytes memory moduleSignature, ) = abi.decode(userOp.signature, (bytes, address));
        (address manager, SessionData[] memory sessions, bytes memory signature) = abi.decode(
            moduleSignature,
            (address, SessionData[], bytes)
        );
        require(IModuleManager(userOp.sender).isModuleEnabled(manager), "SR Invalid SKM");
        address signer = ECDSA.recover(ECDSA.toEthSignedMessageHash(userOpHash), signature);

        Calls memory calls;
        (calls.to, calls.value, calls.data) = abi.decode(
            userOp.callData[4:],
            (address[], uint256[], bytes[])
        );
        require(sessions.length == calls.to.length, "Lengths mismatch");
        return _validate(userOp.sender, manager, sessions, calls, signer);
    }

    /// Session keys sign no messages.
    function isValidSignature(bytes32, bytes memory) public pure override returns (bytes4) {
        return 0xffffffff;
    }

    function _validate(
        address account,
        address manager,
        SessionData[] memory sessions,
        Calls memory calls,
        address signer
    ) private returns (uint256) {
        uint48 validUntil = type(uint48).max;
        uint48 validAfter;
        for (uint256 i; i < sessions.length; ++i) {
            SessionData memory session = sessions[i];
            ISessionKeyManager(manager).validateSessionKey(
                account,
                session.validUntil,
                session.validAfter,
                session.sessionValidationModule,
                session.sessionKeyData,
                session.merkleProof
            );
            address sessionKey = ISessionValidationModule(session.sessionValidationModule)
                .validateSessionParams(
                    calls.to[i],
                    calls.value[i],
                    calls.data[i],
                    session.sessionKeyData,
                    session.callSpecificData
                );
            if (sessionKey != signer) return SIG_VALIDATION_FAILED;

            if (session.validUntil != 0 && session.validUntil < validUntil) {
                validUntil = session.validUntil;
            }
            if (session.validAfter > validAfter) {
                validAfter = session.validAfter;
            }
        }
        return _packValidationData(false, validUntil, validAfter);
    }
}
