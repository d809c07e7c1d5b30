package outbox

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
)

// Memory is an [Outbox] that forgets everything with the process: for tests and experiments. The zero value
// is ready to use. It tells what is due ([Listener]).
type Memory struct {
	// Now is the clock, [time.Now] where it is nil. It is not to be changed while the outbox is used.
	Now func() time.Time

	mu      sync.Mutex // guards the fields below
	last    uint64     // the ID given last
	entries map[uint64]*Entry
	ledgers map[ledgerKey]*Ledger
	closed  error

	listeners Listeners
}

// ledgerKey names the account that a ledger is of.
type ledgerKey struct {
	chainID uint64
	account common.Address
}

var (
	_ Outbox   = (*Memory)(nil)
	_ Listener = (*Memory)(nil)
	_ Budgeter = (*Memory)(nil)
)

// NewMemory returns an empty outbox.
func NewMemory() *Memory { return new(Memory) }

func (m *Memory) now() time.Time {
	if m.Now == nil {
		return time.Now()
	}
	return m.Now()
}

// Record implements [Outbox].
func (m *Memory) Record(ctx context.Context, recording Recording) (*Entry, error) {
	return m.RecordWith(ctx, recording, func() error { return nil })
}

// RecordWith is Record for a store in memory that changes something of its own with it: both or neither. It
// calls change once nothing else is in the way, and records nothing if that fails. Change must not use the
// outbox.
func (m *Memory) RecordWith(ctx context.Context, recording Recording, change func() error) (*Entry, error) {
	return locked(ctx, m, func() (*Entry, error) {
		row, err := NewRow(m.last+1, &recording, m.now())
		if err != nil {
			return nil, err
		}
		if err := m.checkFree(row.Entry); err != nil {
			return nil, err
		}
		ledger := m.ledger(row.ChainID, row.Account)
		if err := ledger.check(recording.Attempt.Reserved); err != nil {
			return nil, err
		}
		if err := change(); err != nil {
			return nil, err
		}
		if reserved := recording.Attempt.Reserved; reserved != 0 {
			_ = ledger.Keep(reserved, row.ID) // was checked
		}
		if m.entries == nil {
			m.entries = make(map[uint64]*Entry)
		}
		m.last = row.ID
		m.entries[row.ID] = row.Entry
		return row.Clone(), nil
	})
}

