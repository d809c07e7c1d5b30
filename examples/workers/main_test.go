package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
	"github.com/go-sesame/sesame/userop/outbox"
)

// programEnv makes the test binary the program, as which processes are started.
const programEnv = "SESAME_WORKERS_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(programEnv) != "" {
		main()
		return
	}
	var opts []goleak.Option
	for _, function := range accounttest.LeftGoroutines() {
		opts = append(opts, goleak.IgnoreTopFunction(function))
	}
	goleak.VerifyTestMain(m, opts...)
}

// database returns the URL of a database with an empty schema of the test's own.
func database(t *testing.T) string {
	t.Helper()
	root := cmp.Or(os.Getenv("SESAME_EXAMPLES_POSTGRES_URL"), os.Getenv("SESAME_TEST_POSTGRES_URL"))
	if root == "" {
		t.Skip("no PostgreSQL for tests: name a database in SESAME_TEST_POSTGRES_URL, as make test does")
	}
	schema := "workers_" + strings.ToLower(rand.Text())
	execute(t, root, "create schema "+schema)
	t.Cleanup(func() { execute(t, root, "drop schema "+schema+" cascade") })
	at, err := url.Parse(root)
	require.NoError(t, err)
	query := at.Query()
	query.Set("search_path", schema)
	at.RawQuery = query.Encode()
	return at.String()
}

func execute(t *testing.T, database, statement string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // a cleanup's context has ended
	defer cancel()
	conn, err := pgx.Connect(ctx, database)
	require.NoError(t, err)
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, statement)
	require.NoError(t, err)
}

// A worker that is told to end while it connects has not failed.
func TestToldToEndBeforeItStarts(t *testing.T) {
	t.Setenv(storeEnv, database(t))
	t.Setenv(passphraseEnv, "correct horse")
	told, tell := context.WithCancel(t.Context())
	tell()
	require.NoError(t, run(told, []string{"-rpc", "http://127.0.0.1:1", "-bundler", "http://127.0.0.1:1", "-paymaster", "http://127.0.0.1:1"}, io.Discard, io.Discard))
}

func TestFlags(t *testing.T) {
	const at = "-rpc http://h -bundler http://h -paymaster http://h"
	for _, test := range []struct{ store, passphrase, args, want string }{
		{"", "", at, "jobs and sessions are in PostgreSQL: set SESAME_STORE to a postgres:// URL"},
		{"dir", "x", at, "jobs and sessions are in PostgreSQL: set SESAME_STORE to a postgres:// URL"},
		{"postgres://h/d", "", at, "session keys are sealed by a passphrase: set SESAME_PASSPHRASE"},
		{"postgres://h/d", "x", "-rpc http://h", "name the chain with -rpc, -bundler and -paymaster; examples/devnet runs one and prints them"},
		{"postgres://h/d", "x", "-measure 1 " + at, "-measure runs a chain of its own: leave -rpc, -bundler and -paymaster"},
		{"postgres://h/d", "x", "-measure 1,none", `-measure "1,none": want numbers of processes, such as 1,2,4`},
		{"postgres://h/d", "x", "-measure 1 -enrol 1", "-enrol, -measure and -serve are three programs: ask for one"},
		{"postgres://h/d", "x", "-at-once 0 " + at, "-at-once 0 -enrol 0 -orders 1: want at least one of each"},
		{"postgres://h/d", "x", "-timeout 1ms " + at, "-timeout 1ms -grace 20s -block 0s: want at least a second for a job, and no time below none"},
		{"", "", "now", `unexpected argument "now"; -h explains the flags`},
		{"", "", "-quick", "flag provided but not defined: -quick; -h explains the flags"},
	} {
		t.Setenv(storeEnv, test.store)
		t.Setenv(passphraseEnv, test.passphrase)
		require.EqualError(t, run(t.Context(), strings.Fields(test.args), io.Discard, io.Discard), test.want)
	}
	var help bytes.Buffer
	t.Setenv(storeEnv, "postgres://user:secret@host/database")
	require.NoError(t, run(t.Context(), []string{"-h"}, io.Discard, &help))
	require.NotContains(t, help.String(), "secret")
	require.Contains(t, help.String(), "start as many as you like")
}

// kept is a failure of a send whose key keeps what was signed under it, as package account has it.
type kept struct{ error }

func (e kept) Unwrap() error        { return e.error }
func (e kept) MayBeDelivered() bool { return true }

