package memstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/seal"
	"github.com/go-sesame/sesame/session/storekit"
	"github.com/go-sesame/sesame/userop/outbox"
)

// Store is a [session.FullStore] that forgets everything with the process, and hands keys out
// ([session.KeySealer]). The zero value is ready to use. It is safe for concurrent use.
type Store struct {
	users    sync.WaitGroup // those that hold or change sessions
	everyone holdLock       // held, beside the account's, by whoever signs at all
	outbox   outbox.Memory

	mu      sync.Mutex // guards the fields below
	entries map[session.Ref]*entry
	keys    map[session.Ref]map[common.Address]*seal.Key
	lanes   map[session.Ref][]*lane
	stops   []session.Stop // ordered by name; not changed but replaced
	closing bool           // nobody comes in any more
	closed  bool           // nobody is in any more
}

var (
	_ session.FullStore    = (*Store)(nil)
	_ session.LocalKeyring = (*Store)(nil)
	_ session.KeySealer    = (*Store)(nil)
	_ session.Switch       = (*Store)(nil)
	_ session.Differ       = (*Store)(nil)
	_ storekit.Recorder    = (*Store)(nil)
)

// entry is what is stored of one account. It has a lock of its own, so that holding one account stops no
// other. Reading takes no lock, as it may be done while the account is held and a change waits.
type entry struct {
	lock  holdLock
	state atomic.Pointer[stored] // is not changed but replaced
}

// stored is a state with what the last changes of it touched.
type stored struct {
	session.State
	history storekit.History
}

// New returns an empty store.
func New() *Store {
	return new(Store)
}

const storeName = "memstore.Store"

// String says what it is and no key.
func (s *Store) String() string { return storeName }

// GoString says what it is and no key.
func (s *Store) GoString() string { return storeName }

// Format writes [Store.String] whatever the verb, so that no verb prints a key.
func (s *Store) Format(f fmt.State, _ rune) { fmt.Fprint(f, storeName) }

// Close waits for those that hold or change sessions and wipes the keys. Every method returns an error
// matching [session.ErrClosed] afterwards.
func (s *Store) Close() error {
	s.mu.Lock()
	s.closing = true
	s.mu.Unlock()
	s.awaitUsers()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.outbox.Close(session.ErrClosed)
	for _, keys := range s.keys {
		for _, key := range keys {
			key.Wipe()
		}
	}
	clear(s.keys)
	return nil
}

// awaitUsers waits for those that are in. A signer that hangs is not waited for: it is no holder any more
// then, and finds no key.
func (s *Store) awaitUsers() {
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.users.Wait()
	}()
	timer := time.NewTimer(session.MaxHold)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}

// check returns an error if nothing can be done any more.
func (s *Store) check(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return session.ErrClosed
	}
	return nil
}

// enter counts one more that holds or changes sessions, those of ref; it calls users.Done when it is done.
func (s *Store) enter(ctx context.Context, ref session.Ref) (*entry, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return nil, session.ErrClosed
	}
	s.users.Add(1)
	return s.entryOf(ref), nil
}

// Load implements [session.Store].
func (s *Store) Load(ctx context.Context, ref session.Ref) (*session.State, error) {
	if err := s.check(ctx); err != nil {
		return nil, err
	}
	state := s.entry(ref).state.Load()
	if state.Version == 0 {
		return nil, storekit.NotFoundError(ref)
	}
	return state.Clone(), nil
}

// Version implements [session.Store].
func (s *Store) Version(ctx context.Context, ref session.Ref) (uint64, error) {
	if err := s.check(ctx); err != nil {
		return 0, err
	}
	return s.entry(ref).state.Load().Version, nil
}

// Apply implements [session.Store].
func (s *Store) Apply(ctx context.Context, ref session.Ref, version uint64, change *session.Change) (uint64, error) {
	return s.apply(ctx, ref, version, change, func(commit func() error) error { return commit() })
}

