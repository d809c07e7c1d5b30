package account

import (
	"context"
	"fmt"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/ability"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/userop"
)

// checkChainID asks the node, until it once answered right, which chain it serves.
func (c *Client) checkChainID(ctx context.Context) error {
	if c.chainIDChecked.Load() {
		return nil
	}
	id, err := c.chain.ChainID(ctx)
	if err != nil {
		return fmt.Errorf("chain ID of the node: %w", withoutURL(err))
	}
	if id.Cmp(new(big.Int).SetUint64(c.chainID)) != 0 {
		return fmt.Errorf("%w: the node serves chain %s, this client is for chain %d", userop.ErrWrongChain, id, c.chainID)
	}
	c.chainIDChecked.Store(true)
	return nil
}

// moduleKey names a module on an account and, where it was looked at too, the account's owner there.
type moduleKey struct{ account, module, owner common.Address }

// enabledRecently reports whether the module was seen enabled, with that owner, so recently that the chain
// need not be asked again.
func (c *Client) enabledRecently(key moduleKey) bool {
	at, ok := c.enabledAt.Load(key)
	return ok && time.Since(at.(time.Time)) < c.freshness
}

// requireModule returns an error matching [ErrModuleNotEnabled] unless the account listens to module.
func (c *Client) requireModule(ctx context.Context, account, module common.Address, name string) error {
	key := moduleKey{account: account, module: module}
	if c.enabledRecently(key) {
		return nil
	}
	enabled, err := c.Account(account).isModuleEnabled(ctx, module)
	if err != nil {
		return err
	}
	if !enabled {
		c.enabledAt.Delete(key)
		return fmt.Errorf("%w: %s %s on account %s; its owner enables it with a grant", ErrModuleNotEnabled, name, module, account)
	}
	c.enabledAt.Store(key, time.Now())
	return nil
}

// isModuleEnabled reports whether the account listens to a validation module. For an account without code the
// error matches [ErrNotDeployed].
func (a *Account) isModuleEnabled(ctx context.Context, module common.Address) (bool, error) {
	data, err := a.client.chain.CallContract(ctx, callMsg(a.address, contracts.IsModuleEnabled(module)), nil)
	if err != nil {
		return false, fmt.Errorf("isModuleEnabled(%s) of account %s: %w", module, a.address, withoutURL(err))
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
		sess := signer.Sessions()
		if err := sess.Refresh(ctx); err != nil {
			return fmt.Errorf("read session store again: %w", err)
		}
		err := sess.Confirm(ctx, c, c.freshness)
		if err == nil {
			return signer.Check()
		}
		// An account without code has no root either; its absence is the better reason.
		account := c.Account(sess.Ref().Account)
		if deployed, unknown := account.Deployed(ctx); unknown == nil && !deployed {
			return account.notDeployedError()
		}
		return err
	}
}

// checkOwnership returns an error if the account does not listen to the active module or belongs to someone
// else there. An account without code gets both with its first operation.
func (o *OwnedAccount) checkOwnership(ctx context.Context) error {
	module := o.active.Address
	key := moduleKey{account: o.address, module: module}
	_, owned := ability.Find[ownerSigner](o.active.Signer)
	if owned {
		key.owner = o.owner.Address()
	}
	if o.client.enabledRecently(key) {
		return nil
	}
	results, err := batchRead(ctx, o.client.chain,
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
	o.client.enabledAt.Store(key, time.Now())
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
		return fmt.Errorf("%w: account %s belongs to %s at module %s, not to %s", ErrWrongOwner, o.address, owner, o.active.Address, o.owner.Address())
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
