package session

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/holiman/uint256"
	"golang.org/x/sync/errgroup"

	"github.com/go-sesame/sesame/session/policy"
)

// Sessions are what one account granted on one chain: its leaves, their tree, and the store and keyring
// behind them. Make one with [Open]. It is safe for concurrent use; every signature is checked against the
// store's newest version, so a revocation by another process is seen at once.
type Sessions struct {
	store Store
	keys  Keyring
	ref   Ref
	chain Chain
	now   func() time.Time
	*seen
}

// seen is what was read of the store, which several [Sessions] may share.
type seen struct {
	view atomic.Pointer[view]
	// loading is there while the store is read, so that an older reading never replaces a newer one. It is
	// closed by who reads.
	loading atomic.Pointer[chan struct{}]
}

// lock waits until nobody reads the store.
func (s *seen) lock(ctx context.Context) error {
	mine := make(chan struct{})
	for !s.loading.CompareAndSwap(nil, &mine) {
		other := s.loading.Load()
		if other == nil {
			continue
		}
		select {
		case <-*other:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (s *seen) unlock() { close(*s.loading.Swap(nil)) }

// Chain is what sessions ask of the account's chain; *account.Client is one. Where it has a method
// MaySettle(context.Context) error that returns one, as a chain that may lose its newest block, no change is
// made final by what SessionRoot shows.
type Chain interface {
	// SessionRoot returns the Merkle root the session key manager keeps for the account (getSessionKeys);
	// zero when none was ever set.
	SessionRoot(ctx context.Context, account common.Address) (common.Hash, error)
	// SessionRootAndNonce returns the root, whether the EntryPoint has counted past the account's nonce, and
	// the block's time, all as of one block: an operation with a nonce that is used, or whose window was over
	// by then, has set the root or never will. Nodes behind one address do not always agree on the newest
	// block. Changes are settled by it: where the chain may lose blocks, it is one that has been there for
	// long enough.
	SessionRootAndNonce(ctx context.Context, account common.Address, nonce *uint256.Int) (OnChain, error)
	// SessionContracts returns the EntryPoint that counts the nonces and the session key manager that keeps
	// the roots: what an operation is compared with before it is stored. It asks nobody.
	SessionContracts() (entryPoint, manager common.Address)
}

// OnChain is what one block shows of an account's sessions and of an operation's nonce.
type OnChain struct {
	// Root is the account's session root, zero when none was ever set.
	Root common.Hash
	// NonceUsed says that the EntryPoint has counted past the nonce.
	NonceUsed bool
	// BlockTime is the block's, in unix seconds.
	BlockTime uint64
}

// Option changes how [Open] opens sessions.
type Option func(*Sessions)

// WithKeyring takes the keys from elsewhere than the store.
func WithKeyring(keys Keyring) Option { return func(s *Sessions) { s.keys = keys } }

// WithChain lets Open compare the stored root with the one on chain, and [Sessions.Activate] and
// [Sessions.Reconcile] read it. A difference is an error matching [ErrRootMismatch].
func WithChain(chain Chain) Option { return func(s *Sessions) { s.chain = chain } }

// WithClock replaces time.Now for validity windows.
func WithClock(now func() time.Time) Option { return func(s *Sessions) { s.now = now } }

// Open loads the sessions that ref's account granted. Keys come from the store itself if it is a [Keyring],
// as the stores of this module are, or from [WithKeyring].
//
// A store without sessions for ref is an error matching [ErrNotFound]; leaves that do not hash to the stored
// root are one matching [ErrRootMismatch].
func Open(ctx context.Context, store Store, ref Ref, opts ...Option) (*Sessions, error) {
	s, err := newSessions(store, ref, opts)
	if err != nil {
		return nil, err
	}
	if err := s.load(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// OpenOrNew is [Open] for an account that may have none yet, to grant its first.
func OpenOrNew(ctx context.Context, store Store, ref Ref, opts ...Option) (*Sessions, error) {
	s, err := newSessions(store, ref, opts)
	if err != nil {
		return nil, err
	}
	switch version, err := store.Version(ctx, ref); {
	case err != nil:
		return nil, fmt.Errorf("open sessions: %w", err)
	case version == 0:
		s.view.Store(emptyView())
		return s, nil
	}
	if err := s.load(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

func newSessions(store Store, ref Ref, opts []Option) (*Sessions, error) {
	if store == nil {
		return nil, fmt.Errorf("%w: open sessions without a store", policy.ErrInvalid)
	}
	if err := ref.Validate(); err != nil {
		return nil, err
	}
	s := &Sessions{store: store, ref: ref, now: time.Now, seen: new(seen)}
	s.keys, _ = store.(Keyring)
	for _, opt := range opts {
		if opt == nil {
			return nil, fmt.Errorf("%w: open sessions: an option is nil", policy.ErrInvalid)
		}
		opt(s)
	}
	return s, nil
}

// Store returns the store that the sessions are kept in.
func (s *Sessions) Store() Store { return s.store }

// load reads the store and, beside it, the chain.
func (s *Sessions) load(ctx context.Context) error {
	var root common.Hash
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.Refresh(groupCtx) })
	if s.chain != nil {
		group.Go(func() (err error) {
			root, err = s.chain.SessionRoot(groupCtx, s.ref.Account)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("open sessions: %w", err)
	}
	if s.chain == nil {
		return nil
	}
	err := s.confirm(root)
	if errors.Is(err, ErrRootMismatch) { // which of the two was read first is not known
		return s.Confirm(ctx, s.chain, 0)
	}
	return err
}

// On returns the sessions with a chain to compare their root with; see [WithChain]. What the one reads of the
// store, the other has read too.
func (s *Sessions) On(chain Chain) *Sessions {
	on := *s
	on.chain = chain
	return &on
}

// Ref returns whose sessions these are.
func (s *Sessions) Ref() Ref { return s.ref }

// Root returns the account's root as the store believes it to be on chain.
func (s *Sessions) Root() common.Hash { return s.view.Load().header.Root }

// Pending returns the change of the root that waits for the chain, nil for none.
func (s *Sessions) Pending() *PendingRoot { return s.view.Load().header.clone().Pending }

// Landed returns the last change of the root that landed, nil where none is known.
func (s *Sessions) Landed() *LandedRoot { return s.view.Load().header.Landed.clone() }

// Len returns the number of leaves, revoked and expired ones included.
func (s *Sessions) Len() int { return s.view.Load().leaves.n }

// Leaves returns copies of all leaves in the order they were granted.
func (s *Sessions) Leaves() []Leaf { return s.view.Load().state().Clone().Leaves }

// Proof returns the Merkle proof of leaf i under the root on chain as far as it is known.
func (s *Sessions) Proof(i int) ([]common.Hash, error) {
	v := s.view.Load()
	if i < 0 || i >= v.leaves.n {
		return nil, s.noLeaf(i)
	}
	proof, err := v.current().appendProof([]common.Hash{}, i, v.leaves.at(i))
	if err != nil {
		return nil, err
	}
	return proof, nil
}

// Refresh reads the store again if it changed. Calls at the same time share one reading.
func (s *Sessions) Refresh(ctx context.Context) error {
	var version uint64
	if s.view.Load() != nil {
		var err error
		if version, err = s.store.Version(ctx, s.ref); err != nil || version == s.version() {
			return err
		}
	}
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.unlock()
	if version != 0 && version == s.version() {
		return nil // another call was quicker
	}
	old := s.view.Load()
	next, err := s.read(ctx, old)
	if err != nil {
		return err
	}
	for { // again where the root was confirmed meanwhile
		if old != nil {
			next.onChain = old.onChain
		}
		if s.view.CompareAndSwap(old, next) {
			return nil
		}
		old = s.view.Load()
	}
}

// read returns the view of the store as it is now: the old one with what changed, if the store tells.
func (s *Sessions) read(ctx context.Context, old *view) (*view, error) {
	if differ, ok := s.store.(Differ); ok && old != nil && old.version != 0 {
		delta, err := differ.ChangesSince(ctx, s.ref, old.version)
		if err != nil {
			return nil, err
		}
		if delta != nil {
			if next, err := old.with(s.ref, delta); next != nil && err == nil {
				return next, nil // otherwise all of it tells
			}
		}
	}
	state, err := s.store.Load(ctx, s.ref)
	if err != nil {
		return nil, err
	}
	return newView(s.ref, state)
}

func (s *Sessions) version() uint64 { return s.view.Load().version }

// Confirm compares the root on chain with the stored one. An answer younger than maxAge is taken from memory,
// unless the store has changed to another root since. A root that is neither the stored nor the pending one
// is a [*RootMismatch], also where the chain took the last change back; [Sessions.Reconcile] settles that.
// The pending change, once the chain shows its root, is made final, whoever began it; but not where that root
// was there before, as that of no sessions after the first grant, or where the chain may not settle it: then
// it waits for [Sessions.Activate] or [Sessions.Reconcile].
func (s *Sessions) Confirm(ctx context.Context, chain Chain, maxAge time.Duration) error {
	v := s.view.Load()
	if v.onChain != nil && time.Since(v.onChain.at) < maxAge && v.treeOf(v.onChain.root) != nil {
		return nil
	}
	var root common.Hash
	err := s.compare(ctx, func() (err error) {
		if root, err = chain.SessionRoot(ctx, s.ref.Account); err != nil {
			return fmt.Errorf("read session root of %s: %w", s.ref, err)
		}
		return s.compareRoot(ctx, chain, root)
	})
	if err == nil {
		s.settleSeen(ctx, chain, root)
	}
	return err
}

// settling is a [Chain] that says whether the root that it showed may settle changes.
type settling interface {
	MaySettle(ctx context.Context) error
}

// settleSeen makes the pending change final if its root is the one that the chain showed, and neither because
// it went back to that nor because it was there before. A chain that may not settle it, or a store that was
// opened to be read, is no reason not to sign under that root: then it stays for somebody else.
func (s *Sessions) settleSeen(ctx context.Context, chain Chain, root common.Hash) {
	v := s.view.Load()
	if v.pending == nil || v.pending.Root() != root || root == v.header.Root || v.header.takenBack(root) != nil {
		return
	}
	pending := v.header.clone().Pending // the store's may be another one by the time that it is landed
	if c, ok := chain.(settling); ok && c.MaySettle(ctx) != nil {
		return
	}
	_ = s.land(ctx, pending)
}

// compare calls read, which compares with the chain, and again if the mismatch may be that another process
// has changed the root, on chain and in the store, after the store was read.
func (s *Sessions) compare(ctx context.Context, read func() error) error {
	for range maxRetries {
		version := s.version()
		err := read()
		if !errors.Is(err, ErrRootMismatch) {
			return err
		}
		if err := s.Refresh(ctx); err != nil {
			return fmt.Errorf("read session store again: %w", err)
		}
		if s.version() == version {
			return err
		}
	}
	return fmt.Errorf("%w: it changed %d times while comparing %s with the chain", ErrConflict, maxRetries, s.ref)
}

// confirm notes the root seen on chain, if it is one that the store knows.
func (s *Sessions) confirm(root common.Hash) error {
	for {
		old := s.view.Load()
		if old.treeOf(root) == nil {
			return newRootMismatch(s.ref, old.state(), root)
		}
		next := *old
		next.onChain = &chainRoot{root: root, at: time.Now()}
		if s.view.CompareAndSwap(old, &next) {
			return nil
		}
	}
}

func (s *Sessions) noLeaf(i int) error {
	n := s.Len()
	if n == 0 {
		return fmt.Errorf("%w: leaf %d of %s, which has none; grant a session first", ErrNoLeaf, i, s.ref)
	}
	return fmt.Errorf("%w: leaf %d of %s; it has leaves 0 to %d", ErrNoLeaf, i, s.ref, n-1)
}
