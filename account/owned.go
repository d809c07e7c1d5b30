package account

import (
	"context"
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/userop"
)

// OwnedAccount is a smart account with its owner at hand: it signs as the owner, deploys the account
// with its first operation, and grants and revokes sessions. It is safe for concurrent use.
type OwnedAccount struct {
	Account
	owner    Owner
	signer   ownerSigner
	initCode []byte
}

// OwnedOption changes which account of an owner [Client.OwnedAccount] returns.
type OwnedOption func(*owned)

type owned struct {
	index      uint64
	multichain bool
	address    *common.Address
}

// Index chooses among the accounts of one owner; 0 is the first.
func Index(index uint64) OwnedOption { return func(o *owned) { o.index = index } }

// Multichain makes the multichain module the account's ownership module. It decides the address.
func Multichain() OwnedOption { return func(o *owned) { o.multichain = true } }

// AtAddress names an account that is deployed already and whose address does not follow from its
// owner: one that changed hands, or that another factory made.
func AtAddress(address common.Address) OwnedOption {
	return func(o *owned) { o.address = &address }
}

// OwnedAccount returns the account of an owner, by default the one whose address the factory derives
// from the owner and the ECDSA ownership module. It does no I/O; the account need not be deployed.
func (c *Client) OwnedAccount(owner Owner, opts ...OwnedOption) *OwnedAccount {
	var o owned
	for _, opt := range opts {
		opt(&o)
	}
	module := c.contracts.ECDSA
	if o.multichain {
		module = c.contracts.Multichain
	}
	account := &OwnedAccount{owner: owner, signer: ownerSigner{owner: owner, module: module}}
	if o.address != nil {
		account.Account = Account{client: c, address: *o.address}
		return account
	}
	setup := abi.InitForSmartAccount(owner.Address())
	account.Account = Account{client: c, address: c.contracts.CounterfactualAddress(module, setup, o.index)}
	account.initCode = c.contracts.InitCode(module, setup, o.index)
	return account
}

// Owner returns the owner.
func (o *OwnedAccount) Owner() Owner { return o.owner }

// InitCode returns the code that deploys the account, nil for one named [AtAddress].
func (o *OwnedAccount) InitCode() []byte { return append([]byte(nil), o.initCode...) }

// Signer returns the owner's signer of operations.
func (o *OwnedAccount) Signer() userop.Signer { return o.signer }

// Send makes the account do calls in one operation, signed by the owner unless an option names
// another signer. An account without code is deployed with it.
func (o *OwnedAccount) Send(ctx context.Context, calls []Call, opts ...Option) (*userop.Pending, error) {
	draft, err := o.draft(calls, opts)
	if err != nil {
		return nil, err
	}
	return o.client.sender.Send(ctx, *draft)
}

// Build makes and signs the operation that [OwnedAccount.Send] would send.
func (o *OwnedAccount) Build(ctx context.Context, calls []Call, opts ...Option) (*userop.Operation, error) {
	draft, err := o.draft(calls, opts)
	if err != nil {
		return nil, err
	}
	return o.client.sender.Build(ctx, *draft)
}

func (o *OwnedAccount) draft(calls []Call, opts []Option) (*userop.Draft, error) {
	s, err := newSettings(opts)
	if err != nil {
		return nil, err
	}
	if s.leaves != nil || s.find != nil || s.signer != nil {
		return o.Account.draft(calls, opts)
	}
	if o.owner.Address() == (common.Address{}) {
		return nil, fmt.Errorf("%w: the owner of account %s has no key", ErrNoSigner, o.address)
	}
	s.signer = o.signer
	draft, err := o.client.newDraft(o.address, calls, s)
	if err != nil {
		return nil, err
	}
	draft.InitCode = o.initCodeIfNeeded
	return draft, nil
}

// initCodeIfNeeded is the init code of an account that may still be to be deployed.
func (o *OwnedAccount) initCodeIfNeeded(ctx context.Context) ([]byte, error) {
	deployed, err := o.Deployed(ctx)
	switch {
	case err != nil || deployed:
		return nil, err
	case o.initCode == nil:
		return nil, o.notDeployed()
	}
	return o.initCode, nil
}
