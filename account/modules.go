package account

import (
	"context"
	"fmt"
	"slices"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/ability"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// Module is a validation module of an account together with whoever signs for it. [Client.ECDSAModule] and
// [Client.MultichainModule] make those of the two ownership modules; one of another kind is put together by
// its user.
type Module struct {
	// Address is the module's contract.
	Address common.Address
	// Setup is the calldata with which an account registers at the module, and whose result is the module's
	// address. Together with Address it decides the address of a new account; a module that is active only
	// needs none.
	Setup []byte
	// Signer signs operations for the module. One that is a [MessageSigner] signs messages too. A wrapper
	// around an ownership module's signer says what it wraps by a method Unwrap() userop.Signer: otherwise
	// whose account it is is for the chain to judge.
	Signer userop.Signer
}

// ECDSAModule returns the ECDSA ownership module with this owner: the one accounts have by default.
func (c *Client) ECDSAModule(owner Owner) Module {
	return ownershipModule(c.contracts.ECDSA, owner)
}

// MultichainModule returns the multichain ownership module with this owner. One signature of the owner can be
// for operations on several chains; see [SendTogether].
func (c *Client) MultichainModule(owner Owner) Module {
	return ownershipModule(c.contracts.Multichain, owner)
}

func ownershipModule(module common.Address, owner Owner) Module {
	return Module{
		Address: module,
		Setup:   contracts.InitForSmartAccount(owner.Address()),
		Signer:  ownerSigner{owner: &owner, module: module},
	}
}

// handoverSigner signs through the module that decided the account's address for the operation that deploys
// the account, since no other is enabled by then, and through the active module from then on.
type handoverSigner struct{ initial, active userop.Signer }

func (s *handoverSigner) signer(op *userop.Operation) userop.Signer {
	if len(op.InitCode) > 0 {
		return s.initial
	}
	return s.active
}

// DummySignature implements [userop.Signer].
func (s *handoverSigner) DummySignature(op *userop.Operation) ([]byte, error) {
	return s.signer(op).DummySignature(op)
}

// Sign implements [userop.Signer].
func (s *handoverSigner) Sign(ctx context.Context, op *userop.Operation, hash common.Hash) ([]byte, error) {
	return s.signer(op).Sign(ctx, op, hash)
}

// check returns an error if the module cannot do what it was chosen for.
func (m *Module) check(role string) error {
	switch {
	case m.Address == (common.Address{}):
		return fmt.Errorf("%w: %s module without an address", ErrConfig, role)
	case m.Signer == nil:
		return fmt.Errorf("%w: %s module %s without a signer", ErrConfig, role, m.Address)
	}
	if s, ok := ability.Find[ownerSigner](m.Signer); ok && (*s.owner).Address() == (common.Address{}) {
		return fmt.Errorf("%w: the owner has no key: its key is nil, or its address zero", ErrNoSigner)
	}
	return nil
}

// modulesPage is how many modules are read at once, and maxModules how many an account is believed to have:
// accounts have a handful, each enabled by an operation of its owner, and a contract that answers without end
// is none.
const (
	modulesPage = 100
	maxModules  = 1000
)

// Modules returns the validation modules that the account listens to, the last enabled first. For an account
// without code the error matches [ErrNotDeployed], for one with more than a thousand modules [ErrBadAnswer],
// and of a node of another chain [userop.ErrWrongChain].
func (a *Account) Modules(ctx context.Context) ([]common.Address, error) {
	if err := a.client.refuseOtherChain(ctx); err != nil {
		return nil, fmt.Errorf("modules of account %s: %w", a.address, err)
	}
	return a.listModules(ctx, modulesPage)
}

func (a *Account) listModules(ctx context.Context, page int) ([]common.Address, error) {
	results, err := batchRead(ctx, a.client.chain, nil, a.modulesRead(contracts.SentinelModule, page))
	if err != nil {
		return nil, fmt.Errorf("modules of account %s: %w", a.address, err)
	}
	if !results[0].HasCode {
		return nil, a.notDeployedError()
	}
	modules, err := a.decodeModules(ctx, results[0], page)
	if err != nil {
		return nil, fmt.Errorf("account %s: %w", a.address, err)
	}
	return modules, nil
}

func (a *Account) modulesRead(after common.Address, page int) contracts.Read {
	const head = 3 * abi.WordSize
	return contracts.Read{To: a.address, Data: contracts.GetModulesPaginated(after, uint64(page)), MaxAnswer: head + page*abi.WordSize}
}

// decodeModules reads a page of modules and those after it. A page goes on after its last module: "next" in
// the contract's answer is a module that neither page would have.
func (a *Account) decodeModules(ctx context.Context, r contracts.ReadResult, page int) ([]common.Address, error) {
	var all []common.Address
	for {
		var found []common.Address
		err := decodeResult(&r, "getModulesPaginated", func(answer []byte) (err error) {
			found, _, err = contracts.DecodeModules(answer)
			return err
		})
		if err != nil {
			return nil, err
		}
		for _, module := range found {
			if slices.Contains(all, module) {
				return nil, fmt.Errorf("%w: getModulesPaginated returns module %s twice", ErrBadAnswer, module)
			}
			all = append(all, module)
		}
		if len(all) > maxModules {
			return nil, fmt.Errorf("%w: getModulesPaginated returns more than %d modules", ErrBadAnswer, maxModules)
		}
		if len(found) < page {
			return all, nil
		}
		results, err := batchRead(ctx, a.client.chain, nil, a.modulesRead(all[len(all)-1], page))
		if err != nil {
			return nil, err
		}
		r = results[0]
	}
}

// EnableModule lets the account listen to a validation module, in one operation of the owner. A module that
// the account has to register at first wants [OwnedAccount.SetupAndEnableModule].
//
// Before anything is signed it is refused to enable a module twice, one without code on this chain, an
// ownership module at which nobody or someone else owns the account, the batched session router on an account
// that holds what anybody could burn then (see [ForBatches]), and the older of the two routers on public
// chains, through which anybody could act for the account. Calls of the account to itself that
// [OwnedAccount.Send] is given are the caller's own: nothing judges them.
func (o *OwnedAccount) EnableModule(ctx context.Context, module common.Address, opts ...Option) (*userop.Pending, error) {
	return o.sendJob(ctx, o.enableModule(module), opts)
}

func (o *OwnedAccount) enableModule(module common.Address) ownerJob {
	return ownerJob{
		kind: kindEnableModule, what: fmt.Sprintf("enable module %s", module), asked: askedModule(module, nil), takes: []string{routerDespiteFunds},
		plan: func(ctx context.Context, s *settings) ([]Call, *settings, error) {
			call, err := o.planEnable(ctx, module, s)
			return []Call{call}, nil, err
		},
	}
}

// SetupAndEnableModule has the account call setupContract with setupData and lets it listen to the module
// whose address comes back, mostly setupContract itself. The setup data of the ownership modules is in their
// [Module].
//
// Before anything is signed it is refused as for [OwnedAccount.EnableModule], and to register somebody else
// as owner at an ownership module.
func (o *OwnedAccount) SetupAndEnableModule(ctx context.Context, setupContract common.Address, setupData []byte, opts ...Option) (*userop.Pending, error) {
	return o.sendJob(ctx, o.setupModule(setupContract, setupData), opts)
}

func (o *OwnedAccount) setupModule(setupContract common.Address, setupData []byte) ownerJob {
	return ownerJob{
		kind: kindSetupModule, what: fmt.Sprintf("set up module %s", setupContract), asked: askedModule(setupContract, setupData), takes: []string{routerDespiteFunds},
		plan: func(ctx context.Context, s *settings) ([]Call, *settings, error) {
			call, err := o.planSetup(ctx, setupContract, setupData, s)
			return []Call{call}, nil, err
		},
	}
}

// DisableModule stops the account from listening to a validation module, in one operation of the owner. The
// module before it in the account's list, which the contract wants to be told, is found here.
//
// Before anything is signed it is refused, with an error matching [ErrLockout], to disable the last module,
// or the last one through which the owner can act.
func (o *OwnedAccount) DisableModule(ctx context.Context, module common.Address, opts ...Option) (*userop.Pending, error) {
	return o.sendJob(ctx, o.disableModule(module), opts)
}

func (o *OwnedAccount) disableModule(module common.Address) ownerJob {
	return ownerJob{
		kind: kindDisableModule, what: fmt.Sprintf("disable module %s", module), asked: askedModule(module, nil),
		plan: func(ctx context.Context, _ *settings) ([]Call, *settings, error) {
			call, err := o.planDisable(ctx, module)
			return []Call{call}, nil, err
		},
	}
}

// DisableRouter is [OwnedAccount.DisableModule] for the batched session router, and for the others that
// [State].RouterEnabled tells about: from then on sessions make one call in an operation, and nobody can burn
// the account's funds by an empty batch; see [ForBatches]. Of an account that has none enabled the error
// matches [ErrModuleNotEnabled].
func (o *OwnedAccount) DisableRouter(ctx context.Context, opts ...Option) (*userop.Pending, error) {
	return o.sendJob(ctx, o.disableRouter(), opts)
}

func (o *OwnedAccount) disableRouter() ownerJob {
	return ownerJob{
		kind: kindDisableRouter, what: "disable the batched session router",
		plan: func(ctx context.Context, _ *settings) (calls []Call, _ *settings, err error) {
			state, _, err := o.expectedState(ctx)
			if err == nil {
				calls, err = o.disableRouters(state)
			}
			return calls, nil, err
		},
	}
}

// disableRouters are the calls that disable every batched session router.
func (o *OwnedAccount) disableRouters(state *State) (calls []Call, err error) {
	if !state.RouterEnabled {
		_, err = o.disableCall(state, o.client.contracts.Session.Router)
		return nil, err
	}
	left := *state // as each call leaves it
	for _, module := range state.Modules {
		if !o.client.isRouter(module) {
			continue
		}
		call, err := o.disableCall(&left, module)
		if err != nil {
			return nil, err
		}
		calls = append(calls, call)
		left.Modules = slices.DeleteFunc(slices.Clone(left.Modules), func(m common.Address) bool { return m == module })
	}
	return calls, nil
}

func (o *OwnedAccount) planDisable(ctx context.Context, module common.Address) (Call, error) {
	if err := o.checkModuleAddress(module); err != nil {
		return Call{}, err
	}
	state, _, err := o.expectedState(ctx)
	if err != nil {
		return Call{}, err
	}
	return o.disableCall(state, module)
}

// disableCall is the call that disables a module, which the module before it has to be named in.
func (o *OwnedAccount) disableCall(state *State, module common.Address) (Call, error) {
	at, prev := slices.Index(state.Modules, module), contracts.SentinelModule
	switch {
	case at < 0:
		return Call{}, fmt.Errorf("%w: account %s has modules %v", ErrModuleNotEnabled, o.address, state.Modules)
	case len(state.Modules) == 1:
		return Call{}, fmt.Errorf("%w: it is the last module of account %s", ErrLockout, o.address)
	case !o.client.isRouter(module) && !o.canSignWithout(state, module): // nobody owns an account through a router
		return Call{}, fmt.Errorf("%w: it is the only one through which %s owns account %s; enable another ownership module first", ErrLockout, o.owner.Address(), o.address)
	case at > 0:
		prev = state.Modules[at-1]
	}
	return o.selfCall(contracts.DisableModule(prev, module)), nil
}

// canSignWithout reports whether the owner can act for the account without a module.
func (o *OwnedAccount) canSignWithout(state *State, without common.Address) bool {
	return slices.ContainsFunc(state.Modules, func(module common.Address) bool {
		return module != without && o.canSignThrough(state, module)
	})
}

// canSignThrough reports whether the owner can act through a module: as the owner there, or because a signer
// of the owner's own is for it.
func (o *OwnedAccount) canSignThrough(state *State, module common.Address) bool {
	if owner, ok := state.OwnerAt(module); ok && owner == o.owner.Address() {
		return true
	}
	for _, m := range []Module{o.active, o.initial} {
		if _, asOwner := ability.Find[ownerSigner](m.Signer); m.Address == module && !asOwner {
			return true
		}
	}
	return false
}

// checkModuleAddress refuses addresses that can be no module of the account.
func (o *OwnedAccount) checkModuleAddress(module common.Address) error {
	switch module {
	case common.Address{}, contracts.SentinelModule:
		return fmt.Errorf("%w: the account keeps addresses 0 and 1 for itself", policy.ErrInvalid)
	case o.address:
		return fmt.Errorf("%w: the account cannot be a module of itself", policy.ErrInvalid)
	}
	return nil
}

// isOwnershipModule reports whether a module is one of the two that keep an owner by account.
func (o *OwnedAccount) isOwnershipModule(module common.Address) bool {
	return module == o.client.contracts.ECDSA || module == o.client.contracts.Multichain
}

func (o *OwnedAccount) ownerRead(module common.Address) contracts.Read {
	return contracts.Read{To: module, Data: contracts.GetOwner(o.address), MaxAnswer: 2 * abi.WordSize}
}

// selfCall is a call of the account to itself, which is how its modules are changed.
func (o *OwnedAccount) selfCall(data []byte) Call { return Call{To: o.address, Data: data} }
