package contracts

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"
)

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

// DecodeUserOperationEvent reads a UserOperationEvent. See [abi.Event.Decode] for the errors, and for what the
// caller has to check.
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
