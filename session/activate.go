package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/session/internal/moment"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// Operation is a sent operation, as [Sessions.Activate] waits for it; *userop.Pending is one.
type Operation interface {
	Hash() common.Hash
	// Wait returns the receipt of an operation that was included and succeeded, or an error.
	Wait(ctx context.Context, opts ...userop.WaitOption) (*userop.Receipt, error)
}

const (
	// rootPause is how long Activate waits before it asks a node again that lags behind the bundler's.
	rootPause = 100 * time.Millisecond
	// rootWait is how long it does so where its context has no deadline: the chain may have gone back since,
	// and the receipt be one of before.
	rootWait = time.Minute
)

// Activate waits for the operation that changes the session root, makes the change final once the receipt is
// successful and the chain shows the new root, and returns the receipt, which is there whenever the error is
// nil. A wait that ends with an error is no verdict, whatever a bundler says: the change is then settled as
// by [Sessions.Reconcile] if the chain shows what became of it, and the wait's error returned. Otherwise it
// stays pending for [Sessions.Reconcile]; a receipt beside an error is that of an operation that was
// included. A change that was settled elsewhere meanwhile stays as it is; receipt and error are the
// operation's, or the error matches [ErrConflict] where that was for another root, which is not the one that
// the change made. The options are the wait's: a change that is made final for a receipt with n confirmations
// ([userop.Confirmations]) stands after a reorg that is shallower. The sessions need [WithChain]; those from
// a grant have it.
func (s *Sessions) Activate(ctx context.Context, op Operation, opts ...userop.WaitOption) (*userop.Receipt, error) {
	if s.chain == nil {
		return nil, fmt.Errorf("%w: activate %s without a chain; open the sessions with WithChain", policy.ErrInvalid, s.ref)
	}
	if err := s.Refresh(ctx); err != nil {
		return nil, err
	}
	pending := s.Pending()
	if pending != nil && pending.OpHash != op.Hash() && !s.carriedOn(pending, op) {
		return nil, fmt.Errorf("%w: %s waits for operation %s, not for %s", ErrPending, s.ref, pending.OpHash, op.Hash())
	}
	receipt, err := op.Wait(ctx, opts...)
	switch {
	case err == nil && receipt == nil:
		return nil, fmt.Errorf("%w: operation %s ended with neither a receipt nor an error", policy.ErrInvalid, op.Hash())
	case pending == nil: // settled already, by another process or by Reconcile
		return receipt, err
	case err != nil:
		return receipt, errors.Join(err, s.settleFailed(ctx, pending))
	}
	if err := s.awaitRoot(ctx, pending); err != nil {
		return receipt, err
	}
	if err := s.land(ctx, pending); err != nil {
		return receipt, err
	}
	return receipt, s.stands(pending)
}

// stands returns an error matching [ErrConflict] if another process has settled the change, whose operation
// landed, beside a root that was set after it and has none of what the change granted, or what it took out.
func (s *Sessions) stands(pending *PendingRoot) error {
	v := s.view.Load()
	since := func(without, id, way string) error {
		return fmt.Errorf("%w: operation %s landed, and another root of %s was set since, %s session %q; %s", ErrConflict, pending.OpHash, s.ref, without, id, way)
	}
	for _, id := range pending.Add {
		switch leaf := v.leaf(id); {
		case leaf == nil:
			return since("without", id, "grant it again")
		case !leaf.InTree && leaf.StatusAt(s.now()) == StatusActive:
			return since("without", id, "have the owner Restore it")
		}
	}
	if v.header.Pending != nil { // which may take it out
		return nil
	}
	for _, id := range pending.Remove {
		if leaf := v.leaf(id); leaf != nil && leaf.InTree && leaf.Status == StatusRevoked {
			return since("with", id, "revoke it again")
		}
	}
	return nil
}

// carriedOn reports whether the change waits for an operation that took the place of op, or whose place op
// took: they have one nonce and set one root, and op tells of whichever lands.
func (s *Sessions) carriedOn(pending *PendingRoot, op Operation) bool {
	known, ok := op.(interface{ Operations() []*userop.Operation })
	if !ok {
		return false
	}
	entryPoint := s.deployment().EntryPoint
	return slices.ContainsFunc(known.Operations(), func(other *userop.Operation) bool {
		return other.Hash(entryPoint, s.ref.ChainID) == pending.OpHash
	})
}

