// SPDX-License-Identifier: MIT
pragma solidity 0.8.17;

import {_packValidationData} from "@account-abstraction/contracts/core/Helpers.sol";
import {IEntryPoint} from "@account-abstraction/contracts/interfaces/IEntryPoint.sol";
import {IPaymaster} from "@account-abstraction/contracts/interfaces/IPaymaster.sol";
import {UserOperation} from "@account-abstraction/contracts/interfaces/UserOperation.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

interface IOracle {
    function getTokenValueOfOneNativeToken(address token) external view returns (uint256);
}

/**
 * A paymaster that accounts pay in a token, at a price that its signer signed for the operation. It takes
 * what the operation cost, after the operation and from the account's allowance.
 *
 * paymasterAndData = paymaster ‖ uint8 source ‖ abi.encode(Price) ‖ signature. Form, checks and texts are
 * those of the token paymaster that has this address on public chains. What its owner can do is missing.
 */
contract DemoTokenPaymaster is IPaymaster {
    using SafeERC20 for IERC20;

    enum Source {
        /// The signed rate is final.
        SIGNED,
        /// The oracle that the price names has the rate; the signed one where it does not answer.
        ORACLE
    }

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
        Source source;
        Price price;
    }

    uint256 private constant SOURCE_AT = 20;
    uint256 private constant PRICE_AT = SOURCE_AT + 1;
    uint256 private constant SIGNATURE_AT = PRICE_AT + 6 * 32;
    /// Gas of an operation that the EntryPoint has not counted when it calls postOp.
    uint256 private constant OVERHEAD = 45_000;
    uint32 private constant NO_MARKUP = 1_000_000;
    address private constant NATIVE = 0xEeeeeEeeeEeEeeEeEeEeeEEEeeeeEeeeeeeeEEeE;

    IEntryPoint public immutable ENTRY_POINT;
    address public immutable SIGNER;

    error CallerIsNotAnEntryPoint(address caller);

    event TokenPaymasterOperation(
        address indexed sender,
        address indexed token,
        uint256 indexed totalCharge,
        address oracleAggregator,
        uint32 priceMarkup,
        bytes32 userOpHash,
        uint256 exchangeRate,
        Source priceSource
    );

    /// What an account was not able to pay.
    event TokenPaymentDue(
        address indexed token,
        address indexed account,
        uint256 indexed charge
    );

    constructor(address /* owner */, IEntryPoint entryPoint, address signer) {
        ENTRY_POINT = entryPoint;
        SIGNER = signer;
    }

    modifier onlyEntryPoint() {
        if (msg.sender != address(ENTRY_POINT)) revert CallerIsNotAnEntryPoint(msg.sender);
        _;
    }

    /// The signature of the price covers this, and with it all of the operation but its signature.
    function getHash(
        UserOperation calldata op,
        Source source,
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
        return keccak256(bytes.concat(operation, abi.encode(block.chainid, address(this), source, price)));
    }

    function validatePaymasterUserOp(
        UserOperation calldata op,
        bytes32 userOpHash,
        uint256
    ) external view override onlyEntryPoint returns (bytes memory context, uint256 validationData) {
        require(op.verificationGasLimit > OVERHEAD, "BTPM: gas too low for postOp");
        bytes calldata data = op.paymasterAndData;
        require(data.length >= SIGNATURE_AT, "BTPM: Invalid length for paymasterAndData");
        Source source = Source(uint8(data[SOURCE_AT]));
        Price memory price = abi.decode(data[PRICE_AT:SIGNATURE_AT], (Price));
        bytes calldata signature = data[SIGNATURE_AT:];
        require(signature.length == 65, "BTPM: invalid signature length in paymasterAndData");

        bytes32 digest = ECDSA.toEthSignedMessageHash(getHash(op, source, price));
        if (ECDSA.recover(digest, signature) != SIGNER) {
            return ("", _packValidationData(true, price.validUntil, price.validAfter));
        }
        _checkBalance(op, price);
        return (
            abi.encode(Bill(op.sender, userOpHash, source, price)),
            _packValidationData(false, price.validUntil, price.validAfter)
        );
    }

    /// Wants a balance that is enough at the signed rate, if the operation uses up its gas limits.
    function _checkBalance(UserOperation calldata op, Price memory price) private view {
        uint256 wei_;
        unchecked {
            uint256 gas = op.callGasLimit + op.verificationGasLimit + op.preVerificationGas + OVERHEAD;
            wei_ = gas * op.maxFeePerGas;
        }
        uint256 tokens = (wei_ * price.rate) / 1 ether;
        require(tokens != 0, "BTPM: calculated token charge invalid");
        require(price.markup <= 2 * NO_MARKUP, "BTPM: price markup percentage too high");
        require(price.markup >= NO_MARKUP, "BTPM: price markup percentage too low");
        require(
            price.token.balanceOf(op.sender) >= (tokens * price.markup) / NO_MARKUP,
            "BTPM: account does not have enough token balance"
        );
    }

    /**
     * Takes the charge. Where it cannot, the EntryPoint undoes the operation's calls and asks once more;
     * where that fails too, the operation stays, and what is due is noted.
     */
    function postOp(
        PostOpMode mode,
        bytes calldata context,
        uint256 actualGasCost
    ) external override onlyEntryPoint {
        Bill memory bill = abi.decode(context, (Bill));
        Price memory price = bill.price;
        uint256 rate = _rate(bill.source, price);
        uint256 tokens = ((actualGasCost + OVERHEAD * tx.gasprice) * rate) / 1 ether;
        uint256 charge = (tokens * price.markup) / NO_MARKUP;
        if (mode == PostOpMode.postOpReverted) {
            (bool taken, ) = address(price.token).call(
                abi.encodeCall(IERC20.transferFrom, (bill.account, address(this), charge))
            );
            if (!taken) emit TokenPaymentDue(address(price.token), bill.account, charge);
            return;
        }
        price.token.safeTransferFrom(bill.account, address(this), charge);
        emit TokenPaymasterOperation(
            bill.account,
            address(price.token),
            charge,
            price.oracle,
            price.markup,
            bill.userOpHash,
            rate,
            bill.source
        );
    }

    function _rate(Source source, Price memory price) private view returns (uint256) {
        if (source == Source.ORACLE && price.oracle != address(0) && price.oracle != NATIVE) {
            try IOracle(price.oracle).getTokenValueOfOneNativeToken(address(price.token)) returns (
                uint256 rate
            ) {
                if (rate != 0) return rate;
            } catch {}
        }
        return price.rate;
    }
}
