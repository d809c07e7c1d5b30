package outbox

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Row is an entry as a store changes it at a moment of its clock. Its methods are the steps of an entry's
// life, so that all stores judge them by the same rules; who uses an outbox does not need it. A step that
// fails changes nothing.
type Row struct {
	*Entry
	Now time.Time
}

// NewRow returns a row of what is recorded for the first time, under an ID that no entry had. It shares no
// memory with the recording.
func NewRow(id uint64, r *Recording, now time.Time) (Row, error) {
	if err := r.Validate(); err != nil {
		return Row{}, err
	}
	entry := &Entry{ID: id, Version: 1, Send: r.Send, Nonce: r.Attempt.Operation.Nonce, State: StateOpen, CreatedAt: stamp(now), UpdatedAt: stamp(now)}
	row := Row{Entry: entry, Now: now}
	row.append(r.Attempt)
	row.lease(r.Lease)
	return row, nil
}

// stamp is a moment as every store can keep it.
func stamp(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

func (r Row) append(a Attempt) {
	a.Operation, a.At, a.Reserved = a.Operation.Clone(), stamp(r.Now), 0
	r.Attempts = append(slices.Clip(r.Attempts), a)
}

func (r Row) lease(l Lease) {
	r.Holder, r.LeaseUntil = l.Holder, time.Time{}
	if l != (Lease{}) {
		r.LeaseUntil = stamp(r.Now.Add(l.TTL))
	}
}

func (r Row) changed() {
	r.Version++
	r.UpdatedAt = stamp(r.Now)
}

// Leased reports whether somebody has the entry.
func (r Row) Leased() bool { return r.LeaseUntil.After(r.Now) }

// Held reports whether it is the holder's, or was and became nobody else's.
func (r Row) Held(holder string) bool { return r.Holder == holder && holder != "" && !r.done() }

// Due reports whether the entry can be claimed.
func (r Row) Due() bool { return !r.done() && !r.Leased() }

// done reports whether nobody has anything to do any more.
func (r Row) done() bool { return r.State != StateOpen && r.Reported }

// at compares the version.
func (r Row) at(version uint64) error {
	if r.Version != version {
		return fmt.Errorf("%w: %s is at version %d, not %d any more; read it again", ErrConflict, r.Entry, r.Version, version)
	}
	return nil
}

func (r Row) open() error {
	if r.State != StateOpen {
		return fmt.Errorf("%w: %s", ErrSettled, r.Entry)
	}
	return nil
}

// AddAttempt does what [Outbox.AddAttempt] says.
func (r Row) AddAttempt(version uint64, attempt Attempt, lease Lease) error {
	if err := lease.Validate(); err != nil {
		return err
	}
	if err := r.open(); err != nil {
		return err
	}
	if err := r.at(version); err != nil {
		return err
	}
	if err := r.checkNext(&attempt); err != nil {
		return err
	}
	r.append(attempt)
	r.lease(lease)
	r.Given = true
	r.changed()
	return nil
}

// Settle does what [Outbox.Settle] says, and reports whether anything changed.
func (r Row) Settle(version uint64, outcome Outcome, lease Lease) (changed bool, err error) {
	if lease != (Lease{}) {
		if err := lease.Validate(); err != nil {
			return false, err
		}
	}
	if err := outcome.validate(); err != nil {
		return false, err
	}
	if r.State != StateOpen {
		if !r.Outcome.same(&outcome) {
			return false, fmt.Errorf("%w: %s, and is to be %s now", ErrSettled, r.Entry, outcome.State)
		}
		return false, nil
	}
	if !outcome.State.Included() {
		if err := r.at(version); err != nil {
			return false, err
		}
	}
	if err := r.checkOutcome(&outcome); err != nil {
		return false, err
	}
	outcome.RevertData = slices.Clone(outcome.RevertData)
	r.State, r.Outcome, r.Given, r.EndedAt = outcome.State, outcome, true, stamp(r.Now)
	r.lease(lease)
	r.changed()
	return true, nil
}

// MarkGiven does what [Outbox.MarkGiven] says, and reports whether anything changed.
func (r Row) MarkGiven(version uint64) (changed bool, err error) {
	if err := r.at(version); err != nil || r.Given {
		return false, err
	}
	r.Given = true
	r.changed()
	return true, nil
}

// CheckFree returns an error if [Outbox.Free] may not delete the entry.
func (r Row) CheckFree(version uint64) error {
	if r.Given {
		return fmt.Errorf("%w: %s", ErrGiven, r.Entry)
	}
	return r.at(version)
}

// Claim leases an entry that is due.
func (r Row) Claim(lease Lease) {
	r.lease(lease)
	r.Given = true
	r.changed()
}

// Take does what [Outbox.Take] says. One's own lease is no other's.
func (r Row) Take(version uint64, lease Lease) error {
	if err := lease.Validate(); err != nil {
		return err
	}
	if err := r.at(version); err != nil {
		return err
	}
	switch {
	case r.done():
		return fmt.Errorf("%w, and its outcome was reported: %s", ErrSettled, r.Entry)
	case r.Leased() && r.Holder != lease.Holder:
		return fmt.Errorf("%w: %s is %q's for %s", ErrLeased, r.Entry, r.Holder, r.LeaseUntil.Sub(r.Now).Round(time.Millisecond))
	}
	r.Claim(lease)
	return nil
}

// Renew makes the holder's lease last, and reports whether it is the holder's.
func (r Row) Renew(lease Lease) bool {
	if !r.Held(lease.Holder) {
		return false
	}
	r.lease(lease)
	return true
}

// Release ends the holder's lease, and reports whether it was the holder's.
func (r Row) Release(holder string) bool {
	if !r.Held(holder) {
		return false
	}
	r.lease(Lease{})
	return true
}

// MarkReported does what [Outbox.MarkReported] says, and reports whether anything changed.
func (r Row) MarkReported() (changed bool, err error) {
	switch {
	case r.State == StateOpen:
		return false, fmt.Errorf("%w: %s has no outcome that could have been reported", ErrConflict, r.Entry)
	case r.Reported:
		return false, nil
	}
	r.Reported = true
	r.lease(Lease{})
	r.changed()
	return true, nil
}

// Over reports whether the entry can be swept.
func (r Row) Over(kept time.Duration) bool {
	return r.done() && r.EndedAt.Before(r.Now.Add(-kept))
}

// InTurn orders entries as they are claimed.
func InTurn(a, b *Entry) int {
	return cmp.Or(a.LeaseUntil.Compare(b.LeaseUntil), cmp.Compare(a.ID, b.ID))
}

// Fits reports whether a listing has the entry.
func (q *Query) Fits(e *Entry) bool {
	return (q.ChainID == 0 || q.ChainID == e.ChainID) &&
		(q.Account == noAccount || q.Account == e.Account) &&
		(q.State == 0 || q.State == e.State) &&
		(!q.Unreported || e.State != StateOpen && !e.Reported) &&
		(q.Before == 0 || e.ID < q.Before)
}