// TestVerdict shows what the queue does about each way in which a job ends.
func TestVerdict(t *testing.T) {
	now := time.Date(2026, 1, 2, 22, 0, 0, 0, time.UTC)
	over := func(limit, spent, open uint64) error {
		charge := outbox.Charge{Amount: *uint256.NewInt(20), Limit: *uint256.NewInt(limit)}
		usage := outbox.Usage{Day: outbox.Day(now), Spent: *uint256.NewInt(spent), Open: *uint256.NewInt(open)}
		return fmt.Errorf("send: %w", &outbox.OverBudgetError{Charge: charge, Usage: usage})
	}
	sent := func(err error) error {
		return &userop.Error{Step: userop.StepSend, Operation: new(userop.Operation), Given: true, Err: err}
	}
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"filled":               {nil, "done"},
		"the process ends":     {fmt.Errorf("wait: %w", context.Canceled), "as it is"},
		"reverted":             {&userop.RevertError{Receipt: new(userop.Receipt)}, "cancelled"},
		"replaced":             {&userop.EndedError{By: common.Hash{1}}, "cancelled"},
		"other calls":          {&account.KeyReusedError{}, "cancelled"},
		"not yet included":     {&userop.WaitError{Err: context.DeadlineExceeded}, "5s"},
		"the answer got lost":  {sent(io.ErrUnexpectedEOF), "5s"},
		"sent, then too late":  {sent(session.ErrExpired), "5s"},
		"not signed anew yet":  {sent(kept{errors.Join(&userop.EndedError{Until: 1}, io.EOF)}), "5s"},
		"others may be left":   {&userop.WaitError{Err: &userop.EndedError{Until: 1}}, "5s"},
		"over today's budget":  {over(100, 90, 0), "2h0m0s"},
		"over what is open":    {over(100, 0, 90), "1m0s"},
		"over both":            {over(100, 50, 40), "1m0s"}, // what is open may cost less, and leave enough today
		"over that of any day": {over(10, 0, 0), "as it is"},
		"the kill switch":      {fmt.Errorf("sign: %w", session.ErrStopped), "1m0s"},
		"never granted":        {session.ErrNotFound, "cancelled"},
		"revoked":              {session.ErrRevoked, "cancelled"},
		"over":                 {session.ErrExpired, "cancelled"},
		"against the policy":   {fmt.Errorf("check: %w", policy.ErrInvalid), "cancelled"},
		"not sponsored today":  {userop.ErrNotSponsored, "as it is"},
		"a grant is under way": {session.ErrPending, "as it is"},
		"what nobody thought":  {io.ErrClosedPipe, "as it is"},
	} {
		t.Run(name, func(t *testing.T) {
			got := verdict(test.err, now)
			snoozed, isSnoozed := errors.AsType[*river.JobSnoozeError](got)
			_, cancelled := errors.AsType[*river.JobCancelError](got)
			switch test.want {
			case "done":
				require.NoError(t, got)
			case "as it is":
				require.Equal(t, test.err, got)
			case "cancelled":
				require.True(t, cancelled, "%v", got)
				require.ErrorIs(t, got, test.err)
			default:
				require.True(t, isSnoozed, "%v", got)
				require.Equal(t, test.want, snoozed.Duration.String())
			}
		})
	}
}

func TestNextRetry(t *testing.T) {
	var w worker
	job := &river.Job[Order]{JobRow: newRow(0)}
	require.InDelta(t, time.Second, time.Until(w.NextRetry(job)), float64(time.Second)/2)
	job.JobRow = newRow(100)
	require.InDelta(t, longestPause, time.Until(w.NextRetry(job)), float64(time.Second))
}

// TestPlacedTwice places the same order twice: it is one job, also once that was done, and whatever else the
// second one says.
func TestPlacedTwice(t *testing.T) {
	b := &backend{options: &options{store: database(t), passphrase: "x", timeout: time.Minute, atOnce: 1}}
	require.NoError(t, b.openDatabase(t.Context()))
	defer func() { require.NoError(t, b.close()) }()
	require.NoError(t, migrate(t.Context(), b.pool), "again")
	orders := newOrders(1, []common.Address{{1}, {2}}, 2)
	placed, err := b.place(t.Context(), orders, io.Discard)
	require.NoError(t, err)
	require.Equal(t, 4, placed)
	for _, state := range []string{"available", "completed", "cancelled", "discarded"} {
		_, err = b.pool.Exec(t.Context(), `update river_job set state = $1::text::river_job_state, finalized_at = case when $1::text = 'available' then null else now() end`, state)
		require.NoError(t, err)
		orders[0].To = common.Address{9}
		placed, err = b.place(t.Context(), orders, io.Discard)
		require.NoError(t, err)
		require.Zero(t, placed, state)
	}
	same := orders[0]
	same.ChainID = 2 // where it is another order
	placed, err = b.place(t.Context(), []Order{same, same}, io.Discard)
	require.NoError(t, err)
	require.Equal(t, 1, placed)
}

// TestOrdersOfOtherChains has a database with the orders of two chains, on which a user's account has the
// same address: a process takes those of its own, and fills no other whoever gives it one.
func TestOrdersOfOtherChains(t *testing.T) {
	client, err := account.NewClient(accounttest.NewModel(accounttest.ModelConfig{ChainID: 1}).Config())
	require.NoError(t, err)
	b := &backend{options: &options{store: database(t), passphrase: "x", timeout: time.Minute, atOnce: 1}, client: client}
	require.NoError(t, b.openDatabase(t.Context()))
	defer func() { require.NoError(t, b.close()) }()
	w := &worker{backend: b}
	other := newOrders(2, []common.Address{{1}}, 1)
	require.ErrorContains(t, w.fill(t.Context(), &other[0]), "an order of chain 2 for a process of chain 1")

	_, err = b.place(t.Context(), other, io.Discard)
	require.NoError(t, err)
	queue, err := b.newQueue(w, io.Discard)
	require.NoError(t, err)
	events, unsubscribe := queue.Subscribe(river.EventKindJobCompleted, river.EventKindJobSnoozed, river.EventKindJobFailed, river.EventKindJobCancelled)
	defer unsubscribe()
	ctx, end := context.WithCancel(t.Context())
	defer end()
	require.NoError(t, queue.Start(ctx))
	own := newOrders(1, []common.Address{{1}}, 1) // whose session nobody granted
	_, err = b.place(t.Context(), own, io.Discard)
	require.NoError(t, err)
	require.Contains(t, string((<-events).Job.EncodedArgs), own[0].Number)
	end()
	<-queue.Stopped()
	var tries int
	require.NoError(t, b.pool.QueryRow(t.Context(), `select attempt from river_job where args ->> 'number' = $1`, other[0].Number).Scan(&tries))
	require.Zero(t, tries)
}
