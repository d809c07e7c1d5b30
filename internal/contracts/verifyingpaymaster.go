package contracts

import (
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/abiword"
)

// VerifyingPaymaster returns the interface of the verifying paymaster, as far as clients meet it.
func VerifyingPaymaster() *Contract { return verifyingPaymaster() }

var verifyingPaymaster = sync.OnceValue(func() *Contract {
	return mustParse(`
function depositFor(address paymasterId) payable
function getBalance(address paymasterId) view returns (uint256 balance)
function validatePaymasterUserOp(` + userOperationType + ` userOp, bytes32 userOpHash, uint256 maxCost) returns (bytes context, uint256 validationData)
function verifyingSigner() view returns (address)

event GasDeposited(address indexed _paymasterId, uint256 indexed _value)
event GasWithdrawn(address indexed _paymasterId, address indexed _to, uint256 indexed _value)
event GasBalanceDeducted(address indexed _paymasterId, uint256 indexed _charge)

error EntryPointCannotBeZero()
error VerifyingSignerCannotBeZero()
error PaymasterIdCannotBeZero()
error DepositCanNotBeZero()
error CanNotWithdrawToZeroAddress()
// the arguments are (required, balance) here and (balance, needed) in OpenZeppelin's error of the same
// signature
error InsufficientBalance(uint256, uint256)
error InvalidPaymasterSignatureLength(uint256 sigLength)
error ReentrancyProtectionActivated()
`)
})

var (
	selectorValidatePaymasterUserOp = newSelector(0xf465c77e)
	selectorDepositFor              = newSelector(0xaa67c919)
	selectorGetBalance              = newSelector(0xf8b2cb4f)
)

// DepositFor returns the calldata of depositFor(address): the call's value becomes the sponsor's balance at
// the verifying paymaster.
func DepositFor(paymasterID common.Address) []byte {
	return abiword.AppendAddress(newCall(selectorDepositFor, abiword.Size), paymasterID)
}

// GetBalance returns the calldata of getBalance(address): what is left of the sponsor's balance, in wei.
// [DecodeUint256] reads the result.
func GetBalance(paymasterID common.Address) []byte {
	return abiword.AppendAddress(newCall(selectorGetBalance, abiword.Size), paymasterID)
}

// ValidatePaymasterUserOp returns the calldata with which the EntryPoint has any paymaster check an
// operation: validatePaymasterUserOp(UserOperation,bytes32,uint256). maxCost is in wei.
func ValidatePaymasterUserOp(op UserOperation, hash common.Hash, maxCost *uint256.Int) []byte {
	return newValidation(selectorValidatePaymasterUserOp, &op, hash, maxCost)
}

// VerifyingPaymasterData is the paymasterAndData of an operation that the verifying paymaster pays for:
// paymaster ‖ abi.encode(address paymasterId, uint48 validUntil, uint48 validAfter, bytes signature).
type VerifyingPaymasterData struct {
	Paymaster common.Address
	// PaymasterID is whose balance at the paymaster pays.
	PaymasterID common.Address
	// ValidUntil and ValidAfter are Unix seconds; ValidUntil 0 is without an end.
	ValidUntil, ValidAfter uint64
	Signature              []byte
}

// Pack returns the paymasterAndData.
func (d *VerifyingPaymasterData) Pack() []byte {
	const head = 4 * abiword.Size
	data := make([]byte, 0, common.AddressLength+head+abiword.BytesSize(len(d.Signature)))
	data = append(data, d.Paymaster[:]...)
	data = abiword.AppendAddress(data, d.PaymasterID)
	data = abiword.AppendUint64(data, d.ValidUntil)
	data = abiword.AppendUint64(data, d.ValidAfter)
	data = abiword.AppendUint64(data, head)
	return abiword.AppendBytes(data, d.Signature)
}
