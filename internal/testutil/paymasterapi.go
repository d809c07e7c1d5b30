package testutil

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/go-sesame/sesame/internal/quantity"
	"github.com/go-sesame/sesame/userop"
)

// paymasterAPI has the methods of namespace pm.
type paymasterAPI struct{ p *Paymaster }

// sponsorContext is the second parameter of pm_sponsorUserOperation and pm_getFeeQuoteOrData, as far as it
// matters here.
type sponsorContext struct {
	Mode               string `json:"mode"`
	CalculateGasLimits bool   `json:"calculateGasLimits"`
	TokenInfo          struct {
		FeeToken  common.Address   `json:"feeTokenAddress"`
		Tokens    []common.Address `json:"tokenList"`
		Preferred common.Address   `json:"preferredToken"`
	} `json:"tokenInfo"`
}

// Modes of the service.
const (
	modeSponsored = "SPONSORED"
	modeERC20     = "ERC20"
)

// sponsorship is the answer. As in the service it stands for, one limit is a decimal string and the
// others are numbers.
type sponsorship struct {
	Mode                 string        `json:"mode,omitempty"`
	PaymasterAndData     hexutil.Bytes `json:"paymasterAndData"`
	PreVerificationGas   string        `json:"preVerificationGas,omitempty"`
	VerificationGasLimit uint64        `json:"verificationGasLimit,omitempty"`
	CallGasLimit         uint64        `json:"callGasLimit,omitempty"`
}

// SponsorUserOperation is pm_sponsorUserOperation.
func (api *paymasterAPI) SponsorUserOperation(ctx context.Context, draft draftOp, sc sponsorContext) (*sponsorship, error) {
	op := &draft.Operation
	switch err := api.check(op); {
	case errors.Is(err, ErrUnsponsored):
		return &sponsorship{PaymasterAndData: hexutil.Bytes{}}, nil
	case err != nil:
		return nil, err
	}
	trial, seal, err := api.p.payment(sc)
	if err != nil {
		return nil, err
	}
	answer := new(sponsorship)
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
func (p *Paymaster) payment(sc sponsorContext) (trial *estimator, seal func(context.Context, *userop.Operation) error, err error) {
	switch sc.Mode {
	case modeSponsored:
		return &p.estimator, p.seal, nil
	case modeERC20:
		token := sc.TokenInfo.FeeToken
		rate, ok := p.till.rate(token)
		if !ok {
			return nil, nil, invalid("token %s is not supported", token)
		}
		return p.trialIn(token, trialRate), p.sealerIn(token, rate), nil
	}
	return nil, nil, invalid("mode %q is neither %s nor %s", sc.Mode, modeSponsored, modeERC20)
}

// check applies the paymaster's policy.
func (api *paymasterAPI) check(op *userop.Operation) error {
	err := api.p.policy(op)
	if err == nil || errors.Is(err, ErrUnsponsored) {
		return err
	}
	return &rpcError{code: codeServerError, message: err.Error()}
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
func (api *paymasterAPI) GetPaymasterStubData(_ context.Context, draft draftOp, entryPoint common.Address, chainID quantity.Quantity, _ *json.RawMessage) (*stubData, error) {
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
func (api *paymasterAPI) GetPaymasterData(ctx context.Context, op userop.Operation, entryPoint common.Address, chainID quantity.Quantity, _ *json.RawMessage) (*stubData, error) {
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

func (api *paymasterAPI) checkPlace(entryPoint common.Address, chainID quantity.Quantity) error {
	p := &api.p.estimator
	if entryPoint != p.entryPoint {
		return invalid("EntryPoint %s is not supported, only %s is", entryPoint, p.entryPoint)
	}
	if id, err := chainID.Uint64(); err != nil || id != p.chain.ChainID() {
		return invalid("chain %s is not served, only %d is", chainID, p.chain.ChainID())
	}
	return nil
}
