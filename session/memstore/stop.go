package memstore

import (
	"context"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/storekit"
)

// Hold implements [session.Store].
func (s *Store) Hold(ctx context.Context, ref session.Ref, fn func(version uint64) error) error {
	return s.HoldKey(ctx, ref, common.Address{}, fn)
}

// HoldKey implements [session.Switch].
func (s *Store) HoldKey(ctx context.Context, ref session.Ref, key common.Address, fn func(version uint64) error) (err error) {
	entry, err := s.enter(ctx, ref)
	if err != nil {
		return err
	}
	defer s.users.Done()
	forAll, forRef, held, err := s.holdBoth(ctx, entry)
	if err != nil {
		return err
	}
	defer func() { // also when fn panics
		kept := entry.lock.release(forRef)
		kept = s.everyone.release(forAll) && kept
		if err == nil && (!kept || time.Now().After(held.end)) {
			err = storekit.LateError(ref, held.limit)
		}
	}()
	if err := storekit.Stopped(s.stopped(), ref, key); err != nil {
		return err
	}
	return fn(entry.state.Load().Version)
}

// holdBoth holds what whoever signs does, and the account. Where the first was broken while the second was
// waited for, both begin anew.
func (s *Store) holdBoth(ctx context.Context, e *entry) (forAll, forRef uint64, held span, err error) {
	for {
		held = fromNow(ctx)
		if forAll, err = s.everyone.hold(ctx, &held); err != nil {
			return 0, 0, span{}, err
		}
		began := held
		if forRef, err = e.lock.hold(ctx, &held); err != nil {
			s.everyone.release(forAll)
			return 0, 0, span{}, err
		}
		if held == began || s.everyone.prolong(forAll, &held) {
			return forAll, forRef, held, nil
		}
		e.lock.release(forRef)
	}
}

func (s *Store) stopped() []session.Stop {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stops
}

// Stop implements [session.Switch].
func (s *Store) Stop(ctx context.Context, stop session.Stop) (stored session.Stop, err error) {
	if err := stop.Validate(); err != nil {
		return session.Stop{}, err
	}
	entry, err := s.enter(ctx, stop.Ref)
	if err != nil {
		return session.Stop{}, err
	}
	defer s.users.Done()
	lock := &entry.lock
	if stop.Ref == (session.Ref{}) {
		lock = &s.everyone
	}
	if err := lock.change(ctx); err != nil {
		return session.Stop{}, err
	}
	defer lock.changed()
	s.mu.Lock()
	defer s.mu.Unlock()
	stops, stored, err := storekit.AddStop(s.stops, stop, time.Now())
	if err != nil {
		return session.Stop{}, err
	}
	s.stops = stops
	return stored, nil
}

// Lift implements [session.Switch].
func (s *Store) Lift(ctx context.Context, name string) error {
	if err := s.check(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	stops, err := storekit.LiftStop(s.stops, name)
	if err != nil {
		return err
	}
	s.stops = stops
	return nil
}

// Stops implements [session.Switch].
func (s *Store) Stops(ctx context.Context) ([]session.Stop, error) {
	if err := s.check(ctx); err != nil {
		return nil, err
	}
	return slices.Clone(s.stopped()), nil
}
