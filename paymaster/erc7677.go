package paymaster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/jsonobject"
	"github.com/go-sesame/sesame/internal/jsonrpc"
	"github.com/go-sesame/sesame/internal/opjson"
	"github.com/go-sesame/sesame/userop"
)

// ERC7677 talks to a paymaster service with the methods of ERC-7677, which many vendors have. It is safe for
// concurrent use.
type ERC7677 struct {
	rpc     *jsonrpc.Client
	context any
}

var _ userop.Paymaster = (*ERC7677)(nil)

// NewERC7677 returns a client for the service at url, key included. serviceContext is what the service wants
// to know beside the operation, such as a policy ID; it is marshalled to JSON, nil as {}. An operation can
// bring its own ([userop.Draft].PaymasterContext). Like [New] it does no I/O. Of the options those for the
// transport apply.
func NewERC7677(url string, serviceContext any, opts ...Option) *ERC7677 {
	if serviceContext == nil {
		serviceContext = struct{}{}
	}
	return &ERC7677{rpc: newOptions(opts).rpc(url), context: serviceContext}
}

// Close closes idle connections. The client can still be used.
func (p *ERC7677) Close() { p.rpc.Close() }

// String names the paymaster without its key.
func (p *ERC7677) String() string { return p.rpc.String() }

// Host is the host of the paymaster's URL, with its port where it names one: how a [Pool] calls it.
func (p *ERC7677) Host() string { return p.rpc.Host() }

// GoString is [ERC7677.String], so that %#v shows no key either.
func (p *ERC7677) GoString() string { return p.String() }

// Stub is what stands for the sponsorship while gas is estimated.
type Stub struct {
	PaymasterAndData []byte
	// Final says that the stub is the sponsorship already: [ERC7677.Data] need not be asked.
	Final bool
	// Sponsor is the name of whoever pays, if the service tells.
	Sponsor string
}

// stub is a service's answer with paymasterAndData.
type stub Stub

// UnmarshalJSON reads an answer of pm_getPaymasterStubData or pm_getPaymasterData.
func (s *stub) UnmarshalJSON(data []byte) error {
	obj, err := jsonobject.Parse(data)
	if err != nil {
		return err
	}
	var read stub
	var sponsor json.RawMessage
	obj.Optional("paymasterAndData", (*hexutil.Bytes)(&read.PaymasterAndData))
	obj.Optional("isFinal", &read.Final)
	obj.Optional("sponsor", &sponsor)
	if err := obj.Err(); err != nil {
		return err
	}
	var named struct {
		Name string `json:"name"`
	}
	if json.Unmarshal(sponsor, &named) == nil { // for display only
		read.Sponsor = named.Name
	}
	*s = read
	return nil
}

// StubData returns what to put into op while its gas limits are estimated (pm_getPaymasterStubData).
func (p *ERC7677) StubData(ctx context.Context, op *userop.Operation, entryPoint common.Address, chainID uint64) (Stub, error) {
	return p.ask(ctx, "pm_getPaymasterStubData", op, entryPoint, chainID)
}

// Data returns the paymasterAndData for an operation that is complete but for its signature
// (pm_getPaymasterData).
func (p *ERC7677) Data(ctx context.Context, op *userop.Operation, entryPoint common.Address, chainID uint64) ([]byte, error) {
	answer, err := p.ask(ctx, "pm_getPaymasterData", op, entryPoint, chainID)
	return answer.PaymasterAndData, err
}

func (p *ERC7677) ask(ctx context.Context, method string, op *userop.Operation, entryPoint common.Address, chainID uint64) (Stub, error) {
	var answer stub
	err := asError(p.rpc.Do(ctx, newRequest(method, &answer, opjson.InForm{Operation: (*contracts.UserOperation)(op)}, opjson.Address(entryPoint), hexutil.Uint64(chainID), p.context)))
	if errors.Is(err, jsonrpc.ErrNull) { // nothing is what it sponsors
		return Stub{}, fmt.Errorf("%w: %w; check that one of the service's policies covers this call and that it is funded", userop.ErrNotSponsored, err)
	}
	if err != nil {
		return Stub{}, err
	}
	if err := checkData(answer.PaymasterAndData); err != nil {
		return Stub{}, err
	}
	return Stub(answer), nil
}

// SponsorUserOperation makes the service a [userop.Paymaster]. The service sets no gas limits: for an
// operation that lacks some, it answers with the stub to estimate with, and without limits. For an operation
// that has its limits it answers with the final data. Paying in a token is arranged in the service's context,
// not with req.FeeToken.
func (p *ERC7677) SponsorUserOperation(ctx context.Context, op *userop.Operation, req userop.SponsorRequest) (userop.Sponsorship, error) {
	if req.FeeToken != nil {
		return userop.Sponsorship{}, errors.New("paymaster: ERC-7677 has no fee token; name it in the service's context instead")
	}
	if req.Context != nil {
		p = &ERC7677{rpc: p.rpc, context: req.Context}
	}
	method := "pm_getPaymasterData"
	// A callGasLimit of zero can be final: that of an operation that calls nothing.
	unlimited := op.VerificationGasLimit.IsZero() || op.PreVerificationGas.IsZero()
	if unlimited || req.CalculateGasLimits && op.CallGasLimit.IsZero() {
		method = "pm_getPaymasterStubData"
	}
	answer, err := p.ask(ctx, method, op, req.EntryPoint, req.ChainID)
	return userop.Sponsorship{PaymasterAndData: answer.PaymasterAndData}, err
}
