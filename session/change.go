package session

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// RootChange is one change of an account's session root, decided on one version of the store. It goes in two
// phases, so that a crash between them leaves something to finish or to undo: Begin writes down what is about
// to be sent, with its bytes, and [Sessions.Activate] or [Sessions.Reconcile] settles it by the chain.
type RootChange struct {
	sessions *Sessions
	version  uint64
	change   Change
	before   *view // that it was decided on
}

// PlanGrant decides on a root with a leaf for each policy added. Leaves that are revoked or expired leave the
// tree with it. Nothing is stored yet. Policies are taken as they are: [Lint] of [RootChange.Added], with
// [policy.CheckDanger], refuses what a grant of package account would.
func (s *Sessions) PlanGrant(m policy.Modules, policies ...policy.Policy) (*RootChange, error) {
	if len(policies) == 0 {
		return nil, fmt.Errorf("%w: grant a session without a policy", policy.ErrInvalid)
	}
	v, added := s.view.Load(), make([]Leaf, 0, len(policies))
	for n, p := range policies {
		leaf, err := s.newLeaf(v, m, p, added)
		if err != nil {
			return nil, fmt.Errorf("policy %d: %w", n, err)
		}
		added = append(added, leaf)
	}
	return s.plan(v, added, nil)
}

// PlanRevoke decides on a root without the leaves of those IDs, those that [Sessions.Suspend] stopped before
// among them. Once begun, the leaves never sign again, even if the operation fails. If all of them are
// revoked and out of the tree already, the error matches [ErrRevoked].
func (s *Sessions) PlanRevoke(ids ...string) (*RootChange, error) {
	if len(ids) == 0 {
		return nil, fmt.Errorf("%w: revoke no session of %s; PlanRevokeAll revokes all", policy.ErrInvalid, s.ref)
	}
	v := s.view.Load()
	revoke := make(map[int]bool, len(ids))
	for _, id := range ids {
		i, ok := v.find(id)
		if !ok {
			return nil, fmt.Errorf("%w: cannot revoke %q of %s, which has %s", ErrNoLeaf, id, s.ref, v.state().idList())
		}
		revoke[i] = true
	}
	if err := s.worthRevoking(v, revoke); err != nil {
		return nil, err
	}
	return s.plan(v, nil, revoke)
}

// worthRevoking returns an error if nothing is left to do for those leaves.
func (s *Sessions) worthRevoking(v *view, revoke map[int]bool) error {
	for i := range revoke {
		if leaf := v.leaves.at(i); leaf.InTree || leaf.Status != StatusRevoked || v.header.Pending != nil {
			return nil
		}
	}
	return fmt.Errorf("%w already, on chain too: nothing to revoke for %s", ErrRevoked, s.ref)
}

// PlanRevokeAll decides on the root zero, which revokes every session of the account.
func (s *Sessions) PlanRevokeAll() (*RootChange, error) {
	v := s.view.Load()
	revoke := make(map[int]bool, v.leaves.n)
	for i := range v.leaves.n {
		revoke[i] = true
	}
	return s.plan(v, nil, revoke)
}

// plan puts the next root together: the leaves of the tree that are in force and not to be revoked, by
// position, and the added ones. All of it was decided on v: a later view may have other leaves at those
// positions and IDs, and with its version the store would take the change.
func (s *Sessions) plan(v *view, added []Leaf, revoke map[int]bool) (*RootChange, error) {
	now := s.now()
	if waits := v.header.Pending; waits != nil {
		return nil, fmt.Errorf("%w: a change of the session root of %s waits for operation %s; call Reconcile to settle it", ErrPending, s.ref, waits.OpHash)
	}
	change := Change{Header: v.header.clone()}
	change.Header.Pending = new(PendingRoot)
	pending := change.Header.Pending
	for c := range v.leaves.chunks {
		chunk := &v.leaves.chunks[c]
		if len(revoke) == 0 && now.Unix() < chunk.due {
			continue
		}
		for n := range chunk.leaves {
			i, leaf := c*chunkSize+n, &chunk.leaves[n]
			if revoke[i] && leaf.Status != StatusRevoked {
				tombstone := leaf.Clone()
				tombstone.Status = StatusRevoked
				change.Put = append(change.Put, tombstone)
			}
			if status := leaf.StatusAt(now); leaf.InTree && (revoke[i] || status == StatusRevoked || status == StatusExpired) {
				pending.Remove = append(pending.Remove, leaf.ID)
			}
		}
	}
	for i := range added {
		pending.Add = append(pending.Add, added[i].ID)
	}
	change.Put = append(change.Put, added...)
	pending.Root = v.treeWith(pending, added).Root()
	return &RootChange{sessions: s, version: v.version, change: change, before: v}, nil
}

