package session

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-sesame/sesame/session/policy"
)

// maxSuspendTries bounds how often Suspend starts anew because the store changed under it. Stopping a key is
// not to lose to whoever is busy.
const maxSuspendTries = 1000

// Suspend stops the sessions of those IDs: they are stored as revoked, and no process that shares the store
// signs with them from then on. It is one compare-and-set, made again if another change was quicker; it asks
// no chain, bundler or signer, touches no tree and no change that waits for the chain. Beside a grant that is
// under way it stops what is being granted.
//
// It is final here: nothing makes a suspended session sign again, whatever becomes of the operation that
// grants or revokes it. On chain the leaf still stands (see [Leaf.Standing]) until the owner's revocation
// lands, which an account.OwnedAccount's Revoke sends.
//
// A session that is revoked already stays so. An ID that the account does not have is an error matching
// [ErrNoLeaf] that names it; the others are suspended all the same. No ID is an error: see
// [Sessions.SuspendAll].
func (s *Sessions) Suspend(ctx context.Context, ids ...string) error {
	if len(ids) == 0 {
		return fmt.Errorf("%w: suspend no session of %s; SuspendAll suspends all", policy.ErrInvalid, s.ref)
	}
	return s.suspend(ctx, ids)
}

// Suspend is [Sessions.Suspend] for who has no sessions open, as where [Open] finds that the store does not
// fit its leaves, or where its chain does not answer.
func Suspend(ctx context.Context, store Store, ref Ref, ids ...string) error {
	s, err := newSessions(store, ref, nil)
	if err != nil {
		return err
	}
	s.view.Store(emptyView())
	return s.Suspend(ctx, ids...)
}

// SuspendAll is [Sessions.Suspend] for every session that the store has at that moment, if there is any.
func (s *Sessions) SuspendAll(ctx context.Context) error {
	err := s.suspend(ctx, nil)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// suspend suspends all sessions where no ID is given. The store is read without judging its trees: one that
// does not fit its leaves is no reason to go on signing.
func (s *Sessions) suspend(ctx context.Context, ids []string) error {
	for range maxSuspendTries {
		state, err := s.store.Load(ctx, s.ref)
		if err != nil {
			return fmt.Errorf("suspend sessions: %w", err)
		}
		change := state.suspended(ids)
		if len(change.Put) > 0 {
			_, err = s.store.Apply(ctx, s.ref, state.Version, change)
		}
		if errors.Is(err, ErrConflict) {
			continue
		}
		if err != nil {
			return fmt.Errorf("suspend sessions of %s: %w", s.ref, err)
		}
		_ = s.Refresh(ctx) // what is stored counts: a view that stays behind is read again before it signs
		return s.missing(state, ids)
	}
	return fmt.Errorf("%w: it changed %d times while suspending sessions of %s; call Suspend again", ErrConflict, maxSuspendTries, s.ref)
}

// suspended is the change that revokes those leaves, all for no ID, and nothing else.
func (s *State) suspended(ids []string) *Change {
	c, wanted := &Change{Header: s.Header.clone()}, set(ids)
	for i := range s.Leaves {
		if leaf := &s.Leaves[i]; leaf.Status != StatusRevoked && (len(ids) == 0 || wanted[leaf.ID]) {
			tombstone := leaf.Clone()
			tombstone.Status = StatusRevoked
			c.Put = append(c.Put, tombstone)
		}
	}
	return c
}

// missing returns an error matching [ErrNoLeaf] for the IDs that the state does not have.
func (s *Sessions) missing(state *State, ids []string) error {
	known := make(map[string]bool, len(state.Leaves))
	for i := range state.Leaves {
		known[state.Leaves[i].ID] = true
	}
	var unknown []string
	for _, id := range ids {
		if !known[id] {
			unknown = append(unknown, fmt.Sprintf("%q", id))
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	others := ""
	if len(unknown) < len(ids) {
		others = "; the others are suspended"
	}
	return fmt.Errorf("%w: cannot suspend %s of %s, which has %s%s", ErrNoLeaf, strings.Join(unknown, ", "), s.ref, state.idList(), others)
}
