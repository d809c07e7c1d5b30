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
		Signer:  ownerSigner{owner: owner, module: module},
	}
}

// handoverSigner signs through the module that decided the account's address for the operation that deploys
// the account, since no other is enabled by then, and through the active module from then on.
type handoverSigner struct{ initial, active userop.Signer }

func (s handoverSigner) signer(op *userop.Operation) userop.Signer {
	if len(op.InitCode) > 0 {
		return s.initial
	}
	return s.active
}

// DummySignature implements [userop.Signer].
func (s handoverSigner) DummySignature(op *userop.Operation) ([]byte, error) {
	return s.signer(op).DummySignature(op)
}

// Sign implements [userop.Signer].
func (s handoverSigner) Sign(ctx context.Context, op *userop.Operation, hash common.Hash) ([]byte, error) {
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
	if s, ok := ability.Find[ownerSigner](m.Signer); ok && s.owner.Address() == (common.Address{}) {
		return fmt.Errorf("%w: the owner has no key", ErrNoSigner)
	}
	return nil
}

// modulesPage is how many modules are read at once.
const modulesPage = 100

// Modules returns the validation modules that the account listens to, the last enabled first. For an account
// without code the error matches [ErrNotDeployed].
func (a *Account) Modules(ctx context.Context) ([]common.Address, error) {
	return a.listModules(ctx, modulesPage)
}

func (a *Account) listModules(ctx context.Context, page int) ([]common.Address, error) {
	results, err := batchRead(ctx, a.client.chain, a.modulesRead(contracts.SentinelModule, page))
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
		if len(found) < page {
			return all, nil
		}
		results, err := batchRead(ctx, a.client.chain, a.modulesRead(all[len(all)-1], page))
		if err != nil {
			return nil, err
		}
		r = results[0]
	}
}

// EnableModule lets the account listen to a validation module, in one operation of the owner. A module that
// the account has to register at first wants [OwnedAccount.SetupAndEnableModule].
//
// Before anything is signed it is refused to enable a module twice, one without code on this chain, and an
// ownership module at which nobody or someone else owns the account.
func (o *OwnedAccount) EnableModule(ctx context.Context, module common.Address, opts ...Option) (*userop.Pending, error) {
	if err := o.checkEnable(ctx, module); err != nil {
		return nil, fmt.Errorf("enable module %s: %w", module, err)
	}
	return o.sendToSelf(ctx, contracts.EnableModule(module), opts)
}

// checkEnable judges an EnableModule by the chain.
func (o *OwnedAccount) checkEnable(ctx context.Context, module common.Address) error {
	if err := o.checkModuleAddress(module); err != nil {
		return err
	}
	state, results, err := o.expectedState(ctx, o.ownerRead(module))
	if err != nil {
		return err
	}
	if err := o.checkCanEnable(state, module, results[0].HasCode); err != nil || !o.isOwnershipModule(module) {
		return err
	}
	registered, err := decodeOwner(&results[0])
	switch {
	case err != nil:
		return err
	case registered == (common.Address{}):
		return fmt.Errorf("%w: account %s has no owner at this module yet; SetupAndEnableModule registers one", ErrWrongOwner, o.address)
	case registered != o.owner.Address():
		return o.wrongOwnerError(registered)
	}
	return nil
}

// wrongOwnerError is the error for a module at which another owner owns the account.
func (o *OwnedAccount) wrongOwnerError(owner common.Address) error {
	return fmt.Errorf("%w: account %s belongs to %s at this module, who would own it with the module enabled; transferOwnership of the module, called by the account, changes that", ErrWrongOwner, o.address, owner)
}

// SetupAndEnableModule has the account call setupContract with setupData and lets it listen to the module
// whose address comes back, mostly setupContract itself. The setup data of the ownership modules is in their
// [Module].
//
// Before anything is signed it is refused as for [OwnedAccount.EnableModule], and to register somebody else
// as owner at an ownership module.
func (o *OwnedAccount) SetupAndEnableModule(ctx context.Context, setupContract common.Address, setupData []byte, opts ...Option) (*userop.Pending, error) {
	if err := o.checkSetup(ctx, setupContract, setupData); err != nil {
		return nil, fmt.Errorf("set up module %s: %w", setupContract, err)
	}
	return o.sendToSelf(ctx, contracts.SetupAndEnableModule(setupContract, setupData), opts)
}

