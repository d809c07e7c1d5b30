package account

import (
	"context"
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// TransferOwnership gives the account to another owner, in one operation: at every enabled ownership module,
// ECDSA and multichain, at which it is the owner's, so that none is left behind. The address stays: the new
// owner finds the account with [AtAddress], and this handle can do nothing more for it.
//
// Sessions outlive the transfer; revoke those that should not, before it. The zero address, the owner
// itself, the account, and addresses with code are refused before anything is signed.
func (o *OwnedAccount) TransferOwnership(ctx context.Context, to common.Address, opts ...Option) (*userop.Pending, error) {
	calls, err := o.planTransfer(ctx, to)
	if err != nil {
		return nil, fmt.Errorf("transfer account %s to %s: %w", o.address, to, err)
	}
	return o.Send(ctx, calls, opts...)
}

func (o *OwnedAccount) planTransfer(ctx context.Context, to common.Address) ([]Call, error) {
	switch to {
	case common.Address{}:
		return nil, fmt.Errorf("%w: nobody has the zero address's key", policy.ErrInvalid)
	case o.address:
		return nil, fmt.Errorf("%w: an account cannot own itself", policy.ErrInvalid)
	case o.owner.Address():
		return nil, fmt.Errorf("%w: that is the owner already", policy.ErrInvalid)
	}
	state, results, err := o.prospect(ctx, contracts.Read{To: to})
	if err != nil {
		return nil, err
	}
	if results[0].HasCode {
		return nil, fmt.Errorf("%w: there is code at that address, and the ownership modules take keys only", policy.ErrInvalid)
	}
	var calls []Call
	for _, at := range state.Owners {
		if at.Owner == o.owner.Address() {
			calls = append(calls, Call{To: at.Module, Data: contracts.TransferOwnership(to)})
		}
	}
	if len(calls) == 0 {
		return nil, fmt.Errorf("%w: %s owns it at none of its modules %v", ErrWrongOwner, o.owner.Address(), state.Modules)
	}
	return calls, nil
}
