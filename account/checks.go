package account

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/ability"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/node"
	"github.com/go-sesame/sesame/internal/observe"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/userop"
)

// identify is checkChainID as a draft's check.
func (c *Client) identify(ctx context.Context) error {
	c.observer.Note(ctx, "node")
	return c.checkChainID(ctx)
}

// checkChainID asks the node, until it once answered right, which chain it serves.
func (c *Client) checkChainID(ctx context.Context) error {
	if c.chainIDChecked.Load() {
		return nil
	}
	var id *big.Int
	var err error
	for t := node.Ask(ctx); t.Next(&err); {
		id, err = c.chain.ChainID(t.Context)
	}
	return c.judgeChainID(id, err)
}

// judgeChainID judges what the node says of its chain. Where it could not say, what is known stays.
func (c *Client) judgeChainID(id *big.Int, err error) error {
	if err != nil {
		return fmt.Errorf("chain ID: %w", err)
	}
	if id == nil || id.Cmp(new(big.Int).SetUint64(c.chainID)) != 0 {
		c.chainIDChecked.Store(false) // nothing is signed before it says so again
		return fmt.Errorf("%w: the node serves chain %s, this client is for chain %d; use the URL of that chain's node, or mend Config.ChainID", userop.ErrWrongChain, id, c.chainID)
	}
	c.chainIDChecked.Store(true)
	return nil
}

// refuseOtherChain returns an error matching [userop.ErrWrongChain] where the node says that it is of another
// chain: what that shows of an operation must not settle it. A node that does not say is asked on.
func (c *Client) refuseOtherChain(ctx context.Context) error {
	if err := c.checkChainID(ctx); errors.Is(err, userop.ErrWrongChain) {
		return err
	}
	return nil
}

// moduleKey names a module on an account and, where it was looked at too, the account's owner there.
type moduleKey struct{ account, module, owner common.Address }

// enabledRecently reports whether the module was seen enabled, with that owner, so recently that the chain
// need not be asked again.
func (c *Client) enabledRecently(key moduleKey) bool {
	at, ok := c.enabledAt.load(key)
	return ok && time.Since(at) < c.freshness
}

// forgetAccount has the chain asked again what the next operation of an account depends on.
func (c *Client) forgetAccount(account common.Address, more ...moduleKey) {
	c.deployed.delete(account)
	for _, key := range more {
		c.enabledAt.delete(key)
	}
	for _, module := range []common.Address{c.contracts.Session.Manager, c.contracts.Session.Router} {
		c.enabledAt.delete(moduleKey{account: account, module: module})
	}
}

// orTakenBack returns the better reason for an account that has no code, or does not listen to a module: the
// chain took back the grant that deployed it, or enabled that.
func (c *Client) orTakenBack(ctx context.Context, sess *session.Sessions, err error) error {
	if errors.Is(err, ErrModuleNotEnabled) || errors.Is(err, ErrNotDeployed) {
		if compared := sess.Confirm(ctx, c, 0); takenBack(compared) {
			return compared
		}
	}
	return err
}

// requireModules returns an error matching [ErrModuleNotEnabled] unless the account listens to all that a
// session's signature goes through. Those that were not seen recently are asked about in one request.
func (c *Client) requireModules(ctx context.Context, account common.Address, signer *session.Signer) error {
	c.observer.Note(ctx, "modules")
	modules := slices.DeleteFunc(signer.Modules(), func(module common.Address) bool {
		return c.enabledRecently(moduleKey{account: account, module: module})
	})
	if len(modules) == 0 {
		return nil
	}
	enabled, err := c.Account(account).modulesEnabled(ctx, modules...)
	if err != nil {
		return c.orTakenBack(ctx, signer.Sessions(), err)
	}
	var missing []string
	grant, risk := "a grant", ""
	for i, module := range modules {
		key := moduleKey{account: account, module: module}
		if enabled[i] {
			c.enabledAt.store(key, time.Now())
			continue
		}
		c.enabledAt.delete(key)
		name := "session key manager"
		if module == c.contracts.Session.Router {
			name, grant = "batched session router", "a grant with ForBatches"
			risk = "; while the router is enabled, anybody can burn the account's balance and deposit as gas: without it, each call is sent apart"
		}
		missing = append(missing, name+" "+module.Hex())
	}
	if missing != nil {
		err := fmt.Errorf("%w: %s on account %s; its owner enables what is missing with %s, or with EnableModule%s", ErrModuleNotEnabled, strings.Join(missing, " and "), account, grant, risk)
		return c.orTakenBack(ctx, signer.Sessions(), err)
	}
	return nil
}

// modulesEnabled reports which of the modules the account listens to. For an account without code the error
// matches [ErrNotDeployed].
func (a *Account) modulesEnabled(ctx context.Context, modules ...common.Address) ([]bool, error) {
	if len(modules) == 1 {
		enabled, err := a.isModuleEnabled(ctx, modules[0])
		return []bool{enabled}, err
	}
	reads := make([]contracts.Read, len(modules))
	for i, module := range modules {
		reads[i] = contracts.Read{To: a.address, Data: contracts.IsModuleEnabled(module)}
	}
	results, err := batchRead(ctx, a.client.chain, nil, reads...)
	if err != nil {
		return nil, fmt.Errorf("modules of account %s: %w", a.address, err)
	}
	enabled := make([]bool, len(modules))
	for i := range results {
		if !results[i].HasCode {
			return nil, a.notDeployedError()
		}
		if err := decodeResult(&results[i], "isModuleEnabled", into(&enabled[i], contracts.DecodeBool)); err != nil {
			return nil, fmt.Errorf("account %s: %w", a.address, err)
		}
	}
	return enabled, nil
}

