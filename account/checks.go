package account

import (
	"context"
	"fmt"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/userop"
)

// identify asks the node, until it once answered right, which chain it serves.
func (c *Client) identify(ctx context.Context) error {
	if c.identified.Load() {
		return nil
	}
	id, err := c.chain.ChainID(ctx)
	if err != nil {
		return fmt.Errorf("chain ID of the node: %w", withoutURL(err))
	}
	if id.Cmp(new(big.Int).SetUint64(c.chainID)) != 0 {
		return fmt.Errorf("%w: the node serves chain %s, this client is for chain %d", userop.ErrWrongChain, id, c.chainID)
	}
	c.identified.Store(true)
	return nil
}

// moduleOf names a module on an account and, where it was looked at too, the account's owner there.
type moduleOf struct{ account, module, owner common.Address }

// lately reports whether the module was seen enabled, with that owner, as short ago as the chain need not
// be asked again.
func (c *Client) lately(key moduleOf) bool {
	at, ok := c.enabled.Load(key)
	return ok && time.Since(at.(time.Time)) < c.freshness
}

// requireModule returns an error matching [ErrModuleNotEnabled] unless the account listens to module.
func (c *Client) requireModule(ctx context.Context, account, module common.Address, name string) error {
	key := moduleOf{account: account, module: module}
	if c.lately(key) {
		return nil
	}
	enabled, err := c.Account(account).IsModuleEnabled(ctx, module)
	if err != nil {
		return err
	}
	if !enabled {
		c.enabled.Delete(key)
		return fmt.Errorf("%w: %s %s on account %s; its owner enables it with a grant", ErrModuleNotEnabled, name, module, account)
	}
	c.enabled.Store(key, time.Now())
	return nil
}

// checkSession compares the session with the store and the chain as they are now.
func (c *Client) checkSession(ctx context.Context, signer *session.Signer) error {
	sess := signer.Session()
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
		return account.notDeployed()
	}
	return err
}

// checkOwnership returns an error if the account does not listen to the active module or belongs to
// someone else there. An account without code gets both with its first operation.
func (o *OwnedAccount) checkOwnership(ctx context.Context) error {
	module := o.active.Address
	key := moduleOf{account: o.address, module: module}
	_, owned := o.active.Signer.(ownerSigner)
	if owned {
		key.owner = o.owner.Address()
	}
	if o.client.lately(key) {
		return nil
	}
	results, err := readAll(ctx, o.client.chain,
		contracts.Read{To: o.address, Data: contracts.IsModuleEnabled(module)},
		contracts.Read{To: module, Data: contracts.GetOwner(o.address), MaxAnswer: 2 * abi.WordSize})
	if err != nil {
		return fmt.Errorf("owner of account %s: %w", o.address, err)
	}
	if !results[0].HasCode {
		return nil
	}
	if err := o.judgeEnabled(results[0]); err != nil {
		return err
	}
	if owned {
		if err := o.judgeOwner(results[1]); err != nil {
			return err
		}
	}
	o.client.enabled.Store(key, time.Now())
	return nil
}

func (o *OwnedAccount) judgeEnabled(r contracts.ReadResult) error {
	var enabled bool
	if err := decode(&r, "isModuleEnabled", into(&enabled, contracts.DecodeBool)); err != nil {
		return fmt.Errorf("account %s: %w", o.address, err)
	}
	if !enabled {
		return fmt.Errorf("%w: module %s on account %s; enable it, or sign through one that is with ActiveModule", ErrModuleNotEnabled, o.active.Address, o.address)
	}
	return nil
}

func (o *OwnedAccount) judgeOwner(r contracts.ReadResult) error {
	owner, err := readOwner(&r)
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

// readOwner reads the answer of getOwner, zero for none: the module reverts for an account that it does
// not know, or whose owner renounced it.
func readOwner(r *contracts.ReadResult) (owner common.Address, err error) {
	if !r.OK && contracts.DecodeRevert(r.Data).Name == "NoOwnerRegisteredForSmartAccount" {
		return common.Address{}, nil
	}
	err = decode(r, "getOwner", into(&owner, contracts.DecodeAddress))
	return owner, err
}
