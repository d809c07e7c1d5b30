package session

import (
	"context"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
)

// A chain that reorganises may take back the block in which a change of the root landed. The store then has a
// root that the chain does not, and the operation, whose nonce is free again, may land once more. A node that
// lags behind shows the same for a moment, so whoever signs only says so. Who settles changes makes this one
// pending again: it loses nothing by that, since it is final again where the chain shows its root.

// takenBack returns the last change that landed if root is the one from before it, nil otherwise.
func (h *Header) takenBack(root common.Hash) *LandedRoot {
	if l := h.Landed; l != nil && l.Change.Root == h.Root && l.Before == root && root != h.Root {
		return l
	}
	return nil
}

// compareRoot compares the root that the chain showed with the store's. The one from before the last change
// is read again beside the nonce of that change's operation: where that is used, something else has set the
// root again.
func (s *Sessions) compareRoot(ctx context.Context, chain Chain, root common.Hash) error {
	err := s.confirm(root)
	landed := s.view.Load().header.takenBack(root)
	if err == nil || landed == nil {
		return err
	}
	seen, err := chain.SessionRootAndNonce(ctx, s.ref.Account, &landed.Change.Nonce)
	if err != nil {
		return fmt.Errorf("read session root of %s: %w", s.ref, err)
	}
	err = s.confirm(seen.Root)
	if mismatch, ok := errors.AsType[*RootMismatch](err); ok && seen.Root == root && !seen.NonceUsed {
		mismatch.TakenBack = landed.Change.OpHash
	}
	return err
}

// reopen makes the change pending again that the chain took back, and settles it as one that is.
func (s *Sessions) reopen(ctx context.Context, mismatch *RootMismatch) error {
	for range maxRetries {
		state, err := s.store.Load(ctx, s.ref)
		if err != nil {
			return err
		}
		landed := state.takenBack(*mismatch.Chain)
		if state.Pending != nil || landed == nil || landed.Change.OpHash != mismatch.TakenBack {
			return mismatch // of a state that has changed meanwhile
		}
		change, err := state.reopened(s.ref)
		if err == nil {
			_, err = s.store.Apply(ctx, s.ref, state.Version, change)
		}
		if errors.Is(err, ErrConflict) {
			continue
		}
		if err == nil {
			err = s.Refresh(ctx)
		}
		if err != nil {
			return fmt.Errorf("go back by one session root of %s: %w", s.ref, err)
		}
		_ = s.confirm(*mismatch.Chain) // what the chain showed before is not to be signed under
		return s.reconcile(ctx)
	}
	return fmt.Errorf("%w: it changed %d times while going back by one session root of %s", ErrConflict, maxRetries, s.ref)
}

// reopened is the change that makes the last one that landed pending again: what that added is out of the
// tree, what it removed is in it, and whatever was revoked, then or since, stays so.
func (s *State) reopened(ref Ref) (*Change, error) {
	before, landed := s.Clone(), s.Landed.clone()
	before.Header = Header{Root: landed.Before, Order: landed.Order, Pending: &landed.Change}
	enters, leaves, activated := set(landed.Change.Add), set(landed.Change.Remove), set(landed.Activated)
	c := &Change{Header: before.Header.clone()}
	for i := range before.Leaves {
		l := &before.Leaves[i]
		switch {
		case enters[l.ID]:
			l.InTree = false
			if activated[l.ID] && l.Status == StatusActive {
				l.Status = StatusPending
			}
		case leaves[l.ID]:
			l.InTree = true
		default:
			continue
		}
		c.Put = append(c.Put, l.Clone())
	}
	_, err := newView(ref, before) // whose leaves hash to the two roots, or are not those of then
	return c, err
}

// settleAbove settles a change that waits while the chain shows the root from before the last one that
// landed. The one that waits may land all the same, or after that was sent again; once it never will, it is
// undone, and the one below it made pending instead.
func (s *Sessions) settleAbove(ctx context.Context, pending *PendingRoot, seen OnChain, below *LandedRoot) error {
	again, err := s.chain.SessionRootAndNonce(ctx, s.ref.Account, &below.Change.Nonce)
	mismatch := newRootMismatch(s.ref, s.view.Load().state(), seen.Root)
	switch {
	case err != nil:
		return fmt.Errorf("read session root of %s: %w", s.ref, err)
	case again.Root != seen.Root:
		return pending.unsettled()
	case again.NonceUsed && seen.Root == pending.Root:
		return s.land(ctx, pending)
	case again.NonceUsed:
		return mismatch
	case !seen.NonceUsed && !pending.over(seen.BlockTime):
		mismatch.TakenBack = below.Change.OpHash
		return mismatch
	}
	if err := s.undo(ctx, pending); err != nil {
		return err
	}
	return s.reconcile(ctx)
}
