package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// Operation is a sent operation, as [Sessions.Activate] waits for it; *userop.Pending is one.
type Operation interface {
	Hash() common.Hash
	// Wait returns the receipt of an operation that was included and succeeded, or an error.
	Wait(ctx context.Context) (*userop.Receipt, error)
}

// rootPause is how long Activate waits before it asks a node again that lags behind the bundler's.
const rootPause = 100 * time.Millisecond

// Activate waits for the operation that changes the session root, makes the change final once the receipt is
// successful and the chain shows the new root, and returns the receipt, which is there whenever the error is
// nil. If the operation reverted or was dropped, the change is undone and that error returned. Any other
// error leaves the change pending for [Sessions.Reconcile]; a receipt beside it is that of an operation that
// was included. A change that was settled elsewhere meanwhile stays as it is; receipt and error are the
// operation's. The sessions need [WithChain]; those from a grant have it.
//
// Once a change was undone its operation must not be sent again ([userop.Sender.Resend]): it would set a root
// that the store does not know.
func (s *Sessions) Activate(ctx context.Context, op Operation) (*userop.Receipt, error) {
	if s.chain == nil {
		return nil, fmt.Errorf("%w: activate %s without a chain; open the sessions with WithChain", policy.ErrInvalid, s.ref)
	}
	if err := s.Refresh(ctx); err != nil {
		return nil, err
	}
	pending := s.Pending()
	if pending != nil && pending.OpHash != op.Hash() {
		return nil, fmt.Errorf("%w: %s waits for operation %s, not for %s", ErrPending, s.ref, pending.OpHash, op.Hash())
	}
	receipt, err := op.Wait(ctx)
	switch {
	case err == nil && receipt == nil:
		return nil, fmt.Errorf("%w: operation %s ended with neither a receipt nor an error", policy.ErrInvalid, op.Hash())
	case pending == nil: // settled already, by another process or by Reconcile
		return receipt, err
	case err != nil:
		return receipt, errors.Join(err, s.undoFailed(ctx, pending, err))
	}
	if err := s.awaitRoot(ctx, pending); err != nil {
		return receipt, err
	}
	return receipt, s.land(ctx, pending)
}

// undoFailed undoes the change if err says that its operation did not carry it out and never will: it
// reverted, or the bundler dropped it and the chain still shows the root of before.
func (s *Sessions) undoFailed(ctx context.Context, pending *PendingRoot, err error) error {
	var reverted *userop.RevertError
	switch {
	case errors.As(err, &reverted):
		return s.undo(ctx, pending)
	case errors.Is(err, userop.ErrDropped):
		root, unread := s.chain.SessionRoot(ctx, s.ref.Account)
		if unread == nil && root == s.Root() && root != pending.Root {
			return s.undo(ctx, pending)
		}
		return unread
	}
	return nil
}

// awaitRoot reads the chain's root until it is the pending one, or until another process has settled the
// change and perhaps made the next. A node that still shows the root of before is asked again until ctx ends;
// any other root is a mismatch.
func (s *Sessions) awaitRoot(ctx context.Context, pending *PendingRoot) error {
	before := s.Root()
	for {
		root, err := s.chain.SessionRoot(ctx, s.ref.Account)
		if err != nil {
			return fmt.Errorf("read session root of %s: %w", s.ref, err)
		}
		if root == pending.Root && s.confirm(root) == nil {
			return nil
		}
		if err := s.Refresh(ctx); err != nil {
			return err
		}
		switch {
		case !pending.same(s.Pending()):
			return nil
		case root != before:
			return newRootMismatch(s.ref, s.view.Load().state, root)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the operation landed, but the node does not show root %s yet: %w", pending.Root, ctx.Err())
		case <-time.After(rootPause):
		}
	}
}

// same reports whether other is the same change by the same operation.
func (p *PendingRoot) same(other *PendingRoot) bool {
	return other != nil && other.Root == p.Root && other.OpHash == p.OpHash
}

// land makes the pending change final.
func (s *Sessions) land(ctx context.Context, pending *PendingRoot) error {
	return s.settle(ctx, pending, (*State).landed)
}

// undo undoes the pending change.
func (s *Sessions) undo(ctx context.Context, pending *PendingRoot) error {
	return s.settle(ctx, pending, (*State).undone)
}

// settle makes the change that ends the pending one. Another process may have settled it meanwhile, and
// another operation may have begun the same change anew: that is left alone.
func (s *Sessions) settle(ctx context.Context, pending *PendingRoot, end func(*State) *Change) error {
	for range maxRetries {
		state, err := s.store.Load(ctx, s.ref)
		if err != nil {
			return err
		}
		if !pending.same(state.Pending) {
			return s.Refresh(ctx)
		}
		_, err = s.store.Apply(ctx, s.ref, state.Version, end(state))
		if errors.Is(err, ErrConflict) {
			continue
		}
		if err != nil {
			return fmt.Errorf("settle session root of %s: %w", s.ref, err)
		}
		return s.Refresh(ctx)
	}
	return fmt.Errorf("%w: it changed %d times while settling %s", ErrConflict, maxRetries, s.ref)
}

