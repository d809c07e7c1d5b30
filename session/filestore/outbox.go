package filestore

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"go.etcd.io/bbolt"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/storekit"
	"github.com/go-sesame/sesame/userop/outbox"
)

// box is the outbox of a store, by the machine's clock.
type box struct {
	store     *Store
	listeners outbox.Listeners
}

var (
	_ outbox.Outbox   = (*box)(nil)
	_ outbox.Listener = (*box)(nil)
)

// Outbox implements [storekit.Recorder]. It belongs to the one process that has the store open for writing,
// which finds all that it recorded when it starts again. One that opened it to read can look things up; what
// changes anything is an error matching [ErrReadOnly] and [outbox.ErrReadOnly] there.
func (s *Store) Outbox() outbox.Outbox { return s.box }

func (b *box) view(ctx context.Context, read func(*sends) error) error {
	return b.store.in(b.store.file.view(ctx, func(tx *bbolt.Tx) error { return read(sendsOf(tx)) }))
}

// update changes entries within one transaction.
func (b *box) update(ctx context.Context, change func(*sends) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := b.store.file.update(ctx, func(tx *bbolt.Tx) error {
		s, err := makeSends(tx)
		if err != nil {
			return err
		}
		return change(s)
	})
	return b.told(err)
}

// told says whose the outbox is where this process may not write.
func (b *box) told(err error) error {
	if errors.Is(err, ErrReadOnly) {
		err = &notOursError{err}
	}
	return b.store.in(err)
}

// notOursError is an outbox that another process has. It matches [ErrReadOnly] and [outbox.ErrReadOnly].
type notOursError struct{ err error }

func (e *notOursError) Error() string {
	return "it was opened for reading only, and its outbox belongs to the process that has it open for writing: send there"
}

func (e *notOursError) Unwrap() error { return e.err }

func (e *notOursError) Is(target error) bool { return target == outbox.ErrReadOnly }

// Record implements [outbox.Outbox].
func (b *box) Record(ctx context.Context, recording outbox.Recording) (entry *outbox.Entry, err error) {
	if err := recording.Validate(); err != nil {
		return nil, err
	}
	err = b.update(ctx, func(s *sends) error {
		entry, err = s.record(&recording)
		return err
	})
	return orNone(entry, err)
}

// orNone returns an entry whose change was committed.
func orNone(entry *outbox.Entry, err error) (*outbox.Entry, error) {
	if err != nil {
		return nil, err
	}
	return entry, nil
}

// record writes a new entry down.
func (s *sends) record(r *outbox.Recording) (*outbox.Entry, error) {
	c, err := s.census()
	if err != nil {
		return nil, err
	}
	row, err := outbox.NewRow(c.last+1, r, time.Now())
	if err != nil {
		return nil, err
	}
	for _, taken := range []struct {
		find []byte
		err  error
	}{
		{keyFind(row.ChainID, row.Account, row.Key), outbox.ErrExists},
		{nonceFind(row.ChainID, row.Account, &row.Nonce), outbox.ErrNonceTaken},
	} {
		known, err := s.found(taken.find)
		if err != nil {
			return nil, err
		}
		if known != nil {
			return nil, &outbox.TakenError{Entry: known, Err: taken.err}
		}
	}
	if err := cmp.Or(s.put(nil, row.Entry), s.keep(row.Entry, r.Attempt.Reserved)); err != nil {
		return nil, err
	}
	return row.Entry, s.putCensus(sendCensus{c.last + 1, c.entries + 1})
}

// ApplyRecording implements [storekit.Recorder].
func (s *Store) ApplyRecording(ctx context.Context, ref session.Ref, version uint64, change *session.Change, recording outbox.Recording) (uint64, *outbox.Entry, error) {
	if err := cmp.Or(ref.Validate(), storekit.CheckRecording(ref, &recording), storekit.CheckChange(change)); err != nil {
		return 0, nil, err
	}
	var entry *outbox.Entry
	err := s.file.exclusive(ctx, ref, func() error {
		return s.file.update(ctx, func(tx *bbolt.Tx) error {
			if err := apply(tx, ref, version, change); err != nil {
				return err
			}
			sends, err := makeSends(tx)
			if err != nil {
				return err
			}
			entry, err = sends.record(&recording)
			return err
		})
	})
	if err != nil {
		return 0, nil, s.box.told(err)
	}
	return version + 1, entry, nil
}

