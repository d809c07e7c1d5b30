package account

import (
	"context"
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/userop"
)

// Module is a validation module of an account together with who signs for it. [Client.ECDSAModule] and
// [Client.MultichainModule] make those of the two ownership modules; one of another kind is put together
// by its user.
type Module struct {
	// Address is the module's contract.
	Address common.Address
	// Setup is the calldata with which an account registers at the module, and whose result is the
	// module's address. Together with Address it decides the address of a new account; a module that is
	// active only needs none.
	Setup []byte
	// Signer signs operations for the module. One that is a [MessageSigner] signs messages too.
	Signer userop.Signer
}

// ECDSAModule returns the ECDSA ownership module with this owner: the one accounts have by default.
func (c *Client) ECDSAModule(owner Owner) Module {
	return ownershipModule(c.contracts.ECDSA, owner)
}

// MultichainModule returns the multichain ownership module with this owner. One signature of the owner
// can be for operations on several chains; see [SendTogether].
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

// handover signs through the module that decided the account's address for the operation that deploys
// the account, since no other is enabled by then, and through the active module from then on.
type handover struct{ initial, active userop.Signer }

func (s handover) signer(op *userop.Operation) userop.Signer {
	if len(op.InitCode) > 0 {
		return s.initial
	}
	return s.active
}

// DummySignature implements [userop.Signer].
func (s handover) DummySignature(op *userop.Operation) ([]byte, error) {
	return s.signer(op).DummySignature(op)
}

// Sign implements [userop.Signer].
func (s handover) Sign(ctx context.Context, op *userop.Operation, hash common.Hash) ([]byte, error) {
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
	if s, ok := m.Signer.(ownerSigner); ok && s.owner.Address() == (common.Address{}) {
		return fmt.Errorf("%w: the owner has no key", ErrNoSigner)
	}
	return nil
}
