package testutil

import (
	"context"
	"encoding/json"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/go-sesame/sesame/userop"
)

// paymasterAPI has the methods of namespace pm.
type paymasterAPI struct{ p *Paymaster }

// sponsorContext is the second parameter of pm_sponsorUserOperation, as far as it matters here.
type sponsorContext struct {
	Mode               string `json:"mode"`
	CalculateGasLimits bool   `json:"calculateGasLimits"`
}

// sponsorship is the answer. As in the service it stands for, one limit is a decimal string and the
// others are numbers.
type sponsorship struct {
	PaymasterAndData     hexutil.Bytes `json:"paymasterAndData"`
	PreVerificationGas   string        `json:"preVerificationGas,omitempty"`
	VerificationGasLimit uint64        `json:"verificationGasLimit,omitempty"`
	CallGasLimit         uint64        `json:"callGasLimit,omitempty"`
}

// SponsorUserOperation is pm_sponsorUserOperation.
func (api *paymasterAPI) SponsorUserOperation(ctx context.Context, draft draftOp, sc sponsorContext) (*sponsorship, error) {
	if sc.Mode != "SPONSORED" {
		return nil, invalid("mode %q is not supported by this paymaster, only SPONSORED is", sc.Mode)
	}
	op := &draft.Operation
	if err := api.check(op); err != nil {
		return nil, err
	}
	answer := new(sponsorship)
	if sc.CalculateGasLimits {
		gas, err := api.p.estimator.estimate(ctx, op, nil)
		if err != nil {
			return nil, err
		}
		op.CallGasLimit, op.VerificationGasLimit, op.PreVerificationGas = gas.CallGasLimit, gas.VerificationGasLimit, gas.PreVerificationGas
		answer.CallGasLimit = gas.CallGasLimit.Uint64()
		answer.VerificationGasLimit = gas.VerificationGasLimit.Uint64()
		answer.PreVerificationGas = gas.PreVerificationGas.Dec()
	}
	if err := api.p.seal(ctx, op); err != nil {
		return nil, err
	}
	answer.PaymasterAndData = op.PaymasterAndData
	return answer, nil
}

// check applies the paymaster's policy.
func (api *paymasterAPI) check(op *userop.Operation) error {
	if err := api.p.policy(op); err != nil {
		return &rpcError{code: codeServerError, message: err.Error()}
	}
	return nil
}

// stubData is the answer of ERC-7677's two methods.
type stubData struct {
	PaymasterAndData hexutil.Bytes `json:"paymasterAndData"`
	Sponsor          *sponsorName  `json:"sponsor,omitempty"`
	IsFinal          *bool         `json:"isFinal,omitempty"`
}

type sponsorName struct {
	Name string `json:"name"`
}

// GetPaymasterStubData is pm_getPaymasterStubData.
func (api *paymasterAPI) GetPaymasterStubData(_ context.Context, draft draftOp, entryPoint common.Address, chainID userop.Quantity, _ *json.RawMessage) (*stubData, error) {
	if err := api.checkPlace(entryPoint, chainID); err != nil {
		return nil, err
	}
	if err := api.check(&draft.Operation); err != nil {
		return nil, err
	}
	api.p.stub(&draft.Operation)
	return &stubData{draft.PaymasterAndData, &sponsorName{"Sesame test chain"}, new(bool)}, nil
}

// GetPaymasterData is pm_getPaymasterData.
func (api *paymasterAPI) GetPaymasterData(ctx context.Context, op userop.Operation, entryPoint common.Address, chainID userop.Quantity, _ *json.RawMessage) (*stubData, error) {
	if err := api.checkPlace(entryPoint, chainID); err != nil {
		return nil, err
	}
	if err := api.check(&op); err != nil {
		return nil, err
	}
	if err := api.p.seal(ctx, &op); err != nil {
		return nil, err
	}
	return &stubData{PaymasterAndData: op.PaymasterAndData}, nil
}

func (api *paymasterAPI) checkPlace(entryPoint common.Address, chainID userop.Quantity) error {
	p := &api.p.estimator
	if entryPoint != p.entryPoint {
		return invalid("EntryPoint %s is not supported, only %s is", entryPoint, p.entryPoint)
	}
	if id, err := chainID.Uint64(); err != nil || id != p.chain.ChainID() {
		return invalid("chain %s is not served, only %d is", chainID, p.chain.ChainID())
	}
	return nil
}
