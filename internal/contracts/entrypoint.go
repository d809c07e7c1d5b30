package contracts

import (
	"strings"
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/abiword"
)

// EntryPoint returns the interface of the ERC-4337 EntryPoint, version 0.6. Its errors also have
// FailedOpWithRevert and DelegateAndRevert of version 0.7, which some bundlers report for either.
func EntryPoint() *Contract { return entryPoint() }

var entryPoint = sync.OnceValue(func() *Contract {
	return mustParse(strings.NewReplacer(
		"{UserOperation}", userOperationType,
		"{ReturnInfo}", "(uint256 preOpGas, uint256 prefund, bool sigFailed, uint48 validAfter, uint48 validUntil, bytes paymasterContext)",
		"{StakeInfo}", "(uint256 stake, uint256 unstakeDelaySec)",
		"{DepositInfo}", "(uint112 deposit, bool staked, uint112 stake, uint32 unstakeDelaySec, uint48 withdrawTime)",
	).Replace(`
function handleOps({UserOperation}[] ops, address beneficiary)
function simulateValidation({UserOperation} userOp)
function simulateHandleOp({UserOperation} op, address target, bytes targetCallData)
function getUserOpHash({UserOperation} userOp) view returns (bytes32)
function getSenderAddress(bytes initCode)
function getNonce(address sender, uint192 key) view returns (uint256 nonce)
function incrementNonce(uint192 key)
function balanceOf(address account) view returns (uint256)
function depositTo(address account) payable
function getDepositInfo(address account) view returns ({DepositInfo} info)
function withdrawTo(address withdrawAddress, uint256 withdrawAmount)

event UserOperationEvent(bytes32 indexed userOpHash, address indexed sender, address indexed paymaster, uint256 nonce, bool success, uint256 actualGasCost, uint256 actualGasUsed)
event UserOperationRevertReason(bytes32 indexed userOpHash, address indexed sender, uint256 nonce, bytes revertReason)
event AccountDeployed(bytes32 indexed userOpHash, address indexed sender, address factory, address paymaster)
event BeforeExecution()
event SignatureAggregatorChanged(address indexed aggregator)
event Deposited(address indexed account, uint256 totalDeposit)
event Withdrawn(address indexed account, address withdrawAddress, uint256 amount)

error FailedOp(uint256 opIndex, string reason)
error FailedOpWithRevert(uint256 opIndex, string reason, bytes inner)
error DelegateAndRevert(bool success, bytes ret)
error SignatureValidationFailed(address aggregator)
error ValidationResult({ReturnInfo} returnInfo, {StakeInfo} senderInfo, {StakeInfo} factoryInfo, {StakeInfo} paymasterInfo)
error ValidationResultWithAggregation({ReturnInfo} returnInfo, {StakeInfo} senderInfo, {StakeInfo} factoryInfo, {StakeInfo} paymasterInfo, (address aggregator, {StakeInfo} stakeInfo) aggregatorInfo)
error SenderAddressResult(address sender)
error ExecutionResult(uint256 preOpGas, uint256 paid, uint48 validAfter, uint48 validUntil, bool targetSuccess, bytes targetResult)
`))
})

var (
	selectorHandleOps          = newSelector(0x1fad948c)
	selectorSimulateValidation = newSelector(0xee219423)
	selectorSimulateHandleOp   = newSelector(0xd6383f94)
	selectorGetUserOpHash      = newSelector(0xa6193531)
	selectorGetNonce           = newSelector(0x35567e1a)
	selectorIncrementNonce     = newSelector(0x0bd28e3b)
	selectorBalanceOf          = newSelector(0x70a08231)
	selectorDepositTo          = newSelector(0xb760faf9)
	selectorWithdrawTo         = newSelector(0x205c2878)
)

// HandleOps returns the calldata with which a bundler executes operations:
// handleOps(UserOperation[],address). The beneficiary receives the fees.
func HandleOps(ops []UserOperation, beneficiary common.Address) []byte {
	size := 3 * abiword.Size
	for i := range ops {
		size += abiword.Size + ops[i].size()
	}
	call := newCall(selectorHandleOps, size)
	call = abiword.AppendUint64(call, 2*abiword.Size)
	call = abiword.AppendAddress(call, beneficiary)
	call = abiword.AppendUint64(call, uint64(len(ops)))
	offset := len(ops) * abiword.Size
	for i := range ops {
		call = abiword.AppendUint64(call, uint64(offset))
		offset += ops[i].size()
	}
	for i := range ops {
		call = ops[i].append(call)
	}
	return call
}

// SimulateValidation returns the calldata of simulateValidation(UserOperation). The call always reverts: with
// ValidationResult where the operation is valid ([DecodeRevert]).
func SimulateValidation(op UserOperation) []byte {
	call := newCall(selectorSimulateValidation, abiword.Size+op.size())
	return op.append(abiword.AppendUint64(call, abiword.Size))
}

// SimulateHandleOp returns the calldata of simulateHandleOp(UserOperation,address,bytes), which executes the
// operation and then, unless target is zero, calls target. The call always reverts: with ExecutionResult
// where the operation is valid ([DecodeRevert]).
func SimulateHandleOp(op UserOperation, target common.Address, targetCallData []byte) []byte {
	call := newCall(selectorSimulateHandleOp, 3*abiword.Size+op.size()+abiword.BytesSize(len(targetCallData)))
	call = abiword.AppendUint64(call, 3*abiword.Size)
	call = abiword.AppendAddress(call, target)
	call = abiword.AppendUint64(call, uint64(3*abiword.Size+op.size()))
	return abiword.AppendBytes(op.append(call), targetCallData)
}