// apply is Apply, where with commits the change, or returns why it did not.
func (s *Store) apply(ctx context.Context, ref session.Ref, version uint64, change *session.Change, with func(commit func() error) error) (uint64, error) {
	if err := ref.Validate(); err != nil {
		return 0, cmp.Or(s.check(ctx), err)
	}
	entry, err := s.enter(ctx, ref)
	if err != nil {
		return 0, err
	}
	defer s.users.Done()
	if err := entry.lock.change(ctx); err != nil {
		return 0, err
	}
	defer entry.lock.changed()
	state := entry.state.Load()
	if state.Version != version {
		return 0, storekit.ConflictError(ref, version, state.Version)
	}
	next, err := storekit.Apply(&state.State, change)
	if err != nil {
		return 0, err
	}
	history := state.history.After(next.Version, touched(next, change), len(change.Delete) > 0)
	if err := with(func() error { entry.state.Store(&stored{*next, history}); return nil }); err != nil {
		return 0, err
	}
	return next.Version, nil
}

// touched returns where the leaves that the change put stand after it.
func touched(state *session.State, change *session.Change) (positions []int) {
	put := make(map[string]bool, len(change.Put))
	for i := range change.Put {
		put[change.Put[i].ID] = true
	}
	for i := range state.Leaves {
		if put[state.Leaves[i].ID] {
			positions = append(positions, i)
		}
	}
	return positions
}

// ChangesSince implements [session.Differ].
func (s *Store) ChangesSince(ctx context.Context, ref session.Ref, version uint64) (*session.Delta, error) {
	if err := s.check(ctx); err != nil {
		return nil, err
	}
	state := s.entry(ref).state.Load()
	if state.Version == 0 {
		return nil, storekit.NotFoundError(ref)
	}
	positions, ok := state.history.Since(version, state.Version)
	if !ok {
		return nil, nil
	}
	touched := session.State{Header: state.Header}
	for _, i := range positions {
		touched.Leaves = append(touched.Leaves, state.Leaves[i])
	}
	own := touched.Clone()
	delta := &session.Delta{Version: state.Version, Header: own.Header}
	for n, i := range positions {
		delta.Leaves = append(delta.Leaves, session.Placed{Position: i, Leaf: own.Leaves[n]})
	}
	return delta, nil
}

func (s *Store) entry(ref session.Ref) *entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.entryOf(ref)
}

// entryOf is entry for who has the store's mutex.
func (s *Store) entryOf(ref session.Ref) *entry {
	e, ok := s.entries[ref]
	if !ok {
		e = new(entry)
		e.state.Store(new(stored))
		if s.entries == nil {
			s.entries = make(map[session.Ref]*entry)
		}
		s.entries[ref] = e
	}
	return e
}

// List implements [session.Lister].
func (s *Store) List(ctx context.Context, query session.Query) (page session.Page, err error) {
	from, err := storekit.Start(&query)
	if err = errors.Join(s.check(ctx), err); err != nil {
		return session.Page{}, err
	}
	for _, ref := range s.refsFrom(from.Ref) {
		if storekit.CollectState(&query, &page, from, ref, &s.entry(ref).state.Load().State) {
			break
		}
	}
	return page, nil
}

// ListPending implements [session.Lister].
func (s *Store) ListPending(ctx context.Context, after session.Ref, limit int) (refs []session.Ref, err error) {
	limit, err = storekit.PageSize(limit)
	if err = errors.Join(s.check(ctx), err); err != nil {
		return nil, err
	}
	for _, ref := range s.refsFrom(after) {
		if ref != after && len(refs) < limit && s.entry(ref).state.Load().Pending != nil {
			refs = append(refs, ref)
		}
	}
	return refs, nil
}

// refsFrom returns the refs from that one on, in order.
func (s *Store) refsFrom(from session.Ref) []session.Ref {
	s.mu.Lock()
	defer s.mu.Unlock()
	refs := make([]session.Ref, 0, len(s.entries))
	for ref := range s.entries {
		if storekit.CompareRefs(ref, from) >= 0 {
			refs = append(refs, ref)
		}
	}
	slices.SortFunc(refs, storekit.CompareRefs)
	return refs
}