// Find implements [outbox.Outbox].
func (b *box) Find(ctx context.Context, chainID uint64, account common.Address, key string) (found outbox.Found, err error) {
	err = b.view(ctx, func(s *sends) error {
		found = outbox.Found{}
		if found.Entry, err = s.found(keyFind(chainID, account, key)); err != nil {
			return err
		}
		return s.each(noncesOf(chainID, account), func(e *outbox.Entry) bool {
			found.Nonces = append(found.Nonces, e.Nonce)
			return true
		})
	})
	switch {
	case err != nil:
		return outbox.Found{}, err
	case found.Entry == nil:
		return found, outbox.FreeKeyError(outbox.Send{ChainID: chainID, Account: account, Key: key})
	}
	return found, nil
}

// FindHash implements [outbox.Outbox].
func (b *box) FindHash(ctx context.Context, hash common.Hash) (entry *outbox.Entry, err error) {
	err = b.view(ctx, func(s *sends) error {
		entry = nil
		return s.each(findOf(byHash, hash[:]), func(e *outbox.Entry) bool {
			entry = e // the last one is the newest
			return true
		})
	})
	if err == nil && entry == nil {
		err = outbox.UnknownHashError(hash)
	}
	return orNone(entry, err)
}

// step changes one entry. What step says is returned, also if there is nothing to write.
func (b *box) step(ctx context.Context, id uint64, step func(outbox.Row) (write bool, err error)) (*outbox.Entry, error) {
	return b.stepWith(ctx, id, step, func(*sends, outbox.Row) error { return nil })
}

// stepWith is step with what else is changed where the entry is.
func (b *box) stepWith(ctx context.Context, id uint64, step func(outbox.Row) (write bool, err error), with func(*sends, outbox.Row) error) (entry *outbox.Entry, err error) {
	due := false
	err = b.update(ctx, func(s *sends) error {
		due = false
		if entry, err = s.get(id); err != nil {
			return err
		}
		if entry == nil {
			return outbox.GoneError(id)
		}
		before := *entry
		row := outbox.Row{Entry: entry, Now: time.Now()}
		write, err := step(row)
		if err != nil || !write {
			return err
		}
		due = row.Due()
		return cmp.Or(s.put(&before, entry), with(s, row))
	})
	if err == nil && due {
		b.listeners.Tell()
	}
	return orNone(entry, err)
}

// AddAttempt implements [outbox.Outbox].
func (b *box) AddAttempt(ctx context.Context, id, version uint64, attempt outbox.Attempt, lease outbox.Lease) (*outbox.Entry, error) {
	return b.stepWith(ctx, id, func(row outbox.Row) (bool, error) {
		err := row.AddAttempt(version, attempt, lease)
		return err == nil, err
	}, func(s *sends, row outbox.Row) error { return s.keep(row.Entry, attempt.Reserved) })
}

// Settle implements [outbox.Outbox].
func (b *box) Settle(ctx context.Context, id, version uint64, outcome outbox.Outcome, lease outbox.Lease) (*outbox.Entry, error) {
	return b.stepWith(ctx, id,
		func(row outbox.Row) (bool, error) { return row.Settle(version, outcome, lease) },
		func(s *sends, row outbox.Row) error { return s.settleLedger(row.Entry, row.Now) })
}

// MarkGiven implements [outbox.Outbox].
func (b *box) MarkGiven(ctx context.Context, id, version uint64) (*outbox.Entry, error) {
	return b.step(ctx, id, func(row outbox.Row) (bool, error) { return row.MarkGiven(version) })
}

// Take implements [outbox.Outbox].
func (b *box) Take(ctx context.Context, id, version uint64, lease outbox.Lease) (*outbox.Entry, error) {
	return b.step(ctx, id, func(row outbox.Row) (bool, error) {
		err := row.Take(version, lease)
		return err == nil, err
	})
}

// MarkReported implements [outbox.Outbox].
func (b *box) MarkReported(ctx context.Context, id uint64) error {
	_, err := b.step(ctx, id, outbox.Row.MarkReported)
	return err
}

// Free implements [outbox.Outbox].
func (b *box) Free(ctx context.Context, id, version uint64) error {
	return b.update(ctx, func(s *sends) error {
		entry, err := s.get(id)
		if err != nil {
			return err
		}
		if entry == nil {
			return outbox.GoneError(id)
		}
		if err := (outbox.Row{Entry: entry, Now: time.Now()}).CheckFree(version); err != nil {
			return err
		}
		free := func(l *outbox.Ledger) error { l.Free(id); return nil }
		return cmp.Or(s.delete(entry), changeLedger(s.tx, refOf(entry), free))
	})
}

