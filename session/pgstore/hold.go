package pgstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/go-sesame/sesame/session"
)

const (
	// maxHold is how long an account's sessions are held for a caller whose context has no deadline.
	maxHold = time.Minute
	// releaseTime bounds giving a held session back when the caller's context is over already.
	releaseTime = 5 * time.Second

	lockShared = `select pg_advisory_xact_lock_shared(sesame_lock(` + program + `, 'session', $1, $2))`
)

// Hold implements [session.Store]. Several may hold an account's sessions at once; a change of them waits for
// those that were there before it, and those that come after it wait for the change.
//
// The server takes the lock back if this process is not heard of until the context's deadline, or for a
// minute where there is none, so that a machine that died holds up nobody for good. If the lock was lost in
// this or another way before fn returned, Hold returns an error.
//
// The sessions of at most one account less than the pool has connections are held or changed at once; more
// wait for their turn.
func (s *Store) Hold(ctx context.Context, ref session.Ref, fn func(version uint64) error) error {
	if err := s.check(ctx, ref); err != nil {
		return err
	}
	doing := "hold sessions of " + ref.String()
	leave, err := s.enter(ctx, doing)
	if err != nil {
		return err
	}
	defer leave()
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return s.fail(ctx, doing, err)
	}
	defer conn.Release() // drops the connection, and the lock with it, if fn panicked

	version, err := lock(ctx, conn, ref)
	if err != nil {
		return s.fail(ctx, doing, err)
	}
	fnErr := fn(version)
	if err := unlock(ctx, conn); err != nil && fnErr == nil {
		return s.fail(ctx, "sessions of "+ref.String()+" were not held to the end", err)
	}
	return fnErr
}

// enter waits until one more may hold or change sessions.
func (s *Store) enter(ctx context.Context, doing string) (leave func(), err error) {
	select {
	case s.waits <- struct{}{}:
		return func() { <-s.waits }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("%s: waited for a free connection: %w", doing, ctx.Err())
	}
}

// lock begins a transaction that holds ref and returns the version it holds.
func lock(ctx context.Context, conn *pgxpool.Conn, ref session.Ref) (version uint64, err error) {
	limit := maxHold
	if deadline, ok := ctx.Deadline(); ok {
		limit = time.Until(deadline)
	}
	batch := new(pgx.Batch)
	batch.Queue(beginWrite)
	limitStatements(ctx, batch)
	setLimit(batch, "idle_in_transaction_session_timeout", limit)
	batch.Queue(lockShared, ref.ChainID, ref.Account[:])
	queueVersion(batch, ref, &version) // a statement of its own, to see what the lock has waited for
	err = conn.SendBatch(ctx, batch).Close()
	return version, err
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
