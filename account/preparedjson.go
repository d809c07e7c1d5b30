package account

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/jsonobject"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// preparedVersion is the form of a [Prepared] in JSON that this package writes and reads.
const preparedVersion = 1

// maxPrepared bounds what [ParsePrepared] reads, in bytes: some thousand sessions.
const maxPrepared = 4 << 20

// preparedJSON is a [Prepared] in JSON. Its operations are read on their own, once it is known how many they
// are: what one takes in memory is some hundred times what a browser needs to write it.
type preparedJSON[Operation any] struct {
	Version    int            `json:"sesamePrepared"`
	Owner      common.Address `json:"owner"`
	Until      uint64         `json:"until"`
	Operations []Operation    `json:"operations"`
}

// preparedOperation is the operation without its signature. Unlike [userop.Operation] it is read strictly.
type preparedOperation struct {
	Sender               common.Address `json:"sender"`
	Nonce                *hexutil.U256  `json:"nonce"`
	InitCode             hexutil.Bytes  `json:"initCode"`
	CallData             hexutil.Bytes  `json:"callData"`
	CallGasLimit         *hexutil.U256  `json:"callGasLimit"`
	VerificationGasLimit *hexutil.U256  `json:"verificationGasLimit"`
	PreVerificationGas   *hexutil.U256  `json:"preVerificationGas"`
	MaxFeePerGas         *hexutil.U256  `json:"maxFeePerGas"`
	MaxPriorityFeePerGas *hexutil.U256  `json:"maxPriorityFeePerGas"`
	PaymasterAndData     hexutil.Bytes  `json:"paymasterAndData"`
}

func preparedOperationOf(op *userop.Operation) preparedOperation {
	op = op.Clone()
	return preparedOperation{
		Sender: op.Sender, Nonce: (*hexutil.U256)(&op.Nonce), InitCode: op.InitCode, CallData: op.CallData,
		CallGasLimit:         (*hexutil.U256)(&op.CallGasLimit),
		VerificationGasLimit: (*hexutil.U256)(&op.VerificationGasLimit),
		PreVerificationGas:   (*hexutil.U256)(&op.PreVerificationGas),
		MaxFeePerGas:         (*hexutil.U256)(&op.MaxFeePerGas),
		MaxPriorityFeePerGas: (*hexutil.U256)(&op.MaxPriorityFeePerGas),
		PaymasterAndData:     op.PaymasterAndData,
	}
}

// operation is the operation with memory of its own.
func (o *preparedOperation) operation() *userop.Operation {
	return &userop.Operation{
		Sender: o.Sender, Nonce: uint256.Int(*o.Nonce),
		InitCode: bytes.Clone(o.InitCode), CallData: bytes.Clone(o.CallData),
		CallGasLimit:         uint256.Int(*o.CallGasLimit),
		VerificationGasLimit: uint256.Int(*o.VerificationGasLimit),
		PreVerificationGas:   uint256.Int(*o.PreVerificationGas),
		MaxFeePerGas:         uint256.Int(*o.MaxFeePerGas),
		MaxPriorityFeePerGas: uint256.Int(*o.MaxPriorityFeePerGas),
		PaymasterAndData:     bytes.Clone(o.PaymasterAndData),
	}
}

// complete reports whether no number is missing.
func (o *preparedOperation) complete() bool {
	return !slices.Contains([]*hexutil.U256{
		o.Nonce, o.CallGasLimit, o.VerificationGasLimit, o.PreVerificationGas, o.MaxFeePerGas, o.MaxPriorityFeePerGas,
	}, nil)
}

// MarshalJSON writes all of it, with the version of its form. It may go to the browser: whoever has it can do
// nothing with it but sign.
func (p Prepared) MarshalJSON() ([]byte, error) {
	return json.Marshal(preparedJSON[preparedLeg]{Version: preparedVersion, Owner: p.owner, Until: p.until, Operations: p.legs})
}

// UnmarshalJSON is [ParsePrepared].
func (p *Prepared) UnmarshalJSON(text []byte) error {
	parsed, err := ParsePrepared(text)
	if err != nil {
		return err
	}
	*p = *parsed
	return nil
}

