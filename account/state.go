package account

import (
	"context"
	"fmt"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/contracts"
)

// State is what the chain knows of an account, all of it as of one block.
type State struct {
	// Deployed reports whether the account has code. One without has a balance, a deposit and a nonce.
	Deployed bool
	// Balance is what the account holds of the chain's own currency, in wei.
	Balance uint256.Int
	// Deposit is what lies at the EntryPoint to pay for the account's operations, in wei. What an operation
	// did not use of its prefund ends up here.
	Deposit uint256.Int
	// Nonce is the next nonce of lane 0.
	Nonce uint256.Int
	// Modules are the enabled validation modules, the last enabled first.
	Modules []common.Address
	// Owners are the owners at the enabled ownership modules, ECDSA before multichain.
	Owners []Ownership
	// RouterEnabled reports whether a batched session router is among them: the client's, or one of those on
	// public chains. While it is, anybody can burn Balance and Deposit, and what arrives later, as gas of
	// empty batches, and spend the tokens that a token paymaster may take: see [ForBatches]. What to do about
	// it is in Warnings.
	RouterEnabled bool
	// SessionRoot is the Merkle root of the account's sessions, zero for none.
	SessionRoot common.Hash
}

// Ownership is the owner of an account at an ownership module.
type Ownership struct{ Module, Owner common.Address }

// Enabled reports whether the account listens to a module.
func (s *State) Enabled(module common.Address) bool { return slices.Contains(s.Modules, module) }

// Warnings says what anybody, not only the owner, can do to the account by what is enabled on it, and what to
// do against it: a sentence each, for people. There is none for an account that nothing is wrong with.
func (s *State) Warnings() []string {
	if !s.RouterEnabled {
		return nil
	}
	held := "it holds neither now, and what arrives can be burnt"
	if !s.Balance.IsZero() || !s.Deposit.IsZero() {
		held = fmt.Sprintf("it holds %s wei, and %s wei at the EntryPoint", s.Balance.Dec(), s.Deposit.Dec())
	}
	warnings := []string{"The batched session router is enabled: whether or not there are sessions, anybody can burn the account's balance and its deposit as gas, and tokens that a token paymaster may take; " + held + ". DisableRouter ends it, and so does RevokeAll."}
	if older := contracts.Deployed().OlderRouter; s.Enabled(older) {
		warnings = append(warnings, "The older batched session router "+older.Hex()+" is enabled: it asks whatever session key manager a signature names, and anybody can act for the account through it, its tokens included. DisableRouter ends it, and so does RevokeAll.")
	}
	return warnings
}

// OwnerAt returns the owner at an ownership module, false if the module is not enabled or has none.
func (s *State) OwnerAt(module common.Address) (common.Address, bool) {
	for _, o := range s.Owners {
		if o.Module == module {
			return o.Owner, true
		}
	}
	return common.Address{}, false
}

// State reads everything about the account in one request. The client's first call also asks the node which
// chain it serves; another one is an error matching [userop.ErrWrongChain]. That an account is deployed is
// remembered, and not asked again elsewhere; all else can change with the next block.
func (a *Account) State(ctx context.Context) (*State, error) {
	state, _, err := a.readState(ctx)
	return state, err
}

// readState reads the account's state, and makes the other reads in the same request. Their results are there
// too where the state's make no sense.
func (a *Account) readState(ctx context.Context, others ...contracts.Read) (*State, []contracts.ReadResult, error) {
	if err := a.client.refuseOtherChain(ctx); err != nil {
		return nil, nil, fmt.Errorf("state of account %s: %w", a.address, err)
	}
	c := &a.client.contracts
	reads := []contracts.Read{
		a.modulesRead(contracts.SentinelModule, modulesPage),
		{To: c.EntryPoint, Data: contracts.GetNonce(a.address, uint256.Int{})},
		{To: c.EntryPoint, Data: contracts.BalanceOf(a.address)},
		{To: c.Session.Manager, Data: contracts.GetSessionKeys(a.address)},
		{To: c.ECDSA, Data: contracts.GetOwner(a.address), MaxAnswer: 2 * abi.WordSize},
		{To: c.Multichain, Data: contracts.GetOwner(a.address), MaxAnswer: 2 * abi.WordSize},
	}
	n := len(reads)
	results, err := batchRead(ctx, a.client.chain, nil, append(reads, others...)...)
	if err != nil {
		return nil, nil, fmt.Errorf("state of account %s: %w", a.address, err)
	}
	state, err := a.decodeState(ctx, results[:n])
	if err != nil {
		return nil, results[n:], fmt.Errorf("state of account %s: %w", a.address, err)
	}
	return state, results[n:], nil
}

func (a *Account) decodeState(ctx context.Context, results []contracts.ReadResult) (*State, error) {
	s := &State{Deployed: results[0].HasCode, Balance: results[0].Balance}
	if err := decodeResult(&results[1], "getNonce of the EntryPoint", into(&s.Nonce, contracts.DecodeUint256)); err != nil {
		return nil, err
	}
	if err := decodeResult(&results[2], "balanceOf of the EntryPoint", into(&s.Deposit, contracts.DecodeUint256)); err != nil {
		return nil, err
	}
	if err := decodeResult(&results[3], "getSessionKeys of the session key manager", into(&s.SessionRoot, contracts.DecodeHash)); err != nil {
		return nil, err
	}
	a.noteCode(s.Deployed)
	if !s.Deployed {
		return s, nil
	}
	var err error
	if s.Modules, err = a.decodeModules(ctx, results[0], modulesPage); err != nil {
		return nil, err
	}
	s.RouterEnabled = slices.ContainsFunc(s.Modules, a.client.isRouter)
	for i, module := range []common.Address{a.client.contracts.ECDSA, a.client.contracts.Multichain} {
		if !s.Enabled(module) {
			continue
		}
		owner, err := decodeOwner(&results[4+i])
		if err != nil {
			return nil, fmt.Errorf("module %s: %w", module, err)
		}
		if owner != (common.Address{}) {
			s.Owners = append(s.Owners, Ownership{Module: module, Owner: owner})
		}
	}
	return s, nil
}

// expectedState is the state that a change of modules or owners starts from: that of the account or, before
// it is deployed, what it will have from its first operation.
func (o *OwnedAccount) expectedState(ctx context.Context, others ...contracts.Read) (*State, []contracts.ReadResult, error) {
	if err := o.checkModules(); err != nil {
		return nil, nil, fmt.Errorf("account %s: %w", o.address, err)
	}
	state, results, err := o.readState(ctx, others...)
	if err != nil || state.Deployed {
		return state, results, err
	}
	if o.initCode == nil {
		return nil, nil, o.notDeployedError()
	}
	state.Modules = []common.Address{o.initial.Address}
	if owner := contracts.SetupOwner(o.initial.Setup); o.isOwnershipModule(o.initial.Address) && owner != (common.Address{}) {
		state.Owners = []Ownership{{Module: o.initial.Address, Owner: owner}}
	}
	return state, results, nil
}
