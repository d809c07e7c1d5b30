package session

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/session/seal"
)

// ImportOption changes how [Import] takes a document in. An [Option] is one: the sessions are opened with it.
type ImportOption interface{ apply(*importing) }

type importing struct {
	opts []Option
	aead seal.AEAD
}

// WithSealedKeys opens the document's keys and hands them to the keyring of the sessions.
func WithSealedKeys(aead seal.AEAD) ImportOption {
	return importOption(func(i *importing) { i.aead = aead })
}

// importOption is a function, so that no printer finds an AEAD in it.
type importOption func(*importing)

func (o importOption) apply(i *importing) { o(i) }

func (o Option) apply(i *importing) { i.opts = append(i.opts, o) }

// Import stores a document's sessions for an account that the store knows nothing of, or the same of. Leaves
// are pending until the account's root on chain was seen to be the document's: they can be used with a client
// at once, and [Sessions.Reconcile] makes them active. Of a store that has the same sessions, those that the
// document has as revoked are suspended. One that has other sessions of the account is an error matching
// [ErrConflict]; see [Sessions.Adopt]. One with a change that waits for the chain is one matching
// [ErrPending].
func Import(ctx context.Context, store Store, d *Document, opts ...ImportOption) (*Sessions, error) {
	var in importing
	for _, opt := range opts {
		if opt == nil {
			return nil, fmt.Errorf("%w: import session document: an option is nil", policy.ErrInvalid)
		}
		opt.apply(&in)
	}
	if err := d.validate(); err != nil {
		return nil, fmt.Errorf("import session document: %w", err)
	}
	sess, err := OpenOrNew(ctx, store, d.Ref(), in.opts...)
	if err != nil {
		return nil, err
	}
	state := sess.view.Load().state()
	if err := sess.settled(state); err != nil {
		return nil, fmt.Errorf("import session document: %w", err)
	}
	if len(state.Leaves) > 0 && state.Root != d.Root {
		return nil, fmt.Errorf("%w: the store has %d other sessions of %s; adopt the document if the chain shows its root", ErrConflict, len(state.Leaves), d.Ref())
	}
	// Keys first: a crash in between leaves a key without a leaf, never the other way round.
	if err := sess.importKeys(ctx, d, in.aead); err != nil {
		return nil, fmt.Errorf("import session document: %w", err)
	}
	change := d.change(state, StatusPending)
	if len(state.Leaves) > 0 {
		err = sess.suspendRevoked(ctx, change)
	} else {
		err = sess.apply(ctx, state.Version, change)
	}
	if err != nil {
		return nil, fmt.Errorf("import session document: %w", err)
	}
	return sess, nil
}

