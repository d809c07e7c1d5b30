package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/userop"
)

// databaseQueue is a queue in the database that has the sessions, for many processes. A claim is a row lock:
// the database ends it with the connection of a process that was killed.
type databaseQueue struct {
	pool *pgxpool.Pool
	run  int64
}

const (
	createTables = `
		select pg_advisory_xact_lock(31517365); -- of two that start at once, one makes them
		create table if not exists many_users_runs (
			id        bigint generated always as identity primary key,
			rpc       text not null,
			bundler   text not null,
			paymaster text not null,
			users     bigint not null
		);
		create table if not exists many_users_jobs (
			run         bigint not null references many_users_runs on delete cascade,
			account     bytea not null,
			operation   jsonb, -- the only one for this job, committed before it is sent
			transaction bytea, -- that has it
			primary key (run, account)
		);`
	insertRun  = `insert into many_users_runs (rpc, bundler, paymaster, users) values ($1, $2, $3, $4) returning id`
	selectRun  = `select id, rpc, bundler, paymaster from many_users_runs order by id desc limit 1`
	deleteRun  = `delete from many_users_runs where id = $1`
	insertJobs = `insert into many_users_jobs (run, account) select $1, unnest($2::bytea[])`

	takeJob = `select account, operation from many_users_jobs where run = $1 and transaction is null
		order by operation is null, account limit 1 for update skip locked`
	countDone = `select count(*) from many_users_jobs where run = $1 and transaction is not null`
	// A run that is gone is done: whoever began it removes it.
	allDone   = `select coalesce((select users <= (` + countDone + `) from many_users_runs where id = $1), true)`
	recordJob = `update many_users_jobs set operation = $3 where run = $1 and account = $2`
	finishJob = `update many_users_jobs set transaction = $3 where run = $1 and account = $2`
)

// jobTimeout bounds what a worker does for one job; a process that is not heard of for longer loses its
// claims.
const jobTimeout = time.Minute

// connect opens a pool with a connection for each worker, since one that is at a job keeps its own.
func connect(ctx context.Context, o *options) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(o.store)
	if err != nil {
		return nil, errors.New("-store: not a PostgreSQL URL") // pgx's error would quote it
	}
	config.MaxConns = int32(o.workers + 1)
	config.ConnConfig.RuntimeParams["idle_in_transaction_session_timeout"] = fmt.Sprint((2 * jobTimeout).Milliseconds())
	return pgxpool.NewWithConfig(ctx, config)
}

// newDatabaseQueue begins a run that other processes can join. Closed, it is gone.
func newDatabaseQueue(ctx context.Context, o *options, at accounttest.Services) (queue, error) {
	pool, err := connect(ctx, o)
	if err != nil {
		return nil, err
	}
	q := &databaseQueue{pool: pool}
	if _, err = pool.Exec(ctx, createTables); err == nil {
		err = pool.QueryRow(ctx, insertRun, at.RPC, at.Bundler, at.Paymaster, o.users).Scan(&q.run)
	}
	if err != nil {
		pool.Close()
		return nil, fmt.Errorf("make the queue: %w", err)
	}
	return q, nil
}

// joinQueue returns the queue of the newest run, and where its chain is.
func joinQueue(ctx context.Context, o *options) (queue, accounttest.Services, error) {
	pool, err := connect(ctx, o)
	if err != nil {
		return nil, accounttest.Services{}, err
	}
	q, at := &joinedQueue{databaseQueue{pool: pool}}, accounttest.Services{}
	if err := pool.QueryRow(ctx, selectRun).Scan(&q.run, &at.RPC, &at.Bundler, &at.Paymaster); err != nil {
		pool.Close()
		return nil, accounttest.Services{}, fmt.Errorf("no work to join in this database, start many-users without -join first: %w", err)
	}
	return q, at, nil
}

func (q *databaseQueue) add(ctx context.Context, users []common.Address) error {
	accounts := make([][]byte, len(users))
	for i := range users {
		accounts[i] = users[i][:]
	}
	_, err := q.pool.Exec(ctx, insertJobs, q.run, accounts)
	return err
}

func (q *databaseQueue) take(ctx context.Context) (*job, error) { return waitFree(ctx, q.tryTake) }

func (q *databaseQueue) tryTake(ctx context.Context) (*job, error) {
	tx, err := q.pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted})
	if err != nil {
		return nil, err
	}
	claim := &databaseClaim{tx: tx, run: q.run}
	j, err := claim.read(ctx)
	if err != nil {
		claim.release(ctx)
	}
	if !errors.Is(err, pgx.ErrNoRows) {
		return j, err
	}
	var all bool
	if err := q.pool.QueryRow(ctx, allDone, q.run).Scan(&all); err != nil {
		return nil, err
	}
	if all {
		return nil, errDone
	}
	return nil, errBusy
}

func (q *databaseQueue) done(ctx context.Context) (n int, err error) {
	err = q.pool.QueryRow(ctx, countDone, q.run).Scan(&n)
	return n, err
}

func (q *databaseQueue) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, err := q.pool.Exec(ctx, deleteRun, q.run)
	q.pool.Close()
	return err
}

// joinedQueue is the queue of another process.
type joinedQueue struct{ databaseQueue }

func (q *joinedQueue) close() error {
	q.pool.Close()
	return nil
}

// databaseClaim is a transaction that has the job's row locked.
type databaseClaim struct {
	tx   pgx.Tx
	run  int64
	user common.Address
}

func (c *databaseClaim) read(ctx context.Context) (*job, error) {
	var account, operation []byte
	if err := c.tx.QueryRow(ctx, takeJob, c.run).Scan(&account, &operation); err != nil {
		return nil, err
	}
	c.user = common.BytesToAddress(account)
	j := &job{user: c.user, claim: c}
	if operation == nil {
		return j, nil
	}
	j.op = new(userop.Operation)
	return j, json.Unmarshal(operation, j.op)
}

func (c *databaseClaim) record(ctx context.Context, op *userop.Operation) error {
	text, err := json.Marshal(op)
	if err != nil {
		c.release(ctx)
		return err
	}
	return c.commit(ctx, recordJob, text)
}

func (c *databaseClaim) finish(ctx context.Context, tx common.Hash) error {
	return c.commit(ctx, finishJob, tx[:])
}

func (c *databaseClaim) commit(ctx context.Context, statement string, value any) error {
	if _, err := c.tx.Exec(ctx, statement, c.run, c.user[:], value); err != nil {
		c.release(ctx)
		return err
	}
	return c.tx.Commit(ctx)
}

func (c *databaseClaim) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_ = c.tx.Rollback(ctx) // a connection that does not answer is closed, which does the same
}