// isModuleEnabled is [Account.modulesEnabled] for one, which needs no batched read.
func (a *Account) isModuleEnabled(ctx context.Context, module common.Address) (bool, error) {
	var data []byte
	var err error
	for t := node.Ask(ctx); t.Next(&err); {
		data, err = a.client.chain.CallContract(t.Context, callMsg(a.address, contracts.IsModuleEnabled(module)), nil)
	}
	if err != nil {
		return false, fmt.Errorf("isModuleEnabled(%s) of account %s: %w", module, a.address, err)
	}
	if len(data) == 0 {
		return false, a.notDeployedError()
	}
	enabled, err := contracts.DecodeBool(data)
	if err != nil {
		return false, fmt.Errorf("%w: isModuleEnabled of account %s: %w", ErrBadAnswer, a.address, err)
	}
	return enabled, nil
}

// sessionCheck is a draft's check that compares the signer's session with the store and the chain as they are
// then.
func (c *Client) sessionCheck(signer *session.Signer) func(context.Context) error {
	return func(ctx context.Context) error {
		c.observer.Note(ctx, "session")
		sess := signer.Sessions()
		within, loading := c.observer.Begin(ctx, observe.Load, observe.About{Account: sess.Ref().Account})
		defer loading.Left(within)
		err := sess.Refresh(within)
		if loading.End(within, observe.Result{Err: err}); err != nil {
			return fmt.Errorf("read session store again: %w", err)
		}
		err = sess.Confirm(ctx, identified{c}, c.freshness)
		if err == nil {
			return signer.Check()
		}
		if takenBack(err) { // and the account perhaps, which the change deployed
			return err
		}
		// An account without code has no root either; its absence is the better reason.
		account := c.Account(sess.Ref().Account)
		if deployed, unknown := account.hasCode(ctx); unknown == nil && !deployed {
			return account.notDeployedError()
		}
		return err
	}
}

// ownership is under what it is remembered that the owner may act, owned that this takes its being the owner.
func (o *OwnedAccount) ownership() (key moduleKey, owned bool) {
	key = moduleKey{account: o.address, module: o.active.Address}
	if _, owned = ability.Find[ownerSigner](o.active.Signer); owned {
		key.owner = o.owner.Address()
	}
	return key, owned
}

// checkOwnership returns an error if the account does not listen to the active module or belongs to someone
// else there. An account without code gets both with its first operation.
func (o *OwnedAccount) checkOwnership(ctx context.Context) error {
	o.client.observer.Note(ctx, "ownership")
	module := o.active.Address
	key, owned := o.ownership()
	if o.client.enabledRecently(key) {
		return nil
	}
	results, err := batchRead(ctx, o.client.chain, nil,
		contracts.Read{To: o.address, Data: contracts.IsModuleEnabled(module)},
		contracts.Read{To: module, Data: contracts.GetOwner(o.address), MaxAnswer: 2 * abi.WordSize})
	if err != nil {
		return fmt.Errorf("owner of account %s: %w", o.address, err)
	}
	if !results[0].HasCode {
		return nil
	}
	if err := o.checkEnabled(results[0]); err != nil {
		return err
	}
	if owned {
		if err := o.checkOwner(results[1]); err != nil {
			return err
		}
	}
	o.client.enabledAt.store(key, time.Now())
	return nil
}

func (o *OwnedAccount) checkEnabled(r contracts.ReadResult) error {
	var enabled bool
	if err := decodeResult(&r, "isModuleEnabled", into(&enabled, contracts.DecodeBool)); err != nil {
		return fmt.Errorf("account %s: %w", o.address, err)
	}
	if !enabled {
		return fmt.Errorf("%w: module %s on account %s; enable it, or sign through one that is with ActiveModule", ErrModuleNotEnabled, o.active.Address, o.address)
	}
	return nil
}

func (o *OwnedAccount) checkOwner(r contracts.ReadResult) error {
	owner, err := decodeOwner(&r)
	switch {
	case err != nil:
		return fmt.Errorf("module %s: %w", o.active.Address, err)
	case owner == (common.Address{}):
		return fmt.Errorf("%w: account %s has no owner at module %s; SetupAndEnableModule registers one", ErrWrongOwner, o.address, o.active.Address)
	case owner != o.owner.Address():
		return fmt.Errorf("%w: account %s belongs to %s at module %s, not to %s; connect the wallet that it belongs to, or name the account of this one", ErrWrongOwner, o.address, owner, o.active.Address, o.owner.Address())
	}
	return nil
}

// decodeOwner reads the answer of getOwner, zero for none: the module reverts for an account that it does not
// know, or whose owner renounced it.
func decodeOwner(r *contracts.ReadResult) (owner common.Address, err error) {
	if !r.OK && contracts.DecodeRevert(r.Data).Name == "NoOwnerRegisteredForSmartAccount" {
		return common.Address{}, nil
	}
	err = decodeResult(r, "getOwner", into(&owner, contracts.DecodeAddress))
	return owner, err
}