// settleFailed settles the change if the chain shows what became of it. That its operation may still land is
// no error here, beside the one that the wait ended with.
func (s *Sessions) settleFailed(ctx context.Context, pending *PendingRoot) error {
	if ctx.Err() != nil {
		return nil
	}
	err := s.compare(ctx, func() error {
		seen, err := s.chain.SessionRootAndNonce(ctx, s.ref.Account, &pending.Nonce)
		if err != nil {
			return fmt.Errorf("read session root of %s: %w", s.ref, err)
		}
		return s.settleBy(ctx, pending, seen)
	})
	if errors.Is(err, ErrPending) {
		return nil
	}
	return err
}

// settleBy settles the change by what the chain shows, or returns an error matching [ErrPending] if its
// operation may still land.
func (s *Sessions) settleBy(ctx context.Context, pending *PendingRoot, seen OnChain) error {
	below := s.view.Load().header.takenBack(seen.Root)
	switch {
	case seen.Root == pending.Root && (seen.NonceUsed || below == nil && seen.Root != s.Root()):
		return s.land(ctx, pending)
	case below != nil:
		return s.settleAbove(ctx, pending, seen, below)
	case seen.Root != s.Root():
		return newRootMismatch(s.ref, s.view.Load().state(), seen.Root)
	case seen.NonceUsed || pending.over(seen.BlockTime):
		return s.undo(ctx, pending)
	}
	return pending.unsettled()
}

// over reports whether no block after one of that time can include the operation.
func (p *PendingRoot) over(blockTime uint64) bool { return p.Until != 0 && blockTime > p.Until }

// unsettled says what to do about an operation that may still land.
func (p *PendingRoot) unsettled() error {
	way := "have account.Account's Reconcile send it again, or have the owner replace or cancel it (account.OwnedAccount), which takes its nonce " + p.Nonce.Hex() + ", and Reconcile"
	if p.Operation == nil {
		way = "its bytes were not kept: have the owner use its nonce " + p.Nonce.Hex() + " for another operation (account.WithNonce), and Reconcile"
	}
	return fmt.Errorf("%w: operation %s has not landed yet, and may; wait for it; %s%s", ErrPending, p.OpHash, p.end(), way)
}

// awaitRoot reads the chain's root until it is the pending one, or until another process has settled the
// change and perhaps made the next. A node that still shows a root of before is asked again until ctx ends,
// or for rootWait; any other root is a mismatch.
func (s *Sessions) awaitRoot(ctx context.Context, pending *PendingRoot) error {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, rootWait)
		defer cancel()
	}
	before := &s.view.Load().header
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
		case root != before.Root && before.takenBack(root) == nil:
			return newRootMismatch(s.ref, s.view.Load().state(), root)
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

// carries reports whether other is the same change, by the same operation or one with its nonce.
func (p *PendingRoot) carries(other *PendingRoot) bool {
	return other != nil && other.Root == p.Root && other.Nonce == p.Nonce
}

// land makes the pending change final. Another operation may carry it by now: the chain shows its root.
func (s *Sessions) land(ctx context.Context, pending *PendingRoot) error {
	return s.settle(ctx, pending, (*PendingRoot).carries, (*State).landed)
}

// undo undoes the pending change.
func (s *Sessions) undo(ctx context.Context, pending *PendingRoot) error {
	return s.settle(ctx, pending, (*PendingRoot).same, (*State).undone)
}