// locked calls do for one at a time.
func locked[T any](ctx context.Context, m *Memory, do func() (T, error)) (result T, err error) {
	if err := ctx.Err(); err != nil {
		return result, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed != nil {
		return result, m.closed
	}
	return do()
}

// Close has every method return that error from now on, but for Listen, which goes on until its context ends.
func (m *Memory) Close(cause error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = cause
}

// checkFree returns an error if the key or the nonce is another entry's.
func (m *Memory) checkFree(fresh *Entry) error {
	if known := m.byKey(fresh.ChainID, fresh.Account, fresh.Key); known != nil {
		return &TakenError{Entry: known.Clone(), Err: ErrExists}
	}
	for _, e := range m.entries {
		if e.State == StateOpen && e.ChainID == fresh.ChainID && e.Account == fresh.Account && e.Nonce == fresh.Nonce {
			return &TakenError{Entry: e.Clone(), Err: ErrNonceTaken}
		}
	}
	return nil
}

func (m *Memory) byKey(chainID uint64, account common.Address, key string) *Entry {
	for _, e := range m.entries {
		if e.ChainID == chainID && e.Account == account && e.Key == key {
			return e
		}
	}
	return nil
}

// Find implements [Outbox].
func (m *Memory) Find(ctx context.Context, chainID uint64, account common.Address, key string) (Found, error) {
	return locked(ctx, m, func() (found Found, err error) {
		for _, e := range m.entries {
			if e.State == StateOpen && e.ChainID == chainID && e.Account == account {
				found.Nonces = append(found.Nonces, e.Nonce)
			}
		}
		slices.SortFunc(found.Nonces, func(a, b uint256.Int) int { return a.Cmp(&b) })
		known := m.byKey(chainID, account, key)
		if known == nil {
			return found, FreeKeyError(Send{ChainID: chainID, Account: account, Key: key})
		}
		found.Entry = known.Clone()
		return found, nil
	})
}

// FindHash implements [Outbox].
func (m *Memory) FindHash(ctx context.Context, hash common.Hash) (*Entry, error) {
	return locked(ctx, m, func() (*Entry, error) {
		for _, e := range m.newestFirst() {
			if e.Attempt(hash) != nil {
				return e.Clone(), nil
			}
		}
		return nil, UnknownHashError(hash)
	})
}

func (m *Memory) newestFirst() []*Entry {
	return slices.SortedFunc(maps.Values(m.entries), func(a, b *Entry) int { return cmp.Compare(b.ID, a.ID) })
}

// change does one step of one entry.
func (m *Memory) change(ctx context.Context, id uint64, step func(Row) error) (*Entry, error) {
	return locked(ctx, m, func() (*Entry, error) {
		e, ok := m.entries[id]
		if !ok {
			return nil, GoneError(id)
		}
		row := Row{Entry: e, Now: m.now()}
		was := row.Leased()
		if err := step(row); err != nil {
			return nil, err
		}
		if was && row.Due() {
			m.tell()
		}
		return e.Clone(), nil
	})
}

// AddAttempt implements [Outbox].
func (m *Memory) AddAttempt(ctx context.Context, id, version uint64, attempt Attempt, lease Lease) (*Entry, error) {
	return m.change(ctx, id, func(r Row) error {
		ledger := m.ledger(r.ChainID, r.Account)
		if err := ledger.check(attempt.Reserved); err != nil {
			return err
		}
		err := r.AddAttempt(version, attempt, lease)
		if err == nil && attempt.Reserved != 0 {
			err = ledger.Keep(attempt.Reserved, id)
		}
		return err
	})
}

// Settle implements [Outbox].
func (m *Memory) Settle(ctx context.Context, id, version uint64, outcome Outcome, lease Lease) (*Entry, error) {
	return m.change(ctx, id, func(r Row) error {
		changed, err := r.Settle(version, outcome, lease)
		if changed {
			m.ledger(r.ChainID, r.Account).Settle(id, &outcome, r.Now)
		}
		return err
	})
}

// MarkGiven implements [Outbox].
func (m *Memory) MarkGiven(ctx context.Context, id, version uint64) (*Entry, error) {
	return m.change(ctx, id, func(r Row) error {
		_, err := r.MarkGiven(version)
		return err
	})
}

// Free implements [Outbox].
func (m *Memory) Free(ctx context.Context, id, version uint64) error {
	_, err := m.change(ctx, id, func(r Row) error {
		err := r.CheckFree(version)
		if err == nil {
			delete(m.entries, id)
			m.ledger(r.ChainID, r.Account).Free(id)
		}
		return err
	})
	return err
}

// ledger returns an account's, which is called with mu held.
func (m *Memory) ledger(chainID uint64, account common.Address) *Ledger {
	key := ledgerKey{chainID, account}
	ledger, ok := m.ledgers[key]
	if !ok {
		ledger = new(Ledger)
		if m.ledgers == nil {
			m.ledgers = make(map[ledgerKey]*Ledger)
		}
		m.ledgers[key] = ledger
	}
	return ledger
}

// Reserve implements [Budgeter].
func (m *Memory) Reserve(ctx context.Context, chainID uint64, account common.Address, entry uint64, charges []Charge, ttl time.Duration) (uint64, error) {
	return locked(ctx, m, func() (uint64, error) {
		return m.ledger(chainID, account).Reserve(chainID, account, entry, charges, ttl, m.now())
	})
}

// Return implements [Budgeter].
func (m *Memory) Return(ctx context.Context, chainID uint64, account common.Address, reservation uint64) error {
	_, err := locked(ctx, m, func() (any, error) {
		m.ledger(chainID, account).Return(reservation)
		return nil, nil
	})
	return err
}

// Usage implements [Budgeter].
func (m *Memory) Usage(ctx context.Context, chainID uint64, account common.Address) ([]Usage, error) {
	return locked(ctx, m, func() ([]Usage, error) { return m.ledger(chainID, account).Usage(m.now()), nil })
}

// Claim implements [Outbox].
func (m *Memory) Claim(ctx context.Context, chainID uint64, lease Lease, limit int) ([]*Entry, error) {
	limit, err := Limit(limit, 100)
	if err := cmp.Or(lease.Validate(), err); err != nil {
		return nil, err
	}
	return locked(ctx, m, func() (claimed []*Entry, err error) {
		now := m.now()
		var due []*Entry
		for _, e := range m.entries {
			if (chainID == 0 || e.ChainID == chainID) && (Row{e, now}).Due() {
				due = append(due, e)
			}
		}
		slices.SortFunc(due, InTurn)
		for _, e := range due[:min(limit, len(due))] {
			Row{e, now}.Claim(lease)
			claimed = append(claimed, e.Clone())
		}
		return claimed, nil
	})
}

// Take implements [Outbox].
func (m *Memory) Take(ctx context.Context, id, version uint64, lease Lease) (*Entry, error) {
	return m.change(ctx, id, func(r Row) error { return r.Take(version, lease) })
}

// Renew implements [Outbox].
func (m *Memory) Renew(ctx context.Context, lease Lease, ids ...uint64) ([]uint64, error) {
	if err := lease.Validate(); err != nil {
		return nil, err
	}
	return locked(ctx, m, func() (held []uint64, err error) {
		now := m.now()
		for _, id := range ids {
			if e, ok := m.entries[id]; ok && !slices.Contains(held, id) && (Row{e, now}).Renew(lease) {
				held = append(held, id)
			}
		}
		return held, nil
	})
}

// Release implements [Outbox].
func (m *Memory) Release(ctx context.Context, holder string, ids ...uint64) error {
	if err := CheckHolder(holder); err != nil {
		return err
	}
	_, err := locked(ctx, m, func() (any, error) {
		for _, id := range ids {
			if e, ok := m.entries[id]; ok && (Row{e, m.now()}).Release(holder) {
				m.tell()
			}
		}
		return nil, nil
	})
	return err
}

// MarkReported implements [Outbox].
func (m *Memory) MarkReported(ctx context.Context, id uint64) error {
	_, err := m.change(ctx, id, func(r Row) error {
		_, err := r.MarkReported()
		return err
	})
	return err
}

// List implements [Outbox].
func (m *Memory) List(ctx context.Context, query Query) ([]*Entry, error) {
	if err := query.Validate(); err != nil {
		return nil, err
	}
	return locked(ctx, m, func() (list []*Entry, err error) {
		for _, e := range m.newestFirst() {
			if len(list) < query.Limit && query.Fits(e) {
				list = append(list, e.Clone())
			}
		}
		return list, nil
	})
}

// Sweep implements [Outbox].
func (m *Memory) Sweep(ctx context.Context, kept time.Duration, limit int) (int, error) {
	limit, err := SweepLimit(kept, limit)
	if err != nil {
		return 0, err
	}
	return locked(ctx, m, func() (int, error) {
		now := m.now()
		var over []*Entry
		for _, e := range m.entries {
			if (Row{e, now}).Over(kept) {
				over = append(over, e)
			}
		}
		slices.SortFunc(over, func(a, b *Entry) int { return cmp.Or(a.EndedAt.Compare(b.EndedAt), cmp.Compare(a.ID, b.ID)) })
		over = over[:min(limit, len(over))]
		for _, e := range over {
			delete(m.entries, e.ID)
		}
		return len(over), nil
	})
}

// tell tells those that listen. It is called with mu held.
func (m *Memory) tell() { m.listeners.Tell() }

// Listen implements [Listener].
func (m *Memory) Listen(ctx context.Context, due func()) error { return m.listeners.Listen(ctx, due) }
