package session

import (
	"context"
	"fmt"

	"github.com/go-sesame/sesame/session/policy"
)

// Adopt makes the store believe what another backend's document says, if the chain shows the document's
// root. Sessions of the store that are not in the document stay there, outside the tree: they cannot be
// used until a [Sessions.PlanRestore] puts them back. Those that the document has as revoked never can. It
// needs a chain: open the sessions without [WithChain], since Open would refuse a root that the store does not
// know, and give them the chain with [Sessions.On].
//
// It settles a conflict of roots: adopt the other backend's document, restore what it left out, and hand
// the result back.
func (s *Sessions) Adopt(ctx context.Context, d *Document) error {
	if s.chain == nil {
		return fmt.Errorf("%w: adopt sessions of %s without a chain; give the sessions one with On", policy.ErrInvalid, s.ref)
	}
	if d.Ref() != s.ref {
		return fmt.Errorf("%w: a document of %s is not one of %s", policy.ErrInvalid, d.Ref(), s.ref)
	}
	if err := d.validate(); err != nil {
		return fmt.Errorf("adopt session document: %w", err)
	}
	root, err := s.chain.SessionRoot(ctx, s.ref.Account)
	if err != nil {
		return fmt.Errorf("read session root of %s: %w", s.ref, err)
	}
	if root != d.Root {
		return &RootMismatch{Ref: s.ref, Stored: d.Root, Leaves: d.Root, Chain: &root}
	}
	if err := s.Refresh(ctx); err != nil {
		return err
	}
	state := s.view.Load().state
	if state.Pending != nil {
		return fmt.Errorf("%w: %s has a change that waits for operation %s; Abandon it first", ErrPending, s.ref, state.Pending.OpHash)
	}
	if err := s.apply(ctx, d.change(state, StatusActive)); err != nil {
		return fmt.Errorf("adopt session document: %w", err)
	}
	return s.confirm(root)
}

// PlanRestore decides on a root with the leaves that are in force but were left out of the account's
// tree, as after [Sessions.Adopt]; no ID means all of them. What another backend's document has as revoked is
// not in force.
func (s *Sessions) PlanRestore(ids ...string) (*RootChange, error) {
	state, now := s.view.Load().state, s.now()
	wanted := set(ids)
	var restore []Leaf
	for i := range state.Leaves {
		leaf := &state.Leaves[i]
		if len(ids) > 0 && !wanted[leaf.ID] {
			continue
		}
		delete(wanted, leaf.ID)
		if !leaf.InTree && leaf.StatusAt(now) == StatusActive {
			restore = append(restore, leaf.Clone())
		} else if len(ids) > 0 {
			why := "in the tree already"
			if !leaf.InTree {
				why = leaf.StatusAt(now).String()
			}
			return nil, fmt.Errorf("%w: %s is %s; only a session in force that was left out can be restored", policy.ErrInvalid, leaf.name(), why)
		}
	}
	for id := range wanted {
		return nil, fmt.Errorf("%w: cannot restore %q of %s", ErrNoLeaf, id, s.ref)
	}
	if len(restore) == 0 {
		return nil, fmt.Errorf("%w: no session of %s is left out of the tree", ErrNoLeaf, s.ref)
	}
	return s.plan(restore, nil)
}

// apply changes the store from the version of the view.
func (s *Sessions) apply(ctx context.Context, c *Change) error {
	if _, err := s.store.Apply(ctx, s.ref, s.view.Load().state.Version, c); err != nil {
		return err
	}
	return s.Refresh(ctx)
}
