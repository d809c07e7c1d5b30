package account

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/node"
	"github.com/go-sesame/sesame/session/policy"
)

// moduleGate judges which modules the account may be opened to, by what the chain says of them and of the
// account. Every call of this package that enables a module comes through it.
type moduleGate struct {
	account  *OwnedAccount
	settings *settings
	state    *State
	stateErr error // where a module without code is the better reason
	modules  []common.Address
	// owners are what the modules said to who owns the account there; to most it means nothing.
	owners []contracts.ReadResult
}

// readGate reads, in one request, what there is to know of the modules and of the account, and makes the
// other reads.
func (o *OwnedAccount) readGate(ctx context.Context, s *settings, modules []common.Address, others ...contracts.Read) (*moduleGate, []contracts.ReadResult, error) {
	reads := make([]contracts.Read, 0, len(modules)+len(others))
	for _, module := range modules {
		if err := o.checkModuleAddress(module); err != nil {
			return nil, nil, err
		}
		reads = append(reads, o.ownerRead(module))
	}
	state, results, err := o.expectedState(ctx, append(reads, others...)...)
	if results == nil {
		return nil, nil, err
	}
	g := &moduleGate{account: o, settings: s, state: state, stateErr: err, modules: modules, owners: results[:len(modules)]}
	return g, results[len(modules):], nil
}

// planEnable returns the call that enables a module.
func (o *OwnedAccount) planEnable(ctx context.Context, module common.Address, s *settings) (Call, error) {
	g, _, err := o.readGate(ctx, s, []common.Address{module})
	if err == nil {
		err = g.checkEnable(module)
	}
	if err == nil {
		err = o.checkRouterOption(module, s)
	}
	return o.selfCall(contracts.EnableModule(module)), err
}

// planSetup returns the call that sets a module up and enables it.
func (o *OwnedAccount) planSetup(ctx context.Context, setupContract common.Address, setupData []byte, s *settings) (Call, error) {
	// Tried from elsewhere, the setup tells which module it is for; whether it works for the account is for
	// the chain to say.
	trial := contracts.Read{To: setupContract, Data: setupData, Mutates: true}
	g, results, err := o.readGate(ctx, s, []common.Address{setupContract}, trial)
	if err != nil {
		return Call{}, err
	}
	answer := results[0].Data
	if !results[0].OK && g.owner(setupContract).HasCode { // it may be for accounts only, or for this one
		if answer, err = o.setUpAs(ctx, setupContract, setupData); err != nil {
			return Call{}, err
		}
	}
	made, err := contracts.DecodeAddress(answer)
	if err == nil && made != setupContract { // whatever was set up, that one is enabled
		if _, err := o.planEnable(ctx, made, s); err != nil {
			return Call{}, fmt.Errorf("module %s: %w", made, err)
		}
	} else if err := errors.Join(g.checkSetup(setupContract, setupData), o.checkRouterOption(setupContract, s)); err != nil {
		return Call{}, err
	}
	return o.selfCall(contracts.SetupAndEnableModule(setupContract, setupData)), nil
}

// setUpAs is what the setup answers the account itself, nothing where it reverts.
func (o *OwnedAccount) setUpAs(ctx context.Context, setupContract common.Address, setupData []byte) ([]byte, error) {
	msg := callMsg(setupContract, setupData)
	msg.From = o.address
	var answer []byte
	var err error
	for t := node.Ask(ctx); t.Next(&err); {
		answer, err = o.client.chain.CallContract(t.Context, msg, nil)
	}
	if err == nil {
		return answer, nil
	}
	if _, reverted := revertOf(err); reverted {
		return nil, nil
	}
	return nil, fmt.Errorf("try its setup as account %s: %w", o.address, err)
}

// planSessionModules returns the calls that enable what a grant needs and is not enabled yet.
func (o *OwnedAccount) planSessionModules(ctx context.Context, s *settings) ([]Call, error) {
	modules := []common.Address{o.client.contracts.Session.Manager}
	if s.has(forBatches) {
		modules = append(modules, o.client.contracts.Session.Router)
	}
	g, _, err := o.readGate(ctx, s, modules)
	if err != nil {
		return nil, err
	}
	var calls []Call
	for _, module := range modules {
		// A router that is enabled already is as dangerous as one that is enabled now.
		if err := g.admit(module); err != nil {
			return nil, fmt.Errorf("enable module %s: %w", module, err)
		}
		if g.state.Enabled(module) {
			continue
		}
		if err := g.checkEnable(module); err != nil {
			return nil, fmt.Errorf("enable module %s: %w", module, err)
		}
		calls = append(calls, o.selfCall(contracts.EnableModule(module)))
	}
	return calls, nil
}

