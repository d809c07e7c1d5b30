package account

import (
	"context"
	"strings"
	"sync"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/userop"
)

// uncover looks for the reason that the EntryPoint saw and did not tell: it tells strings only.
func (s *simulation) uncover(ctx context.Context, aa *userop.AAError) (*SimulationError, error) {
	if !strings.Contains(aa.Reason, "OOG") {
		return nil, nil
	}
	op, hash := abi.UserOperation(*s.op), s.client.hash(s.op)
	switch aa.Code {
	case "AA13":
		factory, deploy := common.BytesToAddress(s.op.InitCode[:common.AddressLength]), s.op.InitCode[common.AddressLength:]
		return s.try(ctx, common.Address{}, factory, deploy, &s.op.VerificationGasLimit)
	case "AA23":
		data, err := validateUserOp().Pack(op, hash, 0)
		if err != nil {
			return nil, err
		}
		return s.callAccount(ctx, data, &s.op.VerificationGasLimit)
	case "AA33":
		most, _ := s.op.Prefund()
		data, err := validatePaymasterUserOp().Pack(op, hash, most)
		if err != nil {
			return nil, err
		}
		paymaster := common.BytesToAddress(s.op.PaymasterAndData[:common.AddressLength])
		return s.try(ctx, s.client.contracts.EntryPoint, paymaster, data, &s.op.VerificationGasLimit)
	}
	return nil, nil
}

// What the EntryPoint calls, of which abi has no builders.
var (
	validateUserOp = sync.OnceValue(func() *abi.Function {
		return abi.MustParseFunction("validateUserOp(" + userOperationType + " userOp, bytes32 userOpHash, uint256 missingAccountFunds)")
	})
	validatePaymasterUserOp = sync.OnceValue(func() *abi.Function {
		return abi.MustParseFunction("validatePaymasterUserOp(" + userOperationType + " userOp, bytes32 userOpHash, uint256 maxCost)")
	})
)

const userOperationType = "(address sender, uint256 nonce, bytes initCode, bytes callData, uint256 callGasLimit, uint256 verificationGasLimit, " +
	"uint256 preVerificationGas, uint256 maxFeePerGas, uint256 maxPriorityFeePerGas, bytes paymasterAndData, bytes signature)"
