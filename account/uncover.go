package account

import (
	"context"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/userop"
)

// uncover looks for the reason that the EntryPoint saw and did not tell: it tells strings only.
func (s *simulation) uncover(ctx context.Context, aa *userop.AAError) (*SimulationError, error) {
	if !strings.Contains(aa.Reason, "OOG") {
		return nil, nil
	}
	op, hash := contracts.UserOperation(*s.op), s.client.hash(s.op)
	switch aa.Code {
	case "AA13":
		factory, deploy := common.BytesToAddress(s.op.InitCode[:common.AddressLength]), s.op.InitCode[common.AddressLength:]
		return s.try(ctx, common.Address{}, factory, deploy, &s.op.VerificationGasLimit)
	case "AA23":
		return s.callAccount(ctx, contracts.ValidateUserOp(op, hash, new(uint256.Int)), &s.op.VerificationGasLimit)
	case "AA33":
		most, _ := s.op.Prefund()
		data := contracts.ValidatePaymasterUserOp(op, hash, most)
		paymaster := common.BytesToAddress(s.op.PaymasterAndData[:common.AddressLength])
		return s.try(ctx, s.client.contracts.EntryPoint, paymaster, data, &s.op.VerificationGasLimit)
	}
	return nil, nil
}
