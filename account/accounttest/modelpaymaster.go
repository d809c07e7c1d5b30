package accounttest

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/jsonrpc/jsonrpctest"
	"github.com/go-sesame/sesame/internal/kit"
	"github.com/go-sesame/sesame/paymaster"
	"github.com/go-sesame/sesame/userop"
)

// ModelPaymaster is the paymaster of a [Model]: it sponsors, and takes the demo tokens at the price of
// [Paymaster]. Its errors are those of a paymaster client: a [*paymaster.Error] for what it refuses.
type ModelPaymaster struct {
	model  *Model
	script script
	policy func(*userop.Operation) error
	till   *till
}

var (
	_ userop.Paymaster = (*ModelPaymaster)(nil)
	_ userop.FeeQuoter = (*ModelPaymaster)(nil)
	_ userop.Checker   = (*ModelPaymaster)(nil)
)

const (
	methodSponsor = "pm_sponsorUserOperation"
	methodQuote   = "pm_getFeeQuoteOrData"

	modelValidity = time.Hour
)

// paymasterError is an error as the client of a paymaster has it.
func paymasterError(method string, err error) error {
	if answer := answerOf("paymaster", method, err); answer != nil {
		return (*paymaster.Error)(answer)
	}
	return err
}

// SponsorUserOperation pays for an operation that the policy lets pass; with a fee token, the account pays in
// that.
func (p *ModelPaymaster) SponsorUserOperation(ctx context.Context, op *userop.Operation, req userop.SponsorRequest) (userop.Sponsorship, error) {
	if err := p.enter(ctx, methodSponsor, op); err != nil {
		return userop.Sponsorship{}, err
	}
	p.model.mu.Lock()
	defer p.model.mu.Unlock()
	sponsorship, err := p.sponsor(op.Clone(), req)
	return sponsorship, paymasterError(methodSponsor, err)
}

// enter begins a request about an operation. The policy may ask the model, and so is asked without its lock.
func (p *ModelPaymaster) enter(ctx context.Context, method string, op *userop.Operation) error {
	if op == nil {
		return errNoOperation
	}
	if err := p.scripted(ctx, method, op); err != nil {
		return err
	}
	switch err := p.policy(op.Clone()); {
	case errors.Is(err, ErrUnsponsored):
		return fmt.Errorf("paymaster: %w: the service answered with an empty paymasterAndData; check that one of its policies covers this call and that it is funded", userop.ErrNotSponsored)
	case err != nil:
		return paymasterError(method, &jsonrpctest.Error{Code: jsonrpctest.CodeServerError, Message: err.Error()})
	}
	return nil
}

// Check reports whether the paymaster answers: it does, unless [ModelPaymaster.Fail] has it fail.
func (p *ModelPaymaster) Check(ctx context.Context, _ uint64, _ common.Address) (said string, err error) {
	p.model.mu.Lock()
	defer p.model.mu.Unlock()
	return "", p.script.enter(ctx, ModelRequest{Method: methodQuote})
}

// scripted returns the error that the request is to have.
func (p *ModelPaymaster) scripted(ctx context.Context, method string, op *userop.Operation) error {
	p.model.mu.Lock()
	defer p.model.mu.Unlock()
	if err := p.script.enter(ctx, ModelRequest{Method: method, Operation: op}); err != nil {
		return err
	}
	return p.script.refusal()
}

func (p *ModelPaymaster) sponsor(op *userop.Operation, req userop.SponsorRequest) (s userop.Sponsorship, err error) {
	trial, final := p.seal, p.seal
	if req.FeeToken != nil {
		rate, ok := p.till.rate(*req.FeeToken)
		if !ok {
			return s, jsonrpctest.Invalid("token %s is not supported", req.FeeToken)
		}
		trial, final = p.sealerIn(*req.FeeToken, *uint256.NewInt(trialRate)), p.sealerIn(*req.FeeToken, rate)
	}
	if req.CalculateGasLimits {
		gas, err := p.model.estimate(op, nil, trial)
		if err != nil {
			return s, err
		}
		op.CallGasLimit, op.VerificationGasLimit, op.PreVerificationGas = gas.CallGasLimit, gas.VerificationGasLimit, gas.PreVerificationGas
		s.CallGasLimit, s.VerificationGasLimit, s.PreVerificationGas = &gas.CallGasLimit, &gas.VerificationGasLimit, &gas.PreVerificationGas
	}
	err = final(op)
	s.PaymasterAndData = op.PaymasterAndData
	return s, err
}