// landed is the change that makes the pending root the stored one.
func (s *State) landed() *Change {
	enters, leaves := set(s.Pending.Add), set(s.Pending.Remove)
	c := &Change{Header: Header{Root: s.Pending.Root}}
	for i := range s.Leaves {
		l := s.Leaves[i].Clone()
		switch {
		case enters[l.ID]:
			l.InTree = true
			if l.Status == StatusPending {
				l.Status = StatusActive
			}
		case leaves[l.ID]:
			l.InTree = false
		case l.InTree && l.Status == StatusPending:
			l.Status = StatusActive // written by another SDK, and now vouched for by the chain
		default:
			continue
		}
		c.Put = append(c.Put, l)
	}
	return c
}

// undone is the change that forgets the pending root. Leaves it added are deleted; one that was revoked
// meanwhile stays as a tombstone, and so do those it was to revoke.
func (s *State) undone() *Change {
	enters := set(s.Pending.Add)
	c := &Change{Header: s.Header.clone()}
	c.Header.Pending = nil
	for i := range s.Leaves {
		if l := &s.Leaves[i]; enters[l.ID] && l.Status == StatusPending {
			c.Delete = append(c.Delete, l.ID)
		}
	}
	return c
}

// Reconcile settles by the chain what a crash or an unfinished wait left open, and compares the roots:
//
//   - the chain shows the pending root: the change is made final;
//   - the chain shows the stored root, and the operation's nonce is used up: it failed, and the change is
//     undone;
//   - the chain shows the stored root, and the operation may still land: an error matching [ErrPending];
//   - any other root: a [*RootMismatch], and the store stays as it is.
//
// The sessions need [WithChain].
func (s *Sessions) Reconcile(ctx context.Context) error {
	if s.chain == nil {
		return fmt.Errorf("%w: reconcile %s without a chain; open the sessions with WithChain", policy.ErrInvalid, s.ref)
	}
	if err := s.Refresh(ctx); err != nil {
		return err
	}
	return s.compare(ctx, func() error { return s.reconcile(ctx) })
}

func (s *Sessions) reconcile(ctx context.Context) error {
	root, pending, err := s.readChain(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("reconcile %s: %w", s.ref, err)
	case pending == nil:
		if err := s.confirm(root); err != nil {
			return err
		}
		return s.activateInTree(ctx, root)
	case root == pending.Root:
		return s.land(ctx, pending)
	case root == s.Root():
		return s.undo(ctx, pending)
	}
	return newRootMismatch(s.ref, s.view.Load().state, root)
}

// Abandon undoes the pending change without asking the chain: for an operation that its bundler dropped. If
// it lands all the same, the chain has a root that the store does not know.
func (s *Sessions) Abandon(ctx context.Context) error {
	if err := s.Refresh(ctx); err != nil {
		return err
	}
	if pending := s.Pending(); pending != nil {
		return s.undo(ctx, pending)
	}
	return nil
}

// readChain reads the root and, if a change is pending, whether its operation can still set the new one.
func (s *Sessions) readChain(ctx context.Context) (root common.Hash, pending *PendingRoot, err error) {
	if pending = s.Pending(); pending == nil {
		root, err = s.chain.SessionRoot(ctx, s.ref.Account)
		return root, nil, err
	}
	root, used, err := s.chain.SessionRootAndNonce(ctx, s.ref.Account, &pending.Nonce)
	if err == nil && !used && root == s.Root() && root != pending.Root {
		err = fmt.Errorf("%w: operation %s has not landed yet; wait for it, or Abandon the change if its bundler dropped it", ErrPending, pending.OpHash)
	}
	return root, pending, err
}

// activateInTree makes leaves active that another SDK wrote as pending and whose root the chain shows.
func (s *Sessions) activateInTree(ctx context.Context, root common.Hash) error {
	state := s.view.Load().state
	change := &Change{Header: state.Header}
	for i := range state.Leaves {
		if l := state.Leaves[i].Clone(); l.InTree && l.Status == StatusPending {
			l.Status = StatusActive
			change.Put = append(change.Put, l)
		}
	}
	if len(change.Put) == 0 || root != state.Root {
		return nil
	}
	if _, err := s.store.Apply(ctx, s.ref, state.Version, change); err != nil {
		return fmt.Errorf("reconcile %s: %w", s.ref, err)
	}
	return s.Refresh(ctx)
}
