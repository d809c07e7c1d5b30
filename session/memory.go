package session

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/ethereum/go-ethereum/common"
	"golang.org/x/sync/semaphore"

	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/session/seal"
)

// Memory is a [Store] and a [Keyring] that forget everything with the process: for tests and
// experiments. The zero value is ready to use.
type Memory struct {
	mu     sync.Mutex // guards the maps
	states map[Ref]*memoryState
	keys   map[Ref]map[common.Address]*seal.Key
	lanes  map[Ref][]*memoryLane
}

// memoryState has a lock of its own, so that holding one account stops no other. Reading takes no lock, as
// it may be done while the account is held and a change waits.
type memoryState struct {
	lock  *semaphore.Weighted
	state atomic.Pointer[State] // is not changed but replaced
}

// How much of an account's lock they take who hold and who change it.
const (
	shared    = 1
	exclusive = math.MaxInt64
)

// NewMemory returns an empty store.
func NewMemory() *Memory { return new(Memory) }

// String says what it is and no key.
func (m *Memory) String() string { return "session.Memory" }

// GoString says what it is and no key.
func (m *Memory) GoString() string { return m.String() }

// Format writes [Memory.String] whatever the verb, so that no verb prints a key.
func (m *Memory) Format(f fmt.State, _ rune) { fmt.Fprint(f, m.String()) }

// Load implements [Store].
func (m *Memory) Load(ctx context.Context, ref Ref) (*State, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	state := m.entry(ref).state.Load()
	if state.Version == 0 {
		return nil, NotFoundError(ref)
	}
	return state.Clone(), nil
}

// Version implements [Store].
func (m *Memory) Version(ctx context.Context, ref Ref) (uint64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	return m.entry(ref).state.Load().Version, nil
}

// Hold implements [Store].
func (m *Memory) Hold(ctx context.Context, ref Ref, fn func(version uint64) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	entry := m.entry(ref)
	if err := entry.lock.Acquire(ctx, shared); err != nil {
		return err
	}
	defer entry.lock.Release(shared)
	return fn(entry.state.Load().Version)
}

// Apply implements [Store].
func (m *Memory) Apply(ctx context.Context, ref Ref, version uint64, change *Change) (uint64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if err := ref.Validate(); err != nil {
		return 0, err
	}
	entry := m.entry(ref)
	if err := entry.lock.Acquire(ctx, exclusive); err != nil {
		return 0, err
	}
	defer entry.lock.Release(exclusive)
	state := entry.state.Load()
	if state.Version != version {
		return 0, ConflictError(ref, version, state.Version)
	}
	next, err := state.Apply(change)
	if err != nil {
		return 0, err
	}
	entry.state.Store(next)
	return next.Version, nil
}

func (m *Memory) entry(ref Ref) *memoryState {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.states == nil {
		m.states = make(map[Ref]*memoryState)
	}
	entry, ok := m.states[ref]
	if !ok {
		entry = &memoryState{lock: semaphore.NewWeighted(exclusive)}
		entry.state.Store(new(State))
		m.states[ref] = entry
	}
	return entry
}

// List implements [Lister].
func (m *Memory) List(ctx context.Context, query Query) (page Page, err error) {
	from, err := query.Start()
	if err = errors.Join(ctx.Err(), err); err != nil {
		return Page{}, err
	}
	for _, ref := range m.refsFrom(from.Ref) {
		if query.CollectState(&page, from, ref, m.entry(ref).state.Load()) {
			break
		}
	}
	return page, nil
}

// refsFrom returns the refs from that one on, in order.
func (m *Memory) refsFrom(from Ref) []Ref {
	m.mu.Lock()
	defer m.mu.Unlock()
	refs := make([]Ref, 0, len(m.states))
	for ref := range m.states {
		if ref.Compare(from) >= 0 {
			refs = append(refs, ref)
		}
	}
	slices.SortFunc(refs, Ref.Compare)
	return refs
}

// NewKey implements [Keyring].
func (m *Memory) NewKey(ctx context.Context, ref Ref) (common.Address, error) {
	key, err := seal.NewKey()
	if err != nil {
		return common.Address{}, err
	}
	return m.putKey(ctx, ref, key)
}

// ImportKey implements [Keyring].
func (m *Memory) ImportKey(ctx context.Context, ref Ref, key *ecdsa.PrivateKey) (common.Address, error) {
	own, err := seal.CopyKey(key)
	if err != nil {
		return common.Address{}, fmt.Errorf("%w: import session key of %s: %w", policy.ErrInvalid, ref, err)
	}
	return m.putKey(ctx, ref, own)
}

func (m *Memory) putKey(ctx context.Context, ref Ref, key *seal.Key) (common.Address, error) {
	if err := errors.Join(ctx.Err(), ref.Validate()); err != nil {
		return common.Address{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.keys == nil {
		m.keys = make(map[Ref]map[common.Address]*seal.Key)
	}
	if m.keys[ref] == nil {
		m.keys[ref] = make(map[common.Address]*seal.Key)
	}
	if _, ok := m.keys[ref][key.Address()]; !ok {
		m.keys[ref][key.Address()] = key
	}
	return key.Address(), nil
}

// Keys implements [Keyring].
func (m *Memory) Keys(ctx context.Context, ref Ref) ([]common.Address, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	addresses := make([]common.Address, 0, len(m.keys[ref]))
	for address := range m.keys[ref] {
		addresses = append(addresses, address)
	}
	return addresses, nil
}

// SignDigest implements [Keyring].
func (m *Memory) SignDigest(ctx context.Context, req SignRequest) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	key, ok := m.keys[req.Ref][req.Key]
	m.mu.Unlock()
	if !ok {
		return nil, NoKeyError(req.Ref, req.Key)
	}
	return key.Sign(req.Digest)
}

// SealKey implements [KeySealer].
func (m *Memory) SealKey(ctx context.Context, ref Ref, key common.Address, aead seal.AEAD) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	own, ok := m.keys[ref][key]
	m.mu.Unlock()
	if !ok {
		return nil, NoKeyError(ref, key)
	}
	return own.Seal(aead, seal.AssociatedData(ref.ChainID, ref.Account, key))
}

// RemoveKey implements [Keyring].
func (m *Memory) RemoveKey(ctx context.Context, ref Ref, key common.Address) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	held, ok := m.keys[ref][key]
	if !ok {
		return NoKeyError(ref, key)
	}
	delete(m.keys[ref], key)
	held.Wipe()
	return nil
}

// NotFoundError returns the error for a ref that was never stored, matching [ErrNotFound]; stores share it.
func NotFoundError(ref Ref) error {
	return fmt.Errorf("%w for %s; grant or import one first", ErrNotFound, ref)
}

// ConflictError returns the error of a lost compare-and-set, matching [ErrConflict]; stores share it.
func ConflictError(ref Ref, want, have uint64) error {
	return fmt.Errorf("%w: %s is at version %d, the change was decided on version %d; open the sessions again and retry", ErrConflict, ref, have, want)
}

// NoKeyError returns the error of a key that is not there, matching [ErrNoKey]; keyrings share it.
func NoKeyError(ref Ref, key common.Address) error {
	return fmt.Errorf("%w: no key %s for %s; import it into the keyring or grant a session to a key it holds", ErrNoKey, key, ref)
}

// SignsLocally implements [LocalKeyring].
func (m *Memory) SignsLocally() {}