// admit refuses a module that is dangerous whoever enables it: without code, or the router beside funds.
func (g *moduleGate) admit(module common.Address) error {
	client, risk := g.account.client, g.settings.has(routerDespiteFunds)
	switch {
	case module == contracts.Deployed().OlderRouter:
		return fmt.Errorf("%w: it is the older batched session router, which asks whatever session key manager a signature names: anybody could act for account %s through it; sessions of several calls go through %s", ErrFundsAtRisk, g.account.address, client.contracts.Session.Router)
	case !g.owner(module).HasCode:
		return fmt.Errorf("%w: there is no contract at that address on chain %d; whoever deploys one there would own the account", policy.ErrInvalid, client.chainID)
	case g.stateErr != nil:
		return g.stateErr
	case client.isRouter(module) && !risk:
		return g.checkFunds()
	}
	return nil
}

// routers are the batched session routers that an account may listen to: the client's, and those of public
// chains. All let pass an empty batch under anybody's signature.
func (c *Client) routers() []common.Address {
	known := contracts.Deployed()
	return []common.Address{c.contracts.Session.Router, known.BatchedSessionRouter, known.OlderRouter}
}

func (c *Client) isRouter(module common.Address) bool { return slices.Contains(c.routers(), module) }

// checkFunds refuses to enable the router on an account with funds that anybody could burn then.
func (g *moduleGate) checkFunds() error {
	if g.state.Balance.IsZero() && g.state.Deposit.IsZero() {
		return nil
	}
	return fmt.Errorf("%w: account %s holds %s wei, and %s wei at the EntryPoint, which anybody can burn as gas while the batched session router is enabled; withdraw them in a sponsored operation (Withdraw, of the deposit with the EntryPoint as Token), leave the router off, or risk them with RouterDespiteFunds", ErrFundsAtRisk, g.account.address, g.state.Balance.Dec(), g.state.Deposit.Dec())
}

// checkRouterOption refuses the option for the router where it is another module that is enabled.
func (o *OwnedAccount) checkRouterOption(module common.Address, s *settings) error {
	if s.has(routerDespiteFunds) && !o.client.isRouter(module) {
		return fmt.Errorf("%w: %s for a module that is not the batched session router", ErrConfig, routerDespiteFunds)
	}
	return nil
}

// checkEnable judges an EnableModule.
func (g *moduleGate) checkEnable(module common.Address) error {
	if err := g.checkNew(module); err != nil || !g.account.isOwnershipModule(module) {
		return err
	}
	registered, err := decodeOwner(g.owner(module))
	switch {
	case err != nil:
		return err
	case registered == (common.Address{}):
		return fmt.Errorf("%w: account %s has no owner at this module yet; SetupAndEnableModule registers one", ErrWrongOwner, g.account.address)
	case registered != g.account.owner.Address():
		return g.account.wrongOwnerError(registered)
	}
	return nil
}

// checkSetup judges a SetupAndEnableModule of a contract that is its own module.
func (g *moduleGate) checkSetup(module common.Address, setupData []byte) error {
	if err := g.checkNew(module); err != nil || !g.account.isOwnershipModule(module) {
		return err
	}
	registered, err := decodeOwner(g.owner(module))
	owner, next := g.account.owner.Address(), contracts.SetupOwner(setupData)
	switch {
	case err != nil:
		return err
	case registered != (common.Address{}) && registered != owner:
		return g.account.wrongOwnerError(registered)
	case registered != (common.Address{}):
		return fmt.Errorf("%w: account %s is registered there already, with owner %s; EnableModule alone is what is missing", policy.ErrInvalid, g.account.address, registered)
	case next != owner && next != (common.Address{}) && owner != (common.Address{}):
		return fmt.Errorf("%w: account %s would belong to %s at this module, not to %s", ErrWrongOwner, g.account.address, next, owner)
	}
	return nil
}

// checkNew refuses a module that is dangerous, or enabled already.
func (g *moduleGate) checkNew(module common.Address) error {
	if err := g.admit(module); err != nil {
		return err
	}
	if g.state.Enabled(module) {
		return fmt.Errorf("%w on account %s: module %s", ErrModuleEnabled, g.account.address, module)
	}
	return nil
}

func (g *moduleGate) owner(module common.Address) *contracts.ReadResult {
	return &g.owners[slices.Index(g.modules, module)]
}

// wrongOwnerError is the error for a module at which another owner owns the account.
func (o *OwnedAccount) wrongOwnerError(owner common.Address) error {
	return fmt.Errorf("%w: account %s belongs to %s at this module, who would own it with the module enabled; transferOwnership of the module, called by the account, changes that", ErrWrongOwner, o.address, owner)
}
