// SPDX-License-Identifier: MIT
pragma solidity 0.8.17;

import {_packValidationData} from "@account-abstraction/contracts/core/Helpers.sol";
import {IEntryPoint} from "@account-abstraction/contracts/interfaces/IEntryPoint.sol";
import {IPaymaster} from "@account-abstraction/contracts/interfaces/IPaymaster.sol";
import {UserOperation} from "@account-abstraction/contracts/interfaces/UserOperation.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/**
 * A paymaster that accounts pay in a token, at a price that its signer signed for the operation. It
 * takes what the operation cost, after the operation and from the account's allowance; at most what the
 * operation would cost if it used up its gas limits.
 *
 * paymasterAndData = paymaster ‖ uint8 source ‖ abi.encode(Price) ‖ signature, the form that the token
 * paymaster at this address has on public chains. The source there says whether an oracle may correct
 * the rate; here the signed rate is final.
 */
contract DemoTokenPaymaster is IPaymaster {
    using SafeERC20 for IERC20;

    struct Price {
        uint48 validUntil;
        uint48 validAfter;
        IERC20 token;
        address oracle;
        /// Smallest units of the token for one ether.
        uint256 rate;
        /// In millionths: 1,000,000 is no markup.
        uint32 markup;
    }

    struct Bill {
        address account;
        bytes32 userOpHash;
        uint8 source;
        Price price;
        /// The most that is taken, in the token's smallest unit.
        uint256 most;
    }

    uint256 private constant SOURCE_AT = 20;
    uint256 private constant PRICE_AT = SOURCE_AT + 1;
    uint256 private constant SIGNATURE_AT = PRICE_AT + 6 * 32;
    /// Gas of an operation that the EntryPoint has not counted when it calls postOp.
    uint256 private constant OVERHEAD = 45_000;

    IEntryPoint public immutable ENTRY_POINT;
    address public immutable SIGNER;

    event TokenPaymasterOperation(
        address indexed sender,
        address indexed token,
        uint256 indexed totalCharge,
        address oracleAggregator,
        uint32 priceMarkup,
        bytes32 userOpHash,
        uint256 exchangeRate,
        uint8 priceSource
    );

    constructor(IEntryPoint entryPoint, address signer) {
        ENTRY_POINT = entryPoint;
        SIGNER = signer;
    }

    modifier onlyEntryPoint() {
        require(msg.sender == address(ENTRY_POINT), "DemoTokenPaymaster: not the EntryPoint");
        _;
    }

    /// The signature of the price covers this, and with it all of the operation but its signature.
    function getHash(
        UserOperation calldata op,
        uint8 source,
        Price memory price
    ) public view returns (bytes32) {
        bytes memory operation = abi.encode(
            op.sender,
            op.nonce,
            keccak256(op.initCode),
            keccak256(op.callData),
            op.callGasLimit,
            op.verificationGasLimit,
            op.preVerificationGas,
            op.maxFeePerGas,
            op.maxPriorityFeePerGas
        );
        return keccak256(abi.encode(keccak256(operation), block.chainid, address(this), source, price));
    }

    function validatePaymasterUserOp(
        UserOperation calldata op,
        bytes32 userOpHash,
        uint256
    ) external view override onlyEntryPoint returns (bytes memory context, uint256 validationData) {
        bytes calldata data = op.paymasterAndData;
        require(data.length >= SIGNATURE_AT, "DemoTokenPaymaster: paymasterAndData too short");
        uint8 source = uint8(data[SOURCE_AT]);
        Price memory price = abi.decode(data[PRICE_AT:SIGNATURE_AT], (Price));

        bytes32 digest = ECDSA.toEthSignedMessageHash(getHash(op, source, price));
        bool signed = ECDSA.recover(digest, data[SIGNATURE_AT:]) == SIGNER;

        uint256 gas = op.callGasLimit + op.verificationGasLimit + op.preVerificationGas;
        uint256 most = _tokens(gas * op.maxFeePerGas, price);
        require(
            price.token.balanceOf(op.sender) >= most,
            "DemoTokenPaymaster: token balance too small"
        );
        return (
            abi.encode(Bill(op.sender, userOpHash, source, price, most)),
            _packValidationData(!signed, price.validUntil, price.validAfter)
        );
    }

    /// Nobody but the account pays: where it cannot, this reverts, and no bundler includes the operation.
    function postOp(
        PostOpMode,
        bytes calldata context,
        uint256 actualGasCost
    ) external override onlyEntryPoint {
        Bill memory bill = abi.decode(context, (Bill));
        uint256 charge = _tokens(actualGasCost + OVERHEAD * tx.gasprice, bill.price);
        if (charge > bill.most) charge = bill.most;
        bill.price.token.safeTransferFrom(bill.account, address(this), charge);
        emit TokenPaymasterOperation(
            bill.account,
            address(bill.price.token),
            charge,
            bill.price.oracle,
            bill.price.markup,
            bill.userOpHash,
            bill.price.rate,
            bill.source
        );
    }

    function _tokens(uint256 cost, Price memory price) private pure returns (uint256) {
        return (((cost * price.rate) / 1 ether) * price.markup) / 1_000_000;
    }
}
