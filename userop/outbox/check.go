package outbox

import (
	"bytes"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/ethereum/go-ethereum/common"
)

var noAccount common.Address

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}

// CheckKey returns an error matching [ErrInvalid] for a key that no entry can have.
func CheckKey(key string) error { return checkName("key", key, MaxKey) }

// checkName judges a name: it is one printable line that is not too long.
func checkName(what, name string, most int) error {
	switch {
	case name == "":
		return invalid("no %s", what)
	case len(name) > most:
		return invalid("a %s of %d bytes; %d are taken", what, len(name), most)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return invalid("%s %+q has what is not printable", what, name)
	}
	return nil
}

// Validate returns an error matching [ErrInvalid] for a send that cannot be recorded.
func (s *Send) Validate() error {
	switch {
	case s.ChainID == 0:
		return invalid("no chain ID")
	case s.ChainID > 1<<63-1:
		return invalid("chain ID %d is beyond what is kept", s.ChainID)
	case s.Account == noAccount:
		return invalid("no account")
	case s.EntryPoint == noAccount:
		return invalid("no EntryPoint")
	case len(s.Asked) > MaxAsked:
		return invalid("what was asked for takes %d bytes; %d are taken, give a hash of what is long", len(s.Asked), MaxAsked)
	case !utf8.ValidString(s.Asked):
		return invalid("what was asked for is not UTF-8")
	}
	if err := CheckKey(s.Key); err != nil {
		return err
	}
	return checkName("kind", s.Kind, MaxKind)
}

// Validate returns an error matching [ErrInvalid] for a lease that cannot be.
func (l *Lease) Validate() error {
	if l.TTL <= 0 || l.TTL > MaxTTL {
		return invalid("a lease of %s; it lasts more than nothing and %s at most", l.TTL, MaxTTL)
	}
	return CheckHolder(l.Holder)
}

// CheckHolder returns an error matching [ErrInvalid] for a name that no holder of a lease can have.
func CheckHolder(name string) error { return checkName("holder", name, MaxKey) }

// Validate returns an error matching [ErrInvalid] for what cannot be recorded.
func (r *Recording) Validate() error {
	if err := r.Send.Validate(); err != nil {
		return err
	}
	if err := r.Lease.Validate(); err != nil {
		return err
	}
	return r.Attempt.check(&r.Send)
}

// check judges a signed operation by the send that it is for.
func (a *Attempt) check(s *Send) error {
	op := a.Operation
	if op == nil {
		return invalid("%s without an operation", s.name())
	}
	size := len(op.InitCode) + len(op.CallData) + len(op.PaymasterAndData) + len(op.Signature)
	switch {
	case op.Sender != s.Account:
		return invalid("an operation of %s for %s of %s", op.Sender, s.name(), place(s.ChainID, s.Account))
	case len(op.Signature) == 0:
		return invalid("the operation for %s is not signed", s.name())
	case size > MaxOperation:
		return invalid("an operation of %d bytes; %d are taken", size, MaxOperation)
	case a.Until > 1<<63-1:
		return invalid("an operation until %d; give 0 for no end", a.Until)
	}
	if is := op.Hash(s.EntryPoint, s.ChainID); is != a.Hash {
		return invalid("the operation for %s is not %s but %s, at EntryPoint %s on chain %d", s.name(), a.Hash, is, s.EntryPoint, s.ChainID)
	}
	return nil
}

// checkNext judges a further operation of the entry.
func (e *Entry) checkNext(a *Attempt) error {
	if err := a.check(&e.Send); err != nil {
		return err
	}
	switch {
	case a.Operation.Nonce != e.Nonce:
		return invalid("an operation of nonce %s for %s, whose nonce is %s: both could be included", a.Operation.Nonce.Hex(), e.name(), e.Nonce.Hex())
	case len(e.Attempts) >= MaxAttempts:
		return invalid("%s has %d operations, and no more are taken", e.name(), len(e.Attempts))
	}
	for i := range e.Attempts {
		if known := &e.Attempts[i]; known.Hash == a.Hash && bytes.Equal(known.Operation.Signature, a.Operation.Signature) {
			return invalid("operation %s is one of %s already", a.Hash, e.name())
		}
	}
	return nil
}

