package accounttest

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/go-sesame/sesame/internal/jsonrpc/jsonrpctest"
	"github.com/go-sesame/sesame/internal/kit"
	"github.com/go-sesame/sesame/internal/quantity"
	"github.com/go-sesame/sesame/userop"
)

// paymasterAPI has the methods of namespace pm.
type paymasterAPI struct{ p *Paymaster }

// SponsorUserOperation is pm_sponsorUserOperation.
func (api *paymasterAPI) SponsorUserOperation(ctx context.Context, draft kit.DraftOperation, sc kit.SponsorContext) (*kit.Sponsorship, error) {
	op := &draft.Operation
	switch err := api.check(op); {
	case errors.Is(err, ErrUnsponsored):
		return &kit.Sponsorship{PaymasterAndData: hexutil.Bytes{}}, nil
	case err != nil:
		return nil, err
	}
	trial, seal, err := api.p.payment(sc)
	if err != nil {
		return nil, err
	}
	answer := new(kit.Sponsorship)
	if sc.CalculateGasLimits {
		gas, err := trial.estimate(ctx, op, nil)
		if err != nil {
			return nil, err
		}
		op.CallGasLimit, op.VerificationGasLimit, op.PreVerificationGas = gas.CallGasLimit, gas.VerificationGasLimit, gas.PreVerificationGas
		answer.CallGasLimit = gas.CallGasLimit.Uint64()
		answer.VerificationGasLimit = gas.VerificationGasLimit.Uint64()
		answer.PreVerificationGas = gas.PreVerificationGas.Dec()
	}
	if err := seal(ctx, op); err != nil {
		return nil, err
	}
	answer.PaymasterAndData = op.PaymasterAndData
	return answer, nil
}

// payment returns what to estimate an operation with, and what puts valid paymasterAndData into it.
func (p *Paymaster) payment(sc kit.SponsorContext) (trial *estimator, seal func(context.Context, *userop.Operation) error, err error) {
	switch sc.Mode {
	case kit.ModeSponsored:
		return &p.estimator, p.seal, nil
	case kit.ModeERC20:
		token := sc.TokenInfo.FeeToken
		rate, ok := p.till.rate(token)
		if !ok {
			return nil, nil, jsonrpctest.Invalid("token %s is not supported", token)
		}
		return p.trialIn(token), p.sealerIn(token, rate), nil
	}
	return nil, nil, jsonrpctest.Invalid("mode %q is neither %s nor %s", sc.Mode, kit.ModeSponsored, kit.ModeERC20)
}

// check applies the paymaster's policy.
func (api *paymasterAPI) check(op *userop.Operation) error {
	err := api.p.policy(op)
	if err == nil || errors.Is(err, ErrUnsponsored) {
		return err
	}
	return &jsonrpctest.Error{Code: jsonrpctest.CodeServerError, Message: err.Error()}
}

// GetPaymasterStubData is pm_getPaymasterStubData.
func (api *paymasterAPI) GetPaymasterStubData(_ context.Context, draft kit.DraftOperation, entryPoint common.Address, chainID quantity.Quantity, _ *json.RawMessage) (*kit.StubData, error) {
	if err := api.checkPlace(entryPoint, chainID); err != nil {
		return nil, err
	}
	if err := api.check(&draft.Operation); err != nil {
		return nil, err
	}
	stub := kit.StubSponsorData(api.p.id)
	return &kit.StubData{PaymasterAndData: stub.Pack(), Sponsor: &kit.SponsorName{Name: "Sesame test chain"}, IsFinal: new(bool)}, nil
}

// GetPaymasterData is pm_getPaymasterData.
func (api *paymasterAPI) GetPaymasterData(ctx context.Context, op userop.Operation, entryPoint common.Address, chainID quantity.Quantity, _ *json.RawMessage) (*kit.StubData, error) {
	if err := api.checkPlace(entryPoint, chainID); err != nil {
		return nil, err
	}
	if err := api.check(&op); err != nil {
		return nil, err
	}
	if err := api.p.seal(ctx, &op); err != nil {
		return nil, err
	}
	return &kit.StubData{PaymasterAndData: op.PaymasterAndData}, nil
}

func (api *paymasterAPI) checkPlace(entryPoint common.Address, chainID quantity.Quantity) error {
	p := &api.p.estimator
	if entryPoint != p.entryPoint {
		return jsonrpctest.Invalid("EntryPoint %s is not supported, only %s is", entryPoint, p.entryPoint)
	}
	if id, err := chainID.Uint64(); err != nil || id != p.chain.ChainID() {
		return jsonrpctest.Invalid("chain %s is not served, only %d is", chainID, p.chain.ChainID())
	}
	return nil
}
