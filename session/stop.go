package session

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/session/policy"
)

// ErrStopped means that somebody threw the kill switch for what was to be signed; see [*StoppedError].
var ErrStopped = errors.New("stopped by the kill switch")

// Stop is a kill switch that somebody threw: of one key, of one account, of one key of one account, or of
// everything that is signed with a store. While it is there, nothing that it is about is signed: operations
// and, by an owner, messages. An operation that was signed before is not handed to a service again either, by
// a wait, a send under its key, Run, Reconcile or Submit of package account; userop.Sender knows no switch.
//
// A service that was given it may have it land all the same, unless the owner's Cancel or a revocation of its
// session lands before. Those two pass all stops.
//
// It is beside the tombstones of [Sessions.Suspend], which stop single sessions for good, and looked at in
// the same place: while the account's sessions are held for a signature.
type Stop struct {
	// Name is that by which it is lifted: printable UTF-8 of up to [MaxStopText] bytes.
	Name string `json:"name"`
	// Ref is the account, zero for all; Key is the key's address, zero for all. Both zero is everything.
	Ref Ref            `json:"ref,omitzero"`
	Key common.Address `json:"key,omitzero"`
	// Final says that it is never lifted, as for a key that somebody else may know: a tombstone.
	Final bool `json:"final,omitempty"`
	// Who and Why are for whoever finds it: printable UTF-8 of up to MaxStopText bytes.
	Who string `json:"who"`
	Why string `json:"why"`
	// At is when it was stored, by the store's clock; the store sets it.
	At time.Time `json:"at"`
}

// MaxStopText bounds the bytes of each text of a [Stop].
const MaxStopText = 255

// Switch is a [Store] with a kill switch, as the stores of packages filestore, pgstore and memstore are. What
// is stopped in it no process that shares it signs with from then on: once Stop has returned, no signature is
// made that it is about.
type Switch interface {
	// Stop stores a stop, and returns it as it is stored. It waits for the signatures that are under way, up
	// to [MaxHold]. The same again changes nothing; another one of a name that is taken is an error matching
	// [ErrConflict], and one that says nothing of who and why matches [policy.ErrInvalid].
	Stop(ctx context.Context, stop Stop) (Stop, error)
	// Lift removes the stop of that name. None is an error matching [ErrNotFound], a final one one matching
	// [ErrRevoked].
	Lift(ctx context.Context, name string) error
	// Stops returns all that are there, ordered by name.
	Stops(ctx context.Context) ([]Stop, error)
	// HoldKey is [Store].Hold for a signature of that key: where a stop is about it, it is a [*StoppedError]
	// and fn is not called. Hold is HoldKey for a key that is not known, which the stop of any key of the
	// account is about.
	HoldKey(ctx context.Context, ref Ref, key common.Address, fn func(version uint64) error) error
}

// StoppedError is a signature that a stop is about. It matches [ErrStopped].
type StoppedError struct {
	Ref  Ref
	Stop Stop
}

// Error says what is stopped, by whom, when and why, and how to go on.
func (e *StoppedError) Error() string {
	way := fmt.Sprintf("lift it by its name, %q", e.Stop.Name)
	if e.Stop.Final {
		way = fmt.Sprintf("%q is never lifted: use another key", e.Stop.Name)
	}
	return fmt.Sprintf("%v: %s; %s stopped %s at %s: %s; %s",
		ErrStopped, e.Ref, e.Stop.Who, e.Stop.about(), e.Stop.At.UTC().Format(time.RFC3339), e.Stop.Why, way)
}

// Is makes a StoppedError match [ErrStopped].
func (e *StoppedError) Is(target error) bool { return target == ErrStopped }

// HeldBack reports true: nothing was signed, or handed out. It is for who knows errors by what they tell.
func (e *StoppedError) HeldBack() bool { return true }

func (s *Stop) about() string {
	switch {
	case s.Ref == Ref{} && s.Key == common.Address{}:
		return "everything"
	case s.Ref == Ref{}:
		return "key " + s.Key.Hex()
	case s.Key == common.Address{}:
		return s.Ref.String()
	}
	return "key " + s.Key.Hex() + " of " + s.Ref.String()
}

// Validate returns an error matching [policy.ErrInvalid] for a stop that cannot be stored.
func (s *Stop) Validate() error {
	for _, text := range []struct{ what, is string }{{"name", s.Name}, {"who", s.Who}, {"why", s.Why}} {
		if text.is == "" || len(text.is) > MaxStopText || !utf8.ValidString(text.is) || strings.ContainsFunc(text.is, func(r rune) bool { return !unicode.IsPrint(r) }) {
			return fmt.Errorf("%w: a stop's %s is %d bytes; it is printable text of 1 to %d", policy.ErrInvalid, text.what, len(text.is), MaxStopText)
		}
	}
	if s.Ref != (Ref{}) {
		return s.Ref.Validate()
	}
	return nil
}

// Stops reports whether it is about a signature of that key for that account; the zero key is one that is not
// known.
func (s *Stop) Stops(ref Ref, key common.Address) bool {
	return (s.Ref == Ref{} || s.Ref == ref) && (s.Key == common.Address{} || key == common.Address{} || s.Key == key)
}

// Same reports whether two stops say the same, whenever they were stored.
func (s *Stop) Same(other *Stop) bool {
	a, b := *s, *other
	a.At, b.At = time.Time{}, time.Time{}
	return a == b
}

// hold holds the sessions for a signature of the key.
func hold(ctx context.Context, store Store, ref Ref, key common.Address, fn func(version uint64) error) error {
	if s, ok := store.(Switch); ok {
		return s.HoldKey(ctx, ref, key, fn)
	}
	return store.Hold(ctx, ref, fn)
}