// suspendRevoked suspends what the change has as revoked.
func (s *Sessions) suspendRevoked(ctx context.Context, c *Change) error {
	var ids []string
	for i := range c.Put {
		if c.Put[i].Status == StatusRevoked {
			ids = append(ids, c.Put[i].ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	return s.suspend(ctx, ids)
}

func (s *Sessions) importKeys(ctx context.Context, d *Document, aead seal.AEAD) error {
	if aead == nil || len(d.Keys) == 0 {
		return nil
	}
	if s.keys == nil {
		return fmt.Errorf("%w: the store of %s keeps no keys; import with WithKeyring", ErrNoKey, s.ref)
	}
	for _, sealed := range d.Keys {
		key, err := seal.OpenKey(aead, sealed.Sealed, seal.AssociatedData(d.ChainID, d.Account, sealed.Address), sealed.Address)
		if err != nil {
			return err
		}
		_, err = importKey(ctx, s.keys, s.ref, key)
		key.Wipe()
		if err != nil {
			return err
		}
	}
	return nil
}

// change is what makes the document's tree the state's. Leaves that the state has already, by what they are
// on chain, keep their place, ID and tombstone; the others are appended with that status. Leaves that are not
// in the document leave the tree. Whatever the document has as revoked, in its tree or not, gets a tombstone.
func (d *Document) change(state *State, status Status) *Change {
	c := &Change{Header: Header{Root: d.Root}}
	known, taken := state.known()
	stays := make(map[int]bool)
	for i := range d.Leaves {
		leaf := d.Leaves[i].Clone()
		if same := known[leaf.Hash()]; len(same) > 0 {
			at := same[0]
			known[leaf.Hash()] = same[1:]
			stays[at] = true
			stopped := leaf.Status == StatusRevoked
			leaf = state.Leaves[at].Clone()
			if stopped { // there, and it is final
				leaf.Status = StatusRevoked
			}
		} else {
			for taken[leaf.ID] {
				leaf.ID += "'"
			}
			taken[leaf.ID] = true
			if leaf.Status != StatusRevoked {
				leaf.Status = status
			}
		}
		leaf.InTree = true
		c.Put = append(c.Put, leaf)
		c.Header.Order = append(c.Header.Order, leaf.ID)
	}
	c.Put = append(c.Put, d.leftOut(state, stays)...)
	if len(state.Leaves) == 0 || slices.Equal(c.Header.Order, inOrder(state, c)) {
		c.Header.Order = nil
	}
	return c
}

// leftOut returns the leaves, of those that do not stay, for which that is a change.
func (d *Document) leftOut(state *State, stays map[int]bool) (leaves []Leaf) {
	revoked := set(d.Revoked)
	for _, i := range state.positions(func(l *Leaf) bool { return l.InTree || l.Status != StatusRevoked }) {
		leaf := state.Leaves[i].Clone()
		ends := revoked[leaf.Hash()]
		if stays[i] || !leaf.InTree && !ends {
			continue
		}
		leaf.InTree = false
		if ends {
			leaf.Status = StatusRevoked
		}
		leaves = append(leaves, leaf)
	}
	return leaves
}

// known returns where the leaves of each hash stand, those in the tree first, and the IDs that are taken.
func (s *State) known() (at map[common.Hash][]int, taken map[string]bool) {
	at, taken = make(map[common.Hash][]int, len(s.Leaves)), make(map[string]bool, len(s.Leaves))
	positions := slices.Concat(s.positions(func(l *Leaf) bool { return l.InTree }), s.positions(func(l *Leaf) bool { return !l.InTree }))
	for _, i := range positions {
		leaf := &s.Leaves[i]
		hash := leaf.Hash()
		at[hash] = append(at[hash], i)
		taken[leaf.ID] = true
	}
	return at, taken
}

// inOrder returns the IDs of the tree after c, which deletes nothing, in the order of the store.
func inOrder(state *State, c *Change) (ids []string) {
	put := make(map[string]*Leaf, len(c.Put))
	for i := range c.Put {
		put[c.Put[i].ID] = &c.Put[i]
	}
	next := state.with(c.Put)
	for i := range next.Leaves {
		leaf := &next.Leaves[i]
		if changed, ok := put[leaf.ID]; ok {
			leaf = changed
		}
		if leaf.InTree {
			ids = append(ids, leaf.ID)
		}
	}
	return ids
}

// Adopt makes the store believe what another backend's document says, if the chain shows the document's root.
// Sessions of the store that are not in the document stay there, outside the tree: they cannot be used until
// a [Sessions.PlanRestore] puts them back. Those that the document has as revoked never can. It needs a
// chain: open the sessions without [WithChain], since Open would refuse a root that the store does not know,
// and give them the chain with [Sessions.On].
//
// A change that waits is given up where its operation cannot land any more ([Sessions.Abandon]). Where it
// may, or the document is of a root that the store knows, the error matches [ErrPending]. So does that of a
// node which has not seen the last change that landed, as it lags behind, or the chain took that back; the
// root from before that change is refused there, and [Sessions.Reconcile] settles it.
//
// It settles a conflict of roots: adopt the other backend's document, restore what it left out, and hand the
// result back.
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
	if err := s.Refresh(ctx); err != nil { // before the chain is read: what comes later is a conflict
		return err
	}
	root, err := d.Root, s.shows(ctx, d.Root)
	if err != nil {
		return err
	}
	if pending := s.Pending(); pending != nil && root != pending.Root && root != s.Root() {
		if err := s.Abandon(ctx); err != nil {
			return fmt.Errorf("adopt session document: %w", err)
		}
		if err := s.shows(ctx, root); err != nil {
			return err
		}
	}
	state := s.view.Load().state()
	if err := s.settled(state); err != nil {
		return fmt.Errorf("adopt session document: %w", err)
	}
	if err := s.newerThanLanded(ctx, state, root); err != nil {
		return fmt.Errorf("adopt session document: %w", err)
	}
	if err := s.apply(ctx, state.Version, d.change(state, StatusActive)); err != nil {
		return fmt.Errorf("adopt session document: %w", err)
	}
	return s.confirm(root)
}

// newerThanLanded returns an error unless the root that the chain showed was set after the last change that
// landed: a node that lags behind shows an older one, and so does a chain that took that change back.
func (s *Sessions) newerThanLanded(ctx context.Context, state *State, root common.Hash) error {
	if state.Landed == nil || root == state.Root {
		return nil
	}
	if state.takenBack(root) != nil {
		err := s.compareRoot(ctx, s.chain, root)
		switch mismatch, ok := errors.AsType[*RootMismatch](err); {
		case err == nil:
			return newRootMismatch(s.ref, &State{Header: Header{Root: root}}, state.Root)
		case !ok, mismatch.TakenBack != (common.Hash{}), *mismatch.Chain != root:
			return err
		}
		return nil
	}
	landed := &state.Landed.Change
	seen, err := s.chain.SessionRootAndNonce(ctx, s.ref.Account, &landed.Nonce)
	switch {
	case err != nil:
		return fmt.Errorf("read session root of %s: %w", s.ref, err)
	case seen.Root != root:
		return fmt.Errorf("%w: the newest block of %s has root %s, the one that settles changes still %s; try again some blocks later", ErrPending, s.ref, root, seen.Root)
	case !seen.NonceUsed && !landed.over(seen.BlockTime):
		return fmt.Errorf("%w: the node that shows root %s has not seen operation %s, which set %s: it lags behind, or the chain took that back, and it may land once more; %swait, or have the owner use its nonce %s for another operation (account.WithNonce)",
			ErrPending, root, landed.OpHash, landed.Root, landed.end(), landed.Nonce.Hex())
	}
	return nil
}

// shows returns a [*RootMismatch] unless the chain shows that root.
func (s *Sessions) shows(ctx context.Context, root common.Hash) error {
	seen, err := s.chain.SessionRoot(ctx, s.ref.Account)
	if err != nil {
		return fmt.Errorf("read session root of %s: %w", s.ref, err)
	}
	if seen != root {
		return &RootMismatch{Ref: s.ref, Stored: root, Leaves: root, Chain: &seen}
	}
	return nil
}

// settled returns an error matching [ErrPending] if a change waits for the chain: a document is of none.
func (s *Sessions) settled(state *State) error {
	if state.Pending == nil {
		return nil
	}
	return fmt.Errorf("%w: %s has a change that waits for operation %s; call Reconcile first", ErrPending, s.ref, state.Pending.OpHash)
}

// PlanRestore decides on a root with the leaves that are in force but were left out of the account's tree, as
// after [Sessions.Adopt]; no ID means all of them. What another backend's document has as revoked is not in
// force.
func (s *Sessions) PlanRestore(ids ...string) (*RootChange, error) {
	v, now := s.view.Load(), s.now()
	state, wanted := v.state(), set(ids)
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
	return s.plan(v, restore, nil)
}

// apply makes a change that was decided on that version of the store.
func (s *Sessions) apply(ctx context.Context, version uint64, c *Change) error {
	if _, err := s.store.Apply(ctx, s.ref, version, c); err != nil {
		return err
	}
	return s.Refresh(ctx)
}

// positions returns where the leaves that fit stand.
func (s *State) positions(fits func(*Leaf) bool) []int {
	var positions []int
	for i := range s.Leaves {
		if fits(&s.Leaves[i]) {
			positions = append(positions, i)
		}
	}
	return positions
}

// with returns the state with leaves appended whose IDs it does not have. It shares memory with s.
func (s *State) with(added []Leaf) *State {
	with := *s
	with.Leaves = slices.Clip(s.Leaves)
	known := make(map[string]bool, len(s.Leaves))
	for i := range s.Leaves {
		known[s.Leaves[i].ID] = true
	}
	for i := range added {
		if !known[added[i].ID] {
			with.Leaves = append(with.Leaves, added[i])
		}
	}
	return &with
}