// settle makes the change that ends the pending one. Another process may have settled it meanwhile, and
// another operation may have begun the same change anew, which is left alone: is says which one is meant.
func (s *Sessions) settle(ctx context.Context, pending *PendingRoot, is func(pending, stored *PendingRoot) bool, end func(*State) *Change) error {
	for range maxRetries {
		state, err := s.store.Load(ctx, s.ref)
		if err != nil {
			return err
		}
		if !is(pending, state.Pending) {
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
	enters, leaves, before := set(s.Pending.Add), set(s.Pending.Remove), s.Header.clone()
	landed := &LandedRoot{Before: before.Root, Order: before.Order, Change: *before.Pending}
	c := &Change{Header: Header{Root: before.Pending.Root, Landed: landed}}
	for i := range s.Leaves {
		l := s.Leaves[i].Clone()
		switch {
		case enters[l.ID]:
			l.InTree = true
			if l.Status == StatusPending {
				l.Status = StatusActive
				landed.Activated = append(landed.Activated, l.ID)
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

// Reconcile settles by the chain what a crash or an unfinished wait left open, and compares the roots. The
// first of these that holds:
//
//   - the chain shows the pending root, and did not before, or has the operation's nonce used up: the change
//     is made final;
//   - the chain shows the stored root, and the operation's nonce is used up or its window over by the time of
//     the block: it failed, and the change is undone;
//   - the chain shows the stored root, and the operation may still land: an error matching [ErrPending];
//   - the chain shows the root from before the last change that landed, whose operation's nonce is free
//     there: the chain took it back. The change is made pending again, as it was, and settled as above. What
//     was revoked stays revoked. A change that waits on top of it is settled first;
//   - any other root: a [*RootMismatch], and the store stays as it is; see [Sessions.Abandon].
//
// Nothing else ends a change, neither a bundler's word nor this machine's clock. One whose operation never
// lands is ended on chain: the owner cancels it (account.OwnedAccount's Cancel), or uses its nonce for
// another operation, and Reconcile undoes it; Replace sends it with higher fees. Nothing is sent here:
// account.Account's Reconcile sends the stored operation again. A node that lags behind does no harm: a
// change that was made pending for its sake is final again once the chain shows its root, to whoever looks
// next.
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

// Abandon is [Sessions.Reconcile] that goes one step further: a change that waits while the chain shows a
// root that the store does not know is undone, if the operation's nonce is used up there, or its window over
// by the time of the block. It may have landed before that other root was set; its sessions are forgotten all
// the same, and granted again if they are wanted. What it revoked stays revoked. An operation that may still
// land is an error matching [ErrPending]: the owner cancels it first.
//
// It is for who is about to have something else in the place of that root: a document, as [Sessions.Adopt],
// which calls it, or another root, as account.ReplaceRoot.
func (s *Sessions) Abandon(ctx context.Context) error {
	err := s.Reconcile(ctx)
	mismatch, ok := errors.AsType[*RootMismatch](err)
	pending := s.Pending()
	if !ok || pending == nil || mismatch.Chain == nil || mismatch.TakenBack != (common.Hash{}) {
		return err
	}
	seen, readErr := s.chain.SessionRootAndNonce(ctx, s.ref.Account, &pending.Nonce)
	switch {
	case readErr != nil:
		return fmt.Errorf("read session root of %s: %w", s.ref, readErr)
	case seen.Root != *mismatch.Chain, seen.Root == pending.Root:
		return err // of a state that has changed meanwhile
	case !seen.NonceUsed && !pending.over(seen.BlockTime):
		return pending.inTheWay(seen.Root)
	}
	return s.undo(ctx, pending)
}

// inTheWay says what to do about an operation that may still land beside a root that the store does not know.
func (p *PendingRoot) inTheWay(root common.Hash) error {
	way := "have the owner cancel it first (account.OwnedAccount), which takes its nonce " + p.Nonce.Hex()
	if p.Operation == nil {
		way = "its bytes were not kept: have the owner use its nonce " + p.Nonce.Hex() + " for another operation first (account.WithNonce)"
	}
	return fmt.Errorf("%w: operation %s has not landed yet, and may, in the place of root %s, which the store does not know; %s%s", ErrPending, p.OpHash, root, p.end(), way)
}

// end says until when the operation can land, if that has an end.
func (p *PendingRoot) end() string {
	if p.Until == 0 {
		return ""
	}
	return "it cannot any more in a block later than " + moment.Format(p.Until) + "; "
}

func (s *Sessions) reconcile(ctx context.Context) error {
	if pending := s.Pending(); pending != nil {
		seen, err := s.chain.SessionRootAndNonce(ctx, s.ref.Account, &pending.Nonce)
		if err != nil {
			return fmt.Errorf("reconcile %s: %w", s.ref, err)
		}
		return s.settleBy(ctx, pending, seen)
	}
	root, err := s.chain.SessionRoot(ctx, s.ref.Account)
	if err != nil {
		return fmt.Errorf("reconcile %s: %w", s.ref, err)
	}
	err = s.compareRoot(ctx, s.chain, root)
	if mismatch, ok := errors.AsType[*RootMismatch](err); ok && mismatch.TakenBack != (common.Hash{}) {
		return s.reopen(ctx, mismatch)
	}
	if err != nil {
		return err
	}
	return s.activateInTree(ctx, s.view.Load().onChain.root)
}

// activateInTree makes leaves active that another SDK wrote as pending and whose root the chain shows.
func (s *Sessions) activateInTree(ctx context.Context, root common.Hash) error {
	state := s.view.Load().state()
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