// newLeaf turns a policy into a leaf with an ID of its own.
func (s *Sessions) newLeaf(v *view, m policy.Modules, p policy.Policy, added []Leaf) (Leaf, error) {
	id, p := nameOf(p)
	if p == nil {
		return Leaf{}, fmt.Errorf("%w: it is nil", policy.ErrInvalid)
	}
	compiled, err := p.Compile(m.WithDefaults())
	if err != nil {
		return Leaf{}, err
	}
	leaf := Leaf{ID: id, Status: StatusPending, Key: p.SessionKey(), Compiled: compiled}
	if leaf.ID == "" {
		if leaf.ID, err = newID(); err != nil {
			return Leaf{}, err
		}
	}
	if err := leaf.Validate(); err != nil {
		return Leaf{}, err
	}
	if v.has(leaf.ID) {
		return Leaf{}, fmt.Errorf("%w: session ID %q is taken", policy.ErrInvalid, leaf.ID)
	}
	for i := range added {
		if added[i].ID == leaf.ID {
			return Leaf{}, fmt.Errorf("%w: session ID %q twice", policy.ErrInvalid, leaf.ID)
		}
	}
	return leaf, leaf.checkEnd(s.now())
}

// newID returns a session ID of 128 random bits in hex.
func newID() (string, error) {
	var id [16]byte
	if _, err := rand.Read(id[:]); err != nil {
		return "", fmt.Errorf("make session ID: %w", err)
	}
	return hex.EncodeToString(id[:]), nil
}

// Root returns the root to set on chain.
func (c *RootChange) Root() common.Hash { return c.change.Header.Pending.Root }

// IDs returns the IDs of the leaves that c adds, in the order of the policies.
func (c *RootChange) IDs() []string { return append([]string(nil), c.change.Header.Pending.Add...) }

// Added returns the leaves that c adds and the store does not have, in the order of the policies.
func (c *RootChange) Added() []Leaf {
	adds := set(c.change.Header.Pending.Add)
	var added []Leaf
	for i := range c.change.Put {
		if leaf := &c.change.Put[i]; adds[leaf.ID] {
			added = append(added, leaf.Clone())
		}
	}
	return added
}

// Begin stores the change as pending, with the signed operation that will carry it out. Nothing must be sent
// if it fails. It returns an error matching [policy.ErrInvalid], and stores nothing, for an operation that
// does not carry the change out: one of another account, or whose userOpHash is another, or that does not set
// this root alone. It returns one matching [ErrConflict] if the store changed meanwhile.
//
// What the operation is compared with are the contracts of the sessions' chain (see [WithChain]), the
// well-known ones where they have none.
func (c *RootChange) Begin(ctx context.Context, op *userop.Operation, opHash common.Hash) error {
	return c.begin(ctx, op, opHash, c.sessions.store.Apply)
}

// BeginBy is [RootChange.Begin] with an apply of the caller's: what the store's Apply does, and something
// else in the same transaction.
func (c *RootChange) BeginBy(ctx context.Context, op *userop.Operation, opHash common.Hash, apply func(ctx context.Context, ref Ref, version uint64, change *Change) error) error {
	return c.begin(ctx, op, opHash, func(ctx context.Context, ref Ref, version uint64, change *Change) (uint64, error) {
		return 0, apply(ctx, ref, version, change)
	})
}

// begin is Begin with an apply that returns the new version, 0 where it does not tell.
func (c *RootChange) begin(ctx context.Context, op *userop.Operation, opHash common.Hash, apply func(context.Context, Ref, uint64, *Change) (uint64, error)) error {
	var version uint64
	err := c.sessions.checkOperation(op, opHash, c.Root())
	if err == nil {
		c.change.Header.Pending.carriedBy(op, opHash, c.sessions.endOf(op))
		version, err = apply(ctx, c.sessions.ref, c.version, &c.change)
	}
	if err != nil {
		return fmt.Errorf("store pending session root: %w", err)
	}
	if c.sessions.advance(ctx, c.before, version, &c.change) {
		return nil
	}
	return c.sessions.Refresh(ctx)
}