func (p *ModelPaymaster) validUntil() uint64 {
	return uint64(p.model.now().Add(modelValidity).Unix())
}

// seal puts the verifying paymaster's data into op: no field may change afterwards.
func (p *ModelPaymaster) seal(op *userop.Operation) (err error) {
	data := contracts.VerifyingPaymasterData{Paymaster: p.model.Contracts.Paymaster, PaymasterID: kit.DefaultPaymasterID(), ValidUntil: p.validUntil()}
	data.Signature, err = signHash(PaymasterSigner(), kit.SponsorHash(op, &data, p.model.machine.ChainID))
	op.PaymasterAndData = data.Pack()
	return err
}

// sealerIn is the same for the token paymaster.
func (p *ModelPaymaster) sealerIn(token common.Address, rate uint256.Int) seal {
	return func(op *userop.Operation) (err error) {
		data := p.till.price(token, rate)
		data.Paymaster, data.ValidUntil = p.model.Contracts.TokenPaymaster, p.validUntil()
		data.Signature, err = signHash(PaymasterSigner(), kit.TokenHash(op, &data, p.model.machine.ChainID))
		op.PaymasterAndData = data.Pack()
		return err
	}
}

// FeeQuotes says what an operation would cost in tokens.
func (p *ModelPaymaster) FeeQuotes(ctx context.Context, op *userop.Operation, req userop.QuoteRequest) (userop.FeeQuotes, error) {
	if err := p.enter(ctx, methodQuote, op); err != nil {
		return userop.FeeQuotes{}, err
	}
	p.model.mu.Lock()
	defer p.model.mu.Unlock()
	quotes, err := p.quotes(op.Clone(), req)
	return quotes, paymasterError(methodQuote, err)
}

func (p *ModelPaymaster) quotes(op *userop.Operation, req userop.QuoteRequest) (answer userop.FeeQuotes, err error) {
	if req.CalculateGasLimits {
		gas, err := p.model.estimate(op, nil, p.seal)
		if err != nil {
			return answer, err
		}
		op.CallGasLimit, op.VerificationGasLimit, op.PreVerificationGas = gas.CallGasLimit, gas.VerificationGasLimit, gas.PreVerificationGas
	}
	all := len(req.Tokens) == 0 && req.Preferred == (common.Address{})
	answer.Quotes = []userop.FeeQuote{}
	for _, token := range p.till.tokens() {
		if !all && !slices.Contains(req.Tokens, token) && token != req.Preferred {
			continue
		}
		quote, err := p.quote(op, token)
		if err != nil {
			return answer, fmt.Errorf("quote in token %s: %w", token, err)
		}
		answer.Quotes = append(answer.Quotes, quote)
	}
	return answer, nil
}

func (p *ModelPaymaster) quote(op *userop.Operation, token common.Address) (quote userop.FeeQuote, err error) {
	rate, _ := p.till.rate(token)
	quote = userop.FeeQuote{
		Token:          token,
		Paymaster:      p.model.Contracts.TokenPaymaster,
		PremiumPercent: fmt.Sprint((tillMarkup - noMarkup) * 100 / noMarkup),
		ValidUntil:     p.model.now().Add(modelValidity),
	}
	if quote.MaxFee, err = quotedFee(op, rate); err != nil {
		return quote, err
	}
	symbol, err := p.model.at().Try(common.Address{}, token, new(uint256.Int), contracts.Symbol())
	if err == nil {
		quote.Symbol, err = contracts.DecodeString(symbol)
	}
	if err != nil {
		return quote, err
	}
	decimals, err := p.model.machine.Try(common.Address{}, token, new(uint256.Int), contracts.Decimals())
	if err == nil {
		quote.Decimals, err = contracts.DecodeUint8(decimals)
	}
	return quote, err
}

// SetRate is [Paymaster.SetRate].
func (p *ModelPaymaster) SetRate(token common.Address, perEther *big.Int) {
	p.till.set(token, perEther)
}

// SetOracle is [Paymaster.SetOracle].
func (p *ModelPaymaster) SetOracle(oracle common.Address) { p.till.setOracle(oracle) }

// Deposit adds wei to the balance that pays for sponsored operations.
func (p *ModelPaymaster) Deposit(ctx context.Context, wei *big.Int) error {
	if err := p.model.Chain.SendTx(ctx, p.model.Contracts.Paymaster, wei, contracts.DepositFor(kit.DefaultPaymasterID())); err != nil {
		return fmt.Errorf("deposit at the paymaster: %w", err)
	}
	return nil
}
