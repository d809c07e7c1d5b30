// SPDX-License-Identifier: MIT
pragma solidity 0.8.17;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {UserOperation} from "@account-abstraction/contracts/interfaces/UserOperation.sol";
import {ISessionValidationModule} from "@biconomy-devx/account-contracts-v2/contracts/smart-account/modules/SessionValidationModules/ISessionValidationModule.sol";

/**
 * Lets a session key call functions of one token whose first two arguments are a recipient and an
 * amount: the one recipient, and no more than the amount. It does not look at which function it is.
 *
 * Session key data: abi.encode(Permission).
 */
contract ERC20SessionValidationModule is ISessionValidationModule {
    struct Permission {
        address sessionKey;
        address token;
        address recipient;
        uint256 maxAmount;
    }

    uint256 private constant DATA_OFFSET_AT = 4 + 2 * 32;
    uint256 private constant RECIPIENT_AT = 4 + 12;
    uint256 private constant AMOUNT_AT = 4 + 32;

    /// Checks one call of a batch. Returns the session key that has to have signed the batch.
    function validateSessionParams(
        address destinationContract,
        uint256 callValue,
        bytes calldata _funcCallData,
        bytes calldata _sessionKeyData,
        bytes calldata /* _callSpecificData */
    ) external pure override returns (address) {
        Permission memory permission = abi.decode(_sessionKeyData, (Permission));
        require(destinationContract == permission.token, "ERC20SV Invalid Token");
        require(callValue == 0, "ERC20SV Non Zero Value");
        (address recipient, uint256 amount) = abi.decode(_funcCallData[4:], (address, uint256));
        require(recipient == permission.recipient, "ERC20SV Wrong Recipient");
        require(amount <= permission.maxAmount, "ERC20SV Max Amount Exceeded");
        return permission.sessionKey;
    }

    /// Checks an operation with a single call. Returns whether the session key signed it.
    function validateSessionUserOp(
        UserOperation calldata _op,
        bytes32 _userOpHash,
        bytes calldata _sessionKeyData,
        bytes calldata _sessionKeySignature
    ) external pure override returns (bool) {
        bytes4 selector = bytes4(_op.callData[0:4]);
        require(
            selector == EXECUTE_OPTIMIZED_SELECTOR || selector == EXECUTE_SELECTOR,
            "ERC20SV Invalid Selector"
        );
        Permission memory permission = abi.decode(_sessionKeyData, (Permission));
        _checkExecute(_op.callData, permission);
        return
            permission.sessionKey ==
            ECDSA.recover(ECDSA.toEthSignedMessageHash(_userOpHash), _sessionKeySignature);
    }

    function _checkExecute(bytes calldata callData, Permission memory permission) private pure {
        (address destination, uint256 value, ) = abi.decode(callData[4:], (address, uint256, bytes));
        require(destination == permission.token, "ERC20SV Wrong Token");
        require(value == 0, "ERC20SV Non Zero Value");

        // The deployed module reads the arguments at fixed places and not with abi.decode: it does not
        // see the twelve bytes above the recipient, and comes to a missing amount after the recipient.
        bytes calldata data = _innerData(callData);
        address recipient = address(bytes20(data[RECIPIENT_AT:AMOUNT_AT]));
        require(recipient == permission.recipient, "ERC20SV Wrong Recipient");
        uint256 amount = uint256(bytes32(data[AMOUNT_AT:AMOUNT_AT + 32]));
        require(amount <= permission.maxAmount, "ERC20SV Max Amount Exceeded");
    }

    /// The data of execute's call, whose place abi.decode has found to lie within callData.
    function _innerData(bytes calldata callData) private pure returns (bytes calldata) {
        uint256 at = 4 + uint256(bytes32(callData[DATA_OFFSET_AT:DATA_OFFSET_AT + 32]));
        uint256 length = uint256(bytes32(callData[at:at + 32]));
        return callData[at + 32:at + 32 + length];
    }
}
