// SPDX-License-Identifier: MIT
pragma solidity 0.8.17;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {UserOperation} from "@account-abstraction/contracts/interfaces/UserOperation.sol";
import {ISessionValidationModule} from "@biconomy-devx/account-contracts-v2/contracts/smart-account/modules/SessionValidationModules/ISessionValidationModule.sol";

/**
 * Lets a session key call one function of one contract, with limits on the value sent and rules on
 * the argument words.
 *
 * Session key data, tightly packed:
 *
 *   offset  size  field
 *        0    20  session key
 *       20    20  permitted contract
 *       40     4  permitted selector
 *       44    16  highest permitted value, in wei
 *       60     2  number of rules
 *       62    35  per rule: uint16 offset after the selector, uint8 condition, bytes32 reference
 */
contract ABISessionValidationModule is ISessionValidationModule {
    uint256 private constant RULES_START = 62;
    uint256 private constant RULE_SIZE = 35;

    uint8 private constant EQUAL = 0;
    uint8 private constant LESS_THAN_OR_EQUAL = 1;
    uint8 private constant LESS_THAN = 2;
    uint8 private constant GREATER_THAN_OR_EQUAL = 3;
    uint8 private constant GREATER_THAN = 4;
    uint8 private constant NOT_EQUAL = 5;

    /// Checks one call of a batch. Returns the session key that has to have signed the batch.
    function validateSessionParams(
        address destinationContract,
        uint256 callValue,
        bytes calldata _funcCallData,
        bytes calldata _sessionKeyData,
        bytes calldata /* _callSpecificData */
    ) external pure override returns (address) {
        return _checkCall(destinationContract, callValue, _funcCallData, _sessionKeyData);
    }

    /// Checks an operation with a single call. Returns whether the session key signed it.
    function validateSessionUserOp(
        UserOperation calldata _op,
        bytes32 _userOpHash,
        bytes calldata _sessionKeyData,
        bytes calldata _sessionKeySignature
    ) external pure override returns (bool) {
        bytes calldata callData = _op.callData;
        bytes4 selector = bytes4(callData[0:4]);
        require(
            selector == EXECUTE_OPTIMIZED_SELECTOR || selector == EXECUTE_SELECTOR,
            "ABISV Not Execute Selector"
        );
        address destination;
        uint256 value;
        bytes calldata data;
        // The deployed module reads the call this way and not with abi.decode: higher bits of the
        // destination are dropped, and nothing checks that the data lies within callData.
        assembly {
            let args := add(callData.offset, 4)
            destination := shr(96, shl(96, calldataload(args)))
            value := calldataload(add(args, 32))
            let at := add(args, calldataload(add(args, 64)))
            data.offset := add(at, 32)
            data.length := calldataload(at)
        }
        return
            _checkCall(destination, value, data, _sessionKeyData) ==
            ECDSA.recover(ECDSA.toEthSignedMessageHash(_userOpHash), _sessionKeySignature);
    }

    function _checkCall(
        address destination,
        uint256 value,
        bytes calldata data,
        bytes calldata permission
    ) private pure returns (address sessionKey) {
        sessionKey = address(bytes20(permission[0:20]));
        address permitted = address(bytes20(permission[20:40]));
        bytes4 selector = bytes4(permission[40:44]);
        uint128 limit = uint128(bytes16(permission[44:60]));
        uint256 end = RULES_START + RULE_SIZE * uint16(bytes2(permission[60:RULES_START]));

        require(destination == permitted, "ABISV Destination Forbidden");
        require(bytes4(data[0:4]) == selector, "ABISV Selector Forbidden");
        require(value <= limit, "ABISV Permitted Value Exceeded");
        for (uint256 at = RULES_START; at < end; at += RULE_SIZE) {
            require(
                _holds(data, permission[at:at + RULE_SIZE]),
                "ABISV Arg Rule Violated"
            );
        }
    }

    function _holds(bytes calldata data, bytes calldata rule) private pure returns (bool) {
        uint256 offset = 4 + uint256(uint16(bytes2(rule[0:2])));
        uint8 condition = uint8(rule[2]);
        uint256 limit = uint256(bytes32(rule[3:RULE_SIZE]));
        uint256 word = uint256(bytes32(data[offset:offset + 32]));

        if (condition == EQUAL) return word == limit;
        if (condition == LESS_THAN_OR_EQUAL) return word <= limit;
        if (condition == LESS_THAN) return word < limit;
        if (condition == GREATER_THAN_OR_EQUAL) return word >= limit;
        if (condition == GREATER_THAN) return word > limit;
        if (condition == NOT_EQUAL) return word != limit;
        return false;
    }
}
