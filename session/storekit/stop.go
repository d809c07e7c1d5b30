package storekit

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/session"
)

// Stopped returns a [*session.StoppedError] if one of the stops is about a signature of the key for ref: the
// final ones first.
func Stopped(stops []session.Stop, ref session.Ref, key common.Address) error {
	var found *session.Stop
	for i := range stops {
		if s := &stops[i]; s.Stops(ref, key) && (found == nil || s.Final && !found.Final) {
			found = s
		}
	}
	if found == nil {
		return nil
	}
	return &session.StoppedError{Ref: ref, Stop: *found}
}

// AddStop returns the stops with one more, ordered by name, and that one as it is stored.
func AddStop(stops []session.Stop, stop session.Stop, now time.Time) ([]session.Stop, session.Stop, error) {
	if err := stop.Validate(); err != nil {
		return nil, session.Stop{}, err
	}
	at, taken := slices.BinarySearchFunc(stops, stop.Name, byName)
	if taken {
		return stops, stops[at], CheckSameStop(&stops[at], &stop)
	}
	stop.At = now.UTC().Truncate(time.Microsecond)
	return slices.Insert(slices.Clone(stops), at, stop), stop, nil
}

// CheckSameStop returns an error matching [session.ErrConflict] unless what has the name says the same.
func CheckSameStop(stored, stop *session.Stop) error {
	if stored.Same(stop) {
		return nil
	}
	return fmt.Errorf("%w: a stop of the name %q is there and says something else; choose another name", session.ErrConflict, stop.Name)
}

// LiftStop returns the stops without the one of that name.
func LiftStop(stops []session.Stop, name string) ([]session.Stop, error) {
	at, ok := slices.BinarySearchFunc(stops, name, byName)
	switch {
	case !ok:
		return nil, NoStopError(name)
	case stops[at].Final:
		return nil, FinalStopError(name)
	}
	return slices.Delete(slices.Clone(stops), at, at+1), nil
}

func byName(s session.Stop, name string) int { return strings.Compare(s.Name, name) }

// NoStopError returns the error of a name that no stop has, matching [session.ErrNotFound].
func NoStopError(name string) error {
	return fmt.Errorf("%w: no stop of the name %q; Stops lists them", session.ErrNotFound, name)
}

// FinalStopError returns the error of a stop that is not lifted, matching [session.ErrRevoked].
func FinalStopError(name string) error {
	return fmt.Errorf("%w: the stop %q is final, and is never lifted", session.ErrRevoked, name)
}