// checkSetup judges a SetupAndEnableModule by the chain.
func (o *OwnedAccount) checkSetup(ctx context.Context, setupContract common.Address, setupData []byte) error {
	if err := o.checkModuleAddress(setupContract); err != nil {
		return err
	}
	// Tried from elsewhere, the setup tells which module it is for; whether it works for the account is for
	// the chain to say.
	trial := contracts.Read{To: setupContract, Data: setupData, Mutates: true}
	state, results, err := o.expectedState(ctx, o.ownerRead(setupContract), trial)
	if err != nil {
		return err
	}
	if made, err := contracts.DecodeAddress(results[1].Data); err == nil && results[1].OK && made != setupContract {
		if err := o.checkEnable(ctx, made); err != nil { // whatever was set up, that one is enabled
			return fmt.Errorf("module %s: %w", made, err)
		}
		return nil
	}
	if err := o.checkCanEnable(state, setupContract, results[0].HasCode); err != nil || !o.isOwnershipModule(setupContract) {
		return err
	}
	registered, err := decodeOwner(&results[0])
	owner, next := o.owner.Address(), contracts.SetupOwner(setupData)
	switch {
	case err != nil:
		return err
	case registered != (common.Address{}) && registered != owner:
		return o.wrongOwnerError(registered)
	case registered != (common.Address{}):
		return fmt.Errorf("%w: account %s is registered there already, with owner %s; EnableModule alone is what is missing", policy.ErrInvalid, o.address, registered)
	case next != owner && next != (common.Address{}) && owner != (common.Address{}):
		return fmt.Errorf("%w: account %s would belong to %s at this module, not to %s", ErrWrongOwner, o.address, next, owner)
	}
	return nil
}

// DisableModule stops the account from listening to a validation module, in one operation of the owner. The
// module before it in the account's list, which the contract wants to be told, is found here.
//
// Before anything is signed it is refused, with an error matching [ErrLockout], to disable the last module,
// or the last one through which the owner can act.
func (o *OwnedAccount) DisableModule(ctx context.Context, module common.Address, opts ...Option) (*userop.Pending, error) {
	prev, err := o.checkDisable(ctx, module)
	if err != nil {
		return nil, fmt.Errorf("disable module %s: %w", module, err)
	}
	return o.sendToSelf(ctx, contracts.DisableModule(prev, module), opts)
}

// checkDisable returns the module before the one to disable.
func (o *OwnedAccount) checkDisable(ctx context.Context, module common.Address) (prev common.Address, err error) {
	if err := o.checkModuleAddress(module); err != nil {
		return prev, err
	}
	state, _, err := o.expectedState(ctx)
	if err != nil {
		return prev, err
	}
	at := slices.Index(state.Modules, module)
	switch {
	case at < 0:
		return prev, fmt.Errorf("%w: account %s has modules %v", ErrModuleNotEnabled, o.address, state.Modules)
	case len(state.Modules) == 1:
		return prev, fmt.Errorf("%w: it is the last module of account %s", ErrLockout, o.address)
	case !o.canSignWithout(state, module):
		return prev, fmt.Errorf("%w: it is the only one through which %s owns account %s; enable another ownership module first", ErrLockout, o.owner.Address(), o.address)
	case at == 0:
		return contracts.SentinelModule, nil
	}
	return state.Modules[at-1], nil
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

// checkCanEnable refuses a module that is enabled already, or that has no code.
func (o *OwnedAccount) checkCanEnable(state *State, module common.Address, hasCode bool) error {
	switch {
	case state.Enabled(module):
		return fmt.Errorf("%w on account %s: module %s", ErrModuleEnabled, o.address, module)
	case !hasCode:
		return fmt.Errorf("%w: there is no contract at that address on chain %d; whoever deploys one there would own the account", policy.ErrInvalid, o.client.chainID)
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

// sendToSelf has the account call itself, which is how its modules are changed.
func (o *OwnedAccount) sendToSelf(ctx context.Context, data []byte, opts []Option) (*userop.Pending, error) {
	return o.Send(ctx, []Call{{To: o.address, Data: data}}, opts...)
}