// delete forgets an entry.
func (s *sends) delete(e *outbox.Entry) error {
	c, err := s.census()
	if err != nil {
		return err
	}
	if err := s.put(e, nil); err != nil {
		return err
	}
	return s.putCensus(sendCensus{c.last, c.entries - 1})
}

// Claim implements [outbox.Outbox]. Where nothing is due, nothing is written.
func (b *box) Claim(ctx context.Context, chainID uint64, lease outbox.Lease, limit int) (claimed []*outbox.Entry, err error) {
	limit, err = outbox.Limit(limit, 100)
	if err := cmp.Or(lease.Validate(), err); err != nil {
		return nil, err
	}
	any := false
	if err := b.view(ctx, func(s *sends) error {
		due, err := s.due(chainID, 1)
		any = len(due) > 0
		return err
	}); err != nil {
		return nil, err
	}
	if _, reads := b.store.file.(*reader); !any && !reads {
		return nil, nil
	}
	err = b.update(ctx, func(s *sends) error {
		now := time.Now()
		if claimed, err = s.due(chainID, limit); err != nil {
			return err
		}
		for _, e := range claimed {
			before := *e
			outbox.Row{Entry: e, Now: now}.Claim(lease)
			if err := s.put(&before, e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return claimed, nil
}

// due returns the entries of a chain, of all chains for 0, that can be claimed, in turn.
func (s *sends) due(chainID uint64, limit int) (due []*outbox.Entry, err error) {
	now := time.Now()
	err = s.each([]byte{byLease}, func(e *outbox.Entry) bool {
		if len(due) == limit || !(outbox.Row{Entry: e, Now: now}).Due() {
			return false
		}
		if chainID == 0 || chainID == e.ChainID {
			due = append(due, e)
		}
		return true
	})
	return due, err
}

// Renew implements [outbox.Outbox].
func (b *box) Renew(ctx context.Context, lease outbox.Lease, ids ...uint64) (held []uint64, err error) {
	if err := lease.Validate(); err != nil {
		return nil, err
	}
	return b.holders(ctx, ids, func(row outbox.Row) bool { return row.Renew(lease) })
}

// Release implements [outbox.Outbox].
func (b *box) Release(ctx context.Context, holder string, ids ...uint64) error {
	if err := outbox.CheckHolder(holder); err != nil {
		return err
	}
	released, err := b.holders(ctx, ids, func(row outbox.Row) bool { return row.Release(holder) })
	if len(released) > 0 {
		b.listeners.Tell()
	}
	return err
}

// holders changes the leases of entries, and returns which of them it did.
func (b *box) holders(ctx context.Context, ids []uint64, step func(outbox.Row) bool) (changed []uint64, err error) {
	err = b.update(ctx, func(s *sends) error {
		now := time.Now()
		done := make(map[uint64]bool, len(ids))
		changed = nil
		for _, id := range ids {
			e, err := s.get(id)
			if err != nil {
				return err
			}
			if e == nil || done[id] {
				continue
			}
			before := *e
			if !step(outbox.Row{Entry: e, Now: now}) {
				continue
			}
			if err := s.put(&before, e); err != nil {
				return err
			}
			done[id] = true
			changed = append(changed, id)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return changed, nil
}

// List implements [outbox.Outbox].
func (b *box) List(ctx context.Context, query outbox.Query) (list []*outbox.Entry, err error) {
	if err := query.Validate(); err != nil {
		return nil, err
	}
	err = b.view(ctx, func(s *sends) error {
		list = nil
		return s.newestFirst(query.Before, func(e *outbox.Entry) bool {
			if query.Fits(e) {
				list = append(list, e)
			}
			return len(list) < query.Limit && ctx.Err() == nil
		})
	})
	return list, cmp.Or(err, ctx.Err())
}

// Sweep implements [outbox.Outbox].
func (b *box) Sweep(ctx context.Context, kept time.Duration, limit int) (n int, err error) {
	if limit, err = outbox.SweepLimit(kept, limit); err != nil {
		return 0, err
	}
	err = b.update(ctx, func(s *sends) error {
		now, over := time.Now(), []*outbox.Entry(nil)
		if err := s.each([]byte{byEnd}, func(e *outbox.Entry) bool {
			if len(over) == limit || !(outbox.Row{Entry: e, Now: now}).Over(kept) {
				return false
			}
			over = append(over, e)
			return true
		}); err != nil {
			return err
		}
		for _, e := range over {
			if err := s.delete(e); err != nil {
				return err
			}
		}
		n = len(over)
		return nil
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// Listen implements [outbox.Listener].
func (b *box) Listen(ctx context.Context, due func()) error { return b.listeners.Listen(ctx, due) }