// ParsePrepared reads what [Prepared.MarshalJSON] wrote, and checks that it holds together: the hash of each
// operation is worked out anew, its calls are decoded, and they do what the plan beside them says, to the
// leaves of the session root. It has to be the text alone, with each field once and in its letter case. The
// error matches [policy.ErrInvalid].
//
// That it is the one which was prepared, it cannot tell: Submit has to be told by [Kept].
func ParsePrepared(text []byte) (*Prepared, error) {
	if len(text) > maxPrepared {
		return nil, fmt.Errorf("%w: prepared operation of %d bytes, at most %d are read", policy.ErrInvalid, len(text), maxPrepared)
	}
	var read preparedJSON[json.RawMessage]
	if err := jsonobject.Strict(text, &read); err != nil {
		return nil, fmt.Errorf("%w: prepared operation: %w", policy.ErrInvalid, err)
	}
	if read.Version != preparedVersion {
		return nil, fmt.Errorf("%w: prepared operation of form %d, this library reads form %d", policy.ErrInvalid, read.Version, preparedVersion)
	}
	if err := checkLegCount(len(read.Operations)); err != nil {
		return nil, err
	}
	p := &Prepared{owner: read.Owner, until: read.Until, legs: make([]preparedLeg, len(read.Operations)), parsed: true}
	for i, operation := range read.Operations {
		if err := jsonobject.Strict(operation, &p.legs[i]); err != nil {
			return nil, fmt.Errorf("%w: prepared operation: operation %d: %w", policy.ErrInvalid, i, err)
		}
	}
	if err := p.seal(); err != nil {
		return nil, err
	}
	return p, nil
}

// check returns an error matching [policy.ErrInvalid] unless all of it holds together.
func (p *Prepared) check() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: prepared operation: %w", policy.ErrInvalid, fmt.Errorf(format, args...))
	}
	switch {
	case p.owner == (common.Address{}):
		return bad("no owner")
	case p.until == 0 || p.until > policy.MaxTime:
		return bad("its end %d is no time", p.until)
	}
	if err := checkLegCount(len(p.legs)); err != nil {
		return err
	}
	for i := range p.legs {
		leg := &p.legs[i]
		if err := leg.check(); err != nil {
			return bad("operation %d: %w", i, err)
		}
		if len(p.legs) > 1 && leg.Window == nil {
			return bad("operation %d: one signature for several operations, without the multichain module's form", i)
		}
		for j := range p.legs[:i] {
			if other := &p.legs[j]; other.ref() == leg.ref() && *other.Operation.Nonce == *leg.Operation.Nonce {
				return bad("operations %d and %d have the same nonce", j, i)
			}
		}
	}
	return nil
}

// checkLegCount judges how many operations one signature is to be for.
func checkLegCount(n int) error {
	if n == 0 || n > maxLegs {
		return fmt.Errorf("%w: prepared operation: it has %d operations; 1 to %d can be", policy.ErrInvalid, n, maxLegs)
	}
	return nil
}

// check judges one operation on its own.
func (l *preparedLeg) check() error {
	if err := l.ref().Validate(); err != nil {
		return err
	}
	switch {
	case !l.Operation.complete():
		return errors.New("a number of it is missing")
	case l.Operation.Sender != l.Account:
		return fmt.Errorf("it is one of %s, not of %s", l.Operation.Sender, l.Account)
	case l.Module != l.Contracts.ECDSA && l.Module != l.Contracts.Multichain:
		return fmt.Errorf("module %s is none of the two ownership modules", l.Module)
	case l.Window != nil && l.Module != l.Contracts.Multichain:
		return errors.New("a window is for the multichain module")
	case l.Window != nil && (l.Window.Until > policy.MaxTime || l.Window.After > policy.MaxTime):
		return errors.New("its window does not fit into 48 bits")
	case l.Fee != nil && (l.Fee.Max == nil || l.paymaster() != l.Contracts.TokenPaymaster):
		return errors.New("a fee in tokens without the token paymaster")
	case l.Fee == nil && l.paymaster() != (common.Address{}) && l.paymaster() == l.Contracts.TokenPaymaster:
		return errors.New("a token paymaster without a fee")
	case l.Fee != nil && l.feeToken() != l.Fee.Token:
		return fmt.Errorf("its fee is said to be in token %s, and is in %s", l.Fee.Token, l.feeToken())
	case len(l.Modules) > 0 && l.deploys():
		return errors.New("it deploys an account that has modules")
	case len(l.Asked) > 0 && strings.ContainsFunc(l.Asked, func(r rune) bool { return !unicode.IsPrint(r) && r != '\n' }):
		return errors.New("control characters in what was asked for")
	}
	if hash := l.operation().Hash(l.Contracts.EntryPoint, l.ChainID); hash != l.OpHash {
		return fmt.Errorf("its hash is %s, not %s", hash, l.OpHash)
	}
	calls, err := l.calls()
	if err != nil {
		return err
	}
	return l.checkKind(calls)
}