// validate judges an outcome on its own.
func (o *Outcome) validate() error {
	switch {
	case !o.State.ended():
		return invalid("an outcome that is %s", o.State)
	case len(o.RevertData) > MaxRevertData || len(o.Reason) > MaxRevertData:
		return invalid("an outcome whose revert is longer than %d bytes", MaxRevertData)
	case !utf8.ValidString(o.Reason):
		return invalid("an outcome whose reason is not UTF-8")
	case o.BlockNumber > 1<<63-1 || o.Until > 1<<63-1 || o.BlockTime > 1<<63-1:
		return invalid("an outcome of a time that never comes")
	case o.State.Included() && (o.By != common.Hash{} || o.Until != 0 || o.BlockTime != 0):
		return invalid("an operation that %s, and did not", o.State)
	case o.State.Included() && (o.Hash == common.Hash{} || o.Transaction == common.Hash{}):
		return invalid("an operation that %s without its hash or its transaction", o.State)
	case o.State == StateEnded && o.Hash != common.Hash{}:
		return invalid("an entry that ended by operation %s of its own", o.Hash)
	case o.State == StateEnded && o.By == common.Hash{} && (o.Until == 0 || o.BlockTime <= o.Until):
		return invalid("an entry that ended at %d, and had time until %d", o.BlockTime, o.Until)
	}
	return nil
}

// checkOutcome judges an outcome by the entry's operations.
func (e *Entry) checkOutcome(o *Outcome) error {
	last := e.Until()
	switch {
	case o.State.Included() && e.Attempt(o.Hash) == nil:
		return invalid("operation %s is none of %s", o.Hash, e.name())
	case o.State == StateEnded && o.By != common.Hash{} && e.Attempt(o.By) != nil:
		return invalid("operation %s, which used the nonce, is one of %s: it landed, or reverted", o.By, e.name())
	case o.State == StateEnded && o.By == common.Hash{} && (last == 0 || o.BlockTime <= last):
		return invalid("an operation of %s can be included until %d, and it is %d", e.name(), last, o.BlockTime)
	}
	return nil
}

// ValidateStored returns an error matching [ErrInvalid] unless e is an entry as a store can have written it: to
// be asked of what was read.
func (e *Entry) ValidateStored() error {
	if err := e.Send.Validate(); err != nil {
		return err
	}
	if e.ID == 0 || e.Version == 0 || len(e.Attempts) == 0 || len(e.Attempts) > MaxAttempts {
		return invalid("%s with ID %d, version %d and %d operations", e.name(), e.ID, e.Version, len(e.Attempts))
	}
	for i := range e.Attempts {
		a := &e.Attempts[i]
		if err := a.check(&e.Send); err != nil {
			return err
		}
		if a.Operation.Nonce != e.Nonce {
			return invalid("operation %s of %s has another nonce than %s", a.Hash, e.name(), e.Nonce.Hex())
		}
	}
	if e.State == StateOpen {
		if e.Outcome.State != 0 || e.Reported || !e.EndedAt.IsZero() {
			return invalid("%s is open, and has an outcome", e.name())
		}
		return nil
	}
	if e.State != e.Outcome.State {
		return invalid("%s is %s, and its outcome %s", e.name(), e.State, e.Outcome.State)
	}
	if err := e.Outcome.validate(); err != nil {
		return err
	}
	return e.checkOutcome(&e.Outcome)
}

// Validate returns an error matching [ErrInvalid] for a query that no entry can fit, and sets its limit.
func (q *Query) Validate() error {
	if q.State != 0 && q.State != StateOpen && !q.State.ended() {
		return invalid("list what is in %s", q.State)
	}
	if q.Unreported && q.State == StateOpen {
		return invalid("list what is open, and was to be reported")
	}
	var err error
	q.Limit, err = Limit(q.Limit, 100)
	return err
}

// Limit returns how many entries a call may have at most: so many for 0, and 1000 at most.
func Limit(asked, otherwise int) (int, error) {
	if asked < 0 || asked > 1000 {
		return 0, invalid("a limit of %d; it is 1 to 1000, or 0 for %d", asked, otherwise)
	}
	if asked == 0 {
		return otherwise, nil
	}
	return asked, nil
}

// SweepLimit is [Limit] for [Outbox.Sweep].
func SweepLimit(kept time.Duration, asked int) (int, error) {
	if kept < 0 {
		return 0, invalid("sweep what ended %s ago", kept)
	}
	return Limit(asked, 1000)
}
