package pgstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// How transactions begin. They say so themselves, whatever the database's defaults are: under another
// isolation, a version could be read as it was before its lock was had; and a standby refuses to write.
const (
	beginWrite = "begin isolation level read committed read write"
	beginRead  = "begin isolation level repeatable read read only"
	commit     = "commit"
)

// maxTries bounds how often a transaction is tried that the server could not serialize.
const maxTries = 10

// defaultTimeout bounds a round trip unless Config says otherwise; upgradeTime bounds the steps of the
// schema, which may have many rows to go through.
const (
	defaultTimeout = 10 * time.Second
	upgradeTime    = 10 * time.Minute
)

// errSlow is why a context ended that is not the caller's.
var errSlow = errors.New("the database did not answer in time; see whether it is up and can be reached, and what it waits for")

// bounded is a context that ends in any case: a server that was stopped, or a host behind a network that lets
// nothing through, answers nothing at all.
func bounded(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, limit, errSlow)
}

// slow says of an error that it is the end of a [bounded] context, or of the time to connect in, which may
// come just before it, and not of the caller's.
func slow(ctx context.Context, err error) error {
	cause := context.Cause(ctx)
	if mine := cause == nil || errors.Is(cause, errSlow); err != nil && mine && (cause != nil || errors.Is(err, context.DeadlineExceeded)) {
		return fmt.Errorf("%w: %w", errSlow, err)
	}
	return err
}

// round sends what queue puts into a batch: one transaction, in one round trip, tried again if the server
// could not serialize it, as then nothing of it was done. Results are read by the functions set on the
// batch's queries, in order.
func (s *Store) round(ctx context.Context, begin string, queue func(*pgx.Batch)) error {
	ctx, cancel := bounded(ctx, s.timeout)
	defer cancel()
	return s.tries(ctx, begin, queue)
}

// tries is round for a context that is bounded already.
func (s *Store) tries(ctx context.Context, begin string, queue func(*pgx.Batch)) (err error) {
	for range maxTries {
		batch := new(pgx.Batch)
		batch.Queue(begin)
		limitStatements(ctx, batch)
		queue(batch)
		batch.Queue(commit)
		err = s.pool.SendBatch(ctx, batch).Close()
		if code(err) != serializationFailure {
			return slow(ctx, err)
		}
	}
	return fmt.Errorf("tried %d times: %w", maxTries, err)
}

// limitStatements lets the server itself end statements with the context, should this process not be there to
// tell it. Where it is, that comes a little sooner and says why.
func limitStatements(ctx context.Context, batch *pgx.Batch) {
	if deadline, ok := ctx.Deadline(); ok {
		batch.Queue("select set_config('statement_timeout', $1, true)", limitText(time.Until(deadline)))
	}
}

// grace is what the server waits longer than this process does.
const grace = time.Second

// limitText writes one of the server's timeouts, which are in milliseconds of an int32.
func limitText(limit time.Duration) string {
	limit = min(max(limit, 0), 24*24*time.Hour) + grace
	return strconv.FormatInt(limit.Milliseconds(), 10)
}

// SQLSTATEs that are acted on.
const (
	serializationFailure = "40001"
	foreignKeyViolation  = "23503"
	uniqueViolation      = "23505"
	reservationGone      = "SES03" // of the schema's functions
)

// code returns the SQLSTATE of the server's answer, empty for another error.
func code(err error) string {
	var answer *pgconn.PgError
	if errors.As(err, &answer) {
		return answer.Code
	}
	return ""
}