// checkKind compares the calls with what the operation is said to do.
func (l *preparedLeg) checkKind(calls []Call) error {
	if changesRoot(l.Kind) != (l.Root != nil) {
		return fmt.Errorf("a %s with a plan of the session root that does not go with it", l.Kind)
	}
	if l.Kind == kindSend || l.Kind == kindWithdraw { // which may call whatever the owner says
		if len(calls) == 0 {
			return fmt.Errorf("a %s that calls nothing", l.Kind)
		}
		return nil
	}
	calls, err := l.withoutApproval(calls)
	if err != nil {
		return err
	}
	switch l.Kind {
	case kindDeploy:
		if !l.deploys() || len(calls) > 0 {
			return errors.New("a deployment deploys the account, and does nothing else")
		}
		return nil
	case kindEnableModule, kindSetupModule, kindDisableModule, kindDisableRouter:
		return l.checkModuleCalls(calls)
	case kindGrant, kindRevoke, kindRestore:
		return l.checkRootCalls(calls)
	}
	return fmt.Errorf("it is of no kind that is known: %.40q", l.Kind)
}

// withoutApproval takes the approvals of a fee in tokens off the calls, which go before them.
func (l *preparedLeg) withoutApproval(calls []Call) ([]Call, error) {
	for l.Fee != nil && len(calls) > 0 && calls[0].To == l.Fee.Token && isApproval(calls[0].Data) {
		spender, _, _ := contracts.DecodeApprove(calls[0].Data)
		if spender != l.Contracts.TokenPaymaster || !calls[0].Value.IsZero() {
			return nil, fmt.Errorf("it lets %s take tokens", spender)
		}
		calls = calls[1:]
	}
	return calls, nil
}

func isApproval(data []byte) bool {
	_, _, ok := contracts.DecodeApprove(data)
	return ok
}

// checkModuleCalls returns an error unless the calls change the account's modules, and do nothing else.
func (l *preparedLeg) checkModuleCalls(calls []Call) error {
	for i := range calls {
		if call := &calls[i]; call.To != l.Account || !call.Value.IsZero() || !contracts.IsModuleChange(call.Data) {
			return fmt.Errorf("call %d of a %s changes no module of the account", i, l.Kind)
		}
	}
	if len(calls) == 0 {
		return fmt.Errorf("a %s that calls nothing", l.Kind)
	}
	return nil
}

// checkRootCalls returns an error unless the last call sets the planned root, and those before it change
// modules as such a change may: a grant enables the session modules, a revocation disables routers.
func (l *preparedLeg) checkRootCalls(calls []Call) error {
	if err := l.Root.Validate(); err != nil {
		return err
	}
	switch grants, restores := len(l.Root.Grant) > 0, len(l.Root.Restore) > 0; {
	case grants != (l.Kind == kindGrant) || restores != (l.Kind == kindRestore):
		return fmt.Errorf("the plan of its session root is none of a %s", l.Kind)
	case l.Kind != kindRevoke && len(l.Root.Revoke) > 0:
		return fmt.Errorf("a %s that revokes sessions", l.Kind)
	case len(calls) == 0:
		return fmt.Errorf("a %s that calls nothing", l.Kind)
	}
	last := &calls[len(calls)-1]
	root, ok := contracts.DecodeSetMerkleRoot(last.Data)
	if !ok || last.To != l.Contracts.Manager || !last.Value.IsZero() || root != l.Root.Root {
		return fmt.Errorf("its last call does not set the planned session root %s", l.Root.Root)
	}
	for i := range calls[:len(calls)-1] {
		call := &calls[i]
		change, ok := contracts.DecodeModuleChange(call.Data)
		known := contracts.Deployed()
		switch {
		case !ok || call.To != l.Account || !call.Value.IsZero():
			return fmt.Errorf("call %d of a %s changes no module of the account", i, l.Kind)
		case change.Enables && l.Kind == kindGrant && !change.SetsUp && (change.Module == l.Contracts.Manager || change.Module == l.Contracts.Router):
		case !change.Enables && l.Kind == kindRevoke && slices.Contains([]common.Address{l.Contracts.Router, known.BatchedSessionRouter, known.OlderRouter}, change.Module):
		default:
			return fmt.Errorf("call %d changes module %s, which is nothing for a %s", i, change.Module, l.Kind)
		}
	}
	for i := range l.Root.Grant {
		leaf := &l.Root.Grant[i]
		if key, ok := leaf.SessionKey(l.Contracts.session()); ok && key != leaf.Key {
			return fmt.Errorf("session %q is said to be of key %s, and is of %s", leaf.ID, leaf.Key, key)
		}
	}
	granted := make(map[common.Address]bool)
	for _, key := range l.keyAddresses() {
		granted[key] = true
	}
	for _, key := range l.Keys {
		if !granted[key] {
			return fmt.Errorf("key %s is that of no session that it grants, or named twice", key)
		}
		delete(granted, key)
	}
	return nil
}
