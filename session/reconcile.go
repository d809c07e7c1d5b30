package session

import (
	"context"
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/session/policy"
)

// Reconcile settles by the chain what a crash or an unfinished wait left open, and compares the roots:
//
//   - the chain shows the pending root: the change is made final;
//   - the chain shows the stored root, and the operation's nonce is used up: it failed, and the change
//     is undone;
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
	root, pending, err := s.fate(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("reconcile %s: %w", s.ref, err)
	case pending == nil:
		if err := s.confirm(root); err != nil {
			return err
		}
		return s.activateSeen(ctx, root)
	case root == pending.Root:
		return s.land(ctx, pending)
	case root == s.Root():
		return s.undo(ctx, pending)
	}
	return newRootMismatch(s.ref, s.view.Load().state, root)
}

// Abandon undoes the pending change without asking the chain: for an operation that its bundler
// dropped. If it lands all the same, the chain has a root that the store does not know.
func (s *Sessions) Abandon(ctx context.Context) error {
	if err := s.Refresh(ctx); err != nil {
		return err
	}
	if pending := s.Pending(); pending != nil {
		return s.undo(ctx, pending)
	}
	return nil
}

// fate reads the root and, if a change is pending, whether its operation can still set the new one.
func (s *Sessions) fate(ctx context.Context) (root common.Hash, pending *PendingRoot, err error) {
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

// activateSeen makes leaves active that another SDK wrote as pending and whose root the chain shows.
func (s *Sessions) activateSeen(ctx context.Context, root common.Hash) error {
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