// advance goes from the view that a change was decided on to the one that it made, without reading what was
// just written. It returns false where that is to be read.
func (s *Sessions) advance(ctx context.Context, before *view, version uint64, c *Change) bool {
	if _, ok := s.store.(Differ); !ok || version == 0 || len(c.Delete) > 0 || ctx.Err() != nil || s.lock(ctx) != nil {
		return false // whose time is over is told so by the reading
	}
	defer s.unlock()
	delta := &Delta{Version: version, Header: c.Header.clone()}
	end := before.leaves.n
	for i := range c.Put {
		at, known := before.find(c.Put[i].ID)
		if !known {
			at = end
			end++
		}
		delta.Leaves = append(delta.Leaves, Placed{at, c.Put[i].Clone()})
	}
	next, err := before.with(s.ref, delta)
	if next == nil || err != nil {
		return false
	}
	for {
		now := s.view.Load()
		if now.version != before.version {
			return false // somebody has read a later one
		}
		next.onChain = now.onChain
		if s.view.CompareAndSwap(now, next) {
			return true
		}
	}
}

// carriedBy names the operation that carries the change out.
func (p *PendingRoot) carriedBy(op *userop.Operation, hash common.Hash, until uint64) {
	p.OpHash, p.Nonce, p.Operation, p.Until = hash, op.Nonce, op.Clone(), until
}

// CarryBy stores another operation for the change that waits, which sets the same root with the same nonce,
// so that one of the two can land at most: such as one with higher fees. Nothing must be sent if it fails. An
// operation of another nonce, or that does not carry the change out (see [RootChange.Begin]), is an error
// matching [policy.ErrInvalid]; where no change waits, or waits no more, the error matches [ErrConflict].
func (s *Sessions) CarryBy(ctx context.Context, op *userop.Operation, opHash common.Hash) error {
	for range maxRetries {
		state, err := s.store.Load(ctx, s.ref)
		if err != nil {
			return err
		}
		switch pending := state.Pending; {
		case pending == nil:
			return fmt.Errorf("%w: no change of the session root of %s waits for the chain", ErrConflict, s.ref)
		case op != nil && pending.Nonce != op.Nonce:
			return fmt.Errorf("%w: the change of the session root of %s waits for an operation of nonce %s, not %s: both could land", policy.ErrInvalid, s.ref, pending.Nonce.Hex(), op.Nonce.Hex())
		}
		if err := s.checkOperation(op, opHash, state.Pending.Root); err != nil {
			return err
		}
		change, until := &Change{Header: state.Header.clone()}, s.endOf(op)
		if before := state.Pending.Until; before == 0 || until != 0 && before > until {
			until = before // the operation before may land as well
		}
		change.Header.Pending.carriedBy(op, opHash, until)
		_, err = s.store.Apply(ctx, s.ref, state.Version, change)
		if errors.Is(err, ErrConflict) {
			continue
		}
		if err != nil {
			return fmt.Errorf("store pending session root: %w", err)
		}
		return s.Refresh(ctx)
	}
	return fmt.Errorf("%w: it changed %d times while storing an operation of %s", ErrConflict, maxRetries, s.ref)
}

// Rollback undoes a change whose operation was surely not accepted: added leaves are forgotten. Revoked
// leaves stay revoked.
func (c *RootChange) Rollback(ctx context.Context) error {
	return c.sessions.undo(ctx, c.change.Header.Pending)
}

// named is a policy whose session has an ID that the granter chose.
type named struct {
	policy.Policy
	id string
}

// Named chooses the ID of the session that p is granted as; without it, or with an empty one, the session
// gets a random ID. It is for grants alone: to Compile and everything else the policy stays what it is.
func Named(id string, p policy.Policy) policy.Policy { return named{Policy: p, id: id} }

// String says what the policy itself says.
func (n named) String() string { return fmt.Sprint(n.Policy) }

// NameOf returns the ID that [Named] chose for the session of a policy, empty where none did.
func NameOf(p policy.Policy) string {
	id, _ := nameOf(p)
	return id
}

// nameOf returns the ID chosen for a policy, empty for none, and the policy itself.
func nameOf(p policy.Policy) (id string, bare policy.Policy) {
	for n, ok := p.(named); ok; n, ok = p.(named) {
		if id == "" {
			id = n.id
		}
		p = n.Policy
	}
	return id, p
}
