package pgstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/storekit"
)

const (
	// releaseTime bounds giving a held session back when the caller's context is over already.
	releaseTime = 5 * time.Second

	limitHold  = `select set_config('statement_timeout', $1, true), set_config('idle_in_transaction_session_timeout', $2, true)`
	lockShared = `select pg_advisory_xact_lock_shared(sesame_lock(` + program + `, 'session', $1, $2))`
)

// Hold implements [session.Store]. Several may hold an account's sessions at once; a change of them waits for
// those that were there before it, and those that come after it wait for the change.
//
// The server takes the lock back if this process is not heard of until a second after it should have given it
// back, so that a machine that died holds up nobody for good. If the lock was lost in this or another way
// before fn returned, Hold returns an error.
//
// The sessions of at most one account less than the pool has connections are held or changed at once; more
// wait for their turn.
func (s *Store) Hold(ctx context.Context, ref session.Ref, fn func(version uint64) error) error {
	return s.HoldKey(ctx, ref, common.Address{}, fn)
}

// HoldKey implements [session.Switch]: what is stopped is read under the same lock, in the same round trip.
func (s *Store) HoldKey(ctx context.Context, ref session.Ref, key common.Address, fn func(version uint64) error) error {
	if err := s.check(ctx, ref); err != nil {
		return err
	}
	doing := "hold sessions of " + ref.String()
	waiting, cancel := bounded(ctx, s.lockTime)
	defer cancel()
	leave, err := s.enter(waiting, doing)
	if err != nil {
		return err
	}
	conn, err := s.pool.Acquire(waiting)
	if err != nil {
		leave()
		return s.fail(ctx, doing, slow(waiting, err))
	}
	version, stops, err := lock(waiting, ctx, conn, ref, key)
	if err != nil {
		conn.Release() // drops the connection, which is amid a transaction
		leave()
		return s.fail(ctx, doing, slow(waiting, err))
	}
	release := func() error {
		defer leave()
		defer conn.Release()
		if err := unlock(ctx, conn); err != nil {
			return explain("give the lock back", s.pool.Config().ConnConfig, err)
		}
		return nil
	}
	return storekit.Hold(ctx, ref, release, func() error {
		if err := storekit.Stopped(stops, ref, key); err != nil {
			return err
		}
		return fn(version)
	})
}

// enter waits until one more may hold or change sessions.
func (s *Store) enter(ctx context.Context, doing string) (leave func(), err error) {
	select {
	case s.waits <- struct{}{}:
		return func() { <-s.waits }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("%s: waited for a free connection: %w", doing, slow(ctx, ctx.Err()))
	}
}

// lock begins a transaction that holds ref for a caller with the context held, and returns the version it
// holds, and what stops the key.
func lock(ctx, held context.Context, conn *pgxpool.Conn, ref session.Ref, key common.Address) (version uint64, stops []session.Stop, err error) {
	batch := new(pgx.Batch)
	batch.Queue(beginWrite)
	deadline, _ := ctx.Deadline() // it is bounded
	batch.Queue(limitHold, limitText(time.Until(deadline)), limitText(storekit.HoldTime(held)))
	batch.Queue(lockStopShared)
	batch.Queue(lockShared, ref.ChainID, ref.Account[:])
	queueVersion(batch, ref, &version) // a statement of its own, to see what the lock has waited for
	batch.Queue(stopsAbout, int64(ref.ChainID), ref.Account[:], orNoKey(key)).Query(scanStops(&stops))
	err = conn.SendBatch(ctx, batch).Close()
	return version, stops, err
}

// unlock ends the transaction, also when ctx is over. An error means that the lock may have been lost.
func unlock(ctx context.Context, conn *pgxpool.Conn) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTime)
	defer cancel()
	tag, err := conn.Exec(ctx, commit)
	if err == nil && tag.String() != "COMMIT" {
		err = errors.New("the server had rolled back")
	}
	return err
}
