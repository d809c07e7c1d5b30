package filestore

import (
	"context"
	"encoding/json"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"go.etcd.io/bbolt"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/storekit"
)

// stopsKey is where in meta the stops are, as a list in JSON that is ordered by name.
var stopsKey = []byte("stops")

// all is what is held, beside its account, by whoever signs at all: no account is at the zero Ref.
var all = session.Ref{}

func stopsOf(tx *bbolt.Tx) (stops []session.Stop, err error) {
	stored := tx.Bucket(metaBucket).Get(stopsKey)
	if stored == nil {
		return nil, nil
	}
	record, err := checked(metaBucket, stopsKey, stored, "the list of stops")
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(record, &stops); err != nil {
		return nil, damaged("the list of stops: %v", err)
	}
	return stops, nil
}

func putStops(tx *bbolt.Tx, stops []session.Stop) error {
	record, err := json.Marshal(stops)
	if err != nil {
		return err
	}
	return tx.Bucket(metaBucket).Put(stopsKey, withSum(metaBucket, stopsKey, record))
}

// Hold implements [session.Store]. Other methods may be called meanwhile, except for changes of ref.
func (s *Store) Hold(ctx context.Context, ref session.Ref, fn func(version uint64) error) error {
	return s.HoldKey(ctx, ref, common.Address{}, fn)
}

// HoldKey implements [session.Switch]. A process that reads along sees what the one that writes has stopped.
func (s *Store) HoldKey(ctx context.Context, ref session.Ref, key common.Address, fn func(version uint64) error) error {
	return s.file.hold(ctx, ref, func() error {
		var version uint64
		var stops []session.Stop
		err := s.file.view(ctx, func(tx *bbolt.Tx) (err error) {
			if stops, err = stopsOf(tx); err == nil {
				version, err = sessionsOf(tx, ref).version()
			}
			return err
		})
		if err != nil {
			return s.in(err)
		}
		if err := storekit.Stopped(stops, ref, key); err != nil {
			return err
		}
		return fn(version)
	})
}

// Stop implements [session.Switch]. Only the process that has the store open for writing throws it.
func (s *Store) Stop(ctx context.Context, stop session.Stop) (stored session.Stop, err error) {
	if err := stop.Validate(); err != nil {
		return session.Stop{}, err
	}
	err = s.file.exclusive(ctx, stop.Ref, func() error { // which is all for a stop of no account
		return s.file.update(ctx, func(tx *bbolt.Tx) error {
			stops, err := stopsOf(tx)
			if err != nil {
				return err
			}
			if stops, stored, err = storekit.AddStop(stops, stop, time.Now()); err != nil {
				return err
			}
			return putStops(tx, stops)
		})
	})
	if err != nil {
		return session.Stop{}, s.in(err)
	}
	return stored, nil
}

// Lift implements [session.Switch].
func (s *Store) Lift(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.in(s.file.update(ctx, func(tx *bbolt.Tx) error {
		stops, err := stopsOf(tx)
		if err == nil {
			stops, err = storekit.LiftStop(stops, name)
		}
		if err != nil {
			return err
		}
		return putStops(tx, stops)
	}))
}

// Stops implements [session.Switch].
func (s *Store) Stops(ctx context.Context) (stops []session.Stop, err error) {
	err = s.file.view(ctx, func(tx *bbolt.Tx) error {
		stops, err = stopsOf(tx)
		return err
	})
	return stops, s.in(err)
}