// GetUserOpHash returns the calldata of getUserOpHash(UserOperation). [DecodeHash] reads the result.
func GetUserOpHash(op UserOperation) []byte {
	call := newCall(selectorGetUserOpHash, abiword.Size+op.size())
	return op.append(abiword.AppendUint64(call, abiword.Size))
}

// GetNonce returns the calldata of getNonce(address,uint192): the account's next nonce in the lane of that
// key. With a key of more than 192 bits the call reverts. [DecodeUint256] reads the result.
func GetNonce(sender common.Address, key uint256.Int) []byte {
	return abiword.AppendUint256(abiword.AppendAddress(newCall(selectorGetNonce, 2*abiword.Size), sender), &key)
}

// IncrementNonce returns the calldata of incrementNonce(uint192), with which the account uses up the next
// nonce of a lane: an operation signed with it cannot be included any more. With a key of more than 192 bits
// the call reverts.
func IncrementNonce(key uint256.Int) []byte {
	return abiword.AppendUint256(newCall(selectorIncrementNonce, abiword.Size), &key)
}

// DepositTo returns the calldata of depositTo(address): the call's value becomes the account's deposit at the
// EntryPoint.
func DepositTo(account common.Address) []byte {
	return abiword.AppendAddress(newCall(selectorDepositTo, abiword.Size), account)
}

// WithdrawTo returns the calldata of withdrawTo(address,uint256): that much of the caller's deposit at the
// EntryPoint goes to the address.
func WithdrawTo(to common.Address, amount uint256.Int) []byte {
	return abiword.AppendUint256(abiword.AppendAddress(newCall(selectorWithdrawTo, 2*abiword.Size), to), &amount)
}

// DecodeWithdrawTo returns where how much of the deposit goes by calldata of exactly
// withdrawTo(address,uint256); false for all else.
func DecodeWithdrawTo(callData []byte) (to common.Address, amount uint256.Int, ok bool) {
	return addressAndNumber(selectorWithdrawTo, callData)
}

// First topics of the EntryPoint's logs.
var (
	UserOperationEventTopic        = common.HexToHash("0x49628fd1471006c1482da88028e9ce4dbb080b815c9b0344d39e5a8e6ec1419f")
	UserOperationRevertReasonTopic = common.HexToHash("0x1c4fada7374c0a9ee8841fc38afe82932dc0f8e69012e927f061a8bae611a201")
	// BeforeExecutionTopic is that of BeforeExecution(), which ends the validations of a bundle.
	BeforeExecutionTopic = common.HexToHash("0xbb47ee3e183a558b1a2ff0874b079f3fc5478b7454eacf2bfc5af2ff5878f972")
	AccountDeployedTopic = common.HexToHash("0xd51a9c61267aa6196961883ecf5ff2da6619c37dac0fa92122513fb32c032d2d")
)

// UserOperationEvent is what the EntryPoint logs for each operation it included.
type UserOperationEvent struct {
	UserOpHash common.Hash
	Sender     common.Address
	// Paymaster is zero when the account paid itself.
	Paymaster common.Address
	Nonce     uint256.Int
	// Success is false when the account's own call reverted.
	Success bool
	// ActualGasCost is what the operation cost its payer, in wei.
	ActualGasCost uint256.Int
	// ActualGasUsed is the gas charged to the operation.
	ActualGasUsed uint256.Int
}

// DecodeUserOperationEvent reads a UserOperationEvent. See [abi.Event.Decode] for the errors, and for what
// the caller has to check.
func DecodeUserOperationEvent(log *types.Log) (UserOperationEvent, error) {
	v, err := entryPoint().events[UserOperationEventTopic].Decode(log)
	if err != nil {
		return UserOperationEvent{}, err
	}
	return UserOperationEvent{
		UserOpHash:    v[0].(common.Hash),
		Sender:        v[1].(common.Address),
		Paymaster:     v[2].(common.Address),
		Nonce:         toUint256(v[3]),
		Success:       v[4].(bool),
		ActualGasCost: toUint256(v[5]),
		ActualGasUsed: toUint256(v[6]),
	}, nil
}

// UserOperationRevertReason is what the EntryPoint logs beside [UserOperationEvent] when the account's call
// reverted with data.
type UserOperationRevertReason struct {
	UserOpHash common.Hash
	Sender     common.Address
	Nonce      uint256.Int
	// RevertData is what [DecodeRevert] reads.
	RevertData []byte
}

// DecodeUserOperationRevertReason reads a UserOperationRevertReason. See [abi.Event.Decode] for the errors,
// and for what the caller has to check.
func DecodeUserOperationRevertReason(log *types.Log) (UserOperationRevertReason, error) {
	v, err := entryPoint().events[UserOperationRevertReasonTopic].Decode(log)
	if err != nil {
		return UserOperationRevertReason{}, err
	}
	return UserOperationRevertReason{
		UserOpHash: v[0].(common.Hash),
		Sender:     v[1].(common.Address),
		Nonce:      toUint256(v[2]),
		RevertData: v[3].([]byte),
	}, nil
}

// AccountDeployed is what the EntryPoint logs when an operation's initCode deployed its account.
type AccountDeployed struct {
	UserOpHash common.Hash
	Sender     common.Address
	Factory    common.Address
	// Paymaster is zero when the account paid itself.
	Paymaster common.Address
}

// DecodeAccountDeployed reads an AccountDeployed. See [abi.Event.Decode] for the errors, and for what the
// caller has to check.
func DecodeAccountDeployed(log *types.Log) (AccountDeployed, error) {
	v, err := entryPoint().events[AccountDeployedTopic].Decode(log)
	if err != nil {
		return AccountDeployed{}, err
	}
	return AccountDeployed{
		UserOpHash: v[0].(common.Hash),
		Sender:     v[1].(common.Address),
		Factory:    v[2].(common.Address),
		Paymaster:  v[3].(common.Address),
	}, nil
}
