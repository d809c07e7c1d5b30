package memstore

import (
	"context"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/storekit"
)

// all is what is held, beside its account, by whoever signs at all: no account is at the zero Ref.
var all = session.Ref{}

// Hold implements [session.Store].
func (s *Store) Hold(ctx context.Context, ref session.Ref, fn func(version uint64) error) error {
	return s.HoldKey(ctx, ref, common.Address{}, fn)
}

// HoldKey implements [session.Switch].
func (s *Store) HoldKey(ctx context.Context, ref session.Ref, key common.Address, fn func(version uint64) error) (err error) {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.users.Done()
	everyone, entry := s.entry(all), s.entry(ref)
	forAll, err := everyone.lock.hold(ctx)
	if err != nil {
		return err
	}
	forRef, err := entry.lock.hold(ctx)
	if err != nil {
		everyone.lock.release(forAll)
		return err
	}
	limit := storekit.HoldTime(ctx)
	end := time.Now().Add(limit)
	defer func() { // also when fn panics
		kept := entry.lock.release(forRef)
		kept = everyone.lock.release(forAll) && kept
		if err == nil && (!kept || time.Now().After(end)) {
			err = storekit.LateError(ref, limit)
		}
	}()
	if err := storekit.Stopped(s.stopped(), ref, key); err != nil {
		return err
	}
	return fn(entry.state.Load().Version)
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
	if err := s.enter(ctx); err != nil {
		return session.Stop{}, err
	}
	defer s.users.Done()
	lock := &s.entry(stop.Ref).lock // all for a stop of no account
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
