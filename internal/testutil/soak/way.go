package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/userop"
)

// way is how an application sends.
type way interface {
	// try sends for the job and waits, or goes on with what was sent for it, until ctx ends. It is called
	// again, in this process or its successor, until the job has ended. What it signs goes to job.keep first.
	// An error that tells nothing of the job's operation is made by undecided.
	try(ctx context.Context, u *user, j *job) (*userop.Receipt, error)
}

// ways by their names. Where none is asked for, a process that is killed builds and the others send.
var ways = map[string]way{"send": sendWay{}, "build": buildWay{}, "once": onceWay{}}

// undecidedError is an attempt that did not get as far as the operation.
type undecidedError struct{ error }

func (e undecidedError) Unwrap() error { return e.error }

func undecided(err error) error { return undecidedError{err} }

// sendWay is the way of the README. It keeps what it sent in memory: a process that is killed does not know
// whether it sent.
type sendWay struct{}

func (sendWay) try(ctx context.Context, u *user, j *job) (*userop.Receipt, error) {
	sess, err := u.sessions(ctx)
	if err != nil {
		return nil, undecided(err)
	}
	if j.op != nil {
		return again(ctx, u, sess, j)
	}
	release := u.lane.acquire()
	tx, err := u.account.Send(ctx, j.calls(u), u.options(sess, j)...)
	release()
	if err != nil {
		return nil, err
	}
	if err := j.keep(tx.Operation(), tx.Hash()); err != nil {
		return nil, err
	}
	return wait(ctx, tx)
}

// buildWay writes down what it signed before it sends it, so that a process that is killed loses nothing.
type buildWay struct{}

func (buildWay) try(ctx context.Context, u *user, j *job) (*userop.Receipt, error) {
	defer u.lane.acquire()() // nobody else may take the nonce of what was built, and not yet sent
	sess, err := u.sessions(ctx)
	if err != nil {
		return nil, undecided(err)
	}
	if j.op == nil {
		op, err := u.account.Build(ctx, j.calls(u), u.options(sess, j)...)
		if err != nil {
			return nil, err
		}
		if err := j.keep(op, op.Hash(u.worker.client.Contracts().EntryPoint, u.worker.client.ChainID())); err != nil {
			return nil, err
		}
	}
	return again(ctx, u, sess, j)
}

// onceWay gives each job a key and begins it anew, with the same one, as often as it takes: nothing else is
// kept. What the chain shows to have ended without landing goes on under another key.
type onceWay struct{}

func (onceWay) try(ctx context.Context, u *user, j *job) (*userop.Receipt, error) {
	sess, err := u.sessions(ctx)
	if err != nil {
		return nil, undecided(err)
	}
	j.keyed = true
	release := u.lane.acquire()
	tx, err := u.account.Send(ctx, j.calls(u), append(u.options(sess, j), account.Once(j.key()),
		account.BeforeSend(func(_ context.Context, op *userop.Operation, hash common.Hash) error { return j.keep(op, hash) }))...)
	release()
	var receipt *userop.Receipt
	if err == nil {
		receipt, err = wait(ctx, tx)
	}
	if _, ended := errors.AsType[*userop.EndedError](err); ended {
		j.keys++
	}
	return receipt, err
}

// key is the job's idempotency key.
func (j *job) key() string {
	if j.keys == 0 {
		return fmt.Sprintf("job %d", j.number)
	}
	return fmt.Sprintf("job %d, %d times ended", j.number, j.keys)
}

// report writes down what Run tells of a job's key.
func (w *worker) report(_ context.Context, report account.Report) error {
	e := event{Kind: reported, User: report.Ref.Account, Hash: report.Hash, Included: report.Receipt != nil}
	if _, err := fmt.Sscanf(report.Key, "job %d", &e.Job); err != nil {
		return err
	}
	if report.Err != nil {
		e.Text = report.Err.Error()
	}
	return w.note(e)
}

// again sends the same bytes again and waits. Those of a session that was revoked since are only waited for.
func again(ctx context.Context, u *user, sess *session.Sessions, j *job) (*userop.Receipt, error) {
	u.worker.client.Sender().WatchOperation(j.op, j.before...) // any of which may land
	tx, err := u.account.Resend(ctx, sess, j.op)
	if errors.Is(err, session.ErrRevoked) && userop.MayBeAccepted(err) {
		tx, err = u.worker.client.Sender().WatchOperation(j.op), nil
	}
	if err != nil {
		return nil, err
	}
	return wait(ctx, tx)
}

// longestWait is how long an application waits for what the bundler may have lost, until it sends it again.
const longestWait = 10 * time.Second

func wait(ctx context.Context, tx *userop.Pending) (*userop.Receipt, error) {
	ctx, cancel := context.WithTimeout(ctx, longestWait)
	defer cancel()
	return tx.Wait(ctx)
}

const mint = "function mint(address to, uint256 amount)"

// calls are what the job is: the mint of its number.
func (j *job) calls(u *user) []account.Call {
	return []account.Call{mintCall(u.worker.Token, u.account.Address(), j.number)}
}

func mintCall(token, to common.Address, amount uint64) account.Call {
	data, err := abi.Pack(mint, to, uint256.NewInt(amount))
	if err != nil {
		panic(fmt.Sprintf("the call that mints %d: %v", amount, err))
	}
	return account.Call{To: token, Data: data}
}

// tooLittleGas is what a doomed job's call runs out of.
const tooLittleGas = 12_000

// options are how the user's operations are sent.
func (u *user) options(sess *session.Sessions, j *job) []account.Option {
	options := []account.Option{account.WithLeafOf(sess), account.Sponsored()}
	if u.lane == nil {
		options = append(options, account.InLane(u.worker.lanes))
	}
	if j.doomed {
		options = append(options, account.WithGas(userop.Gas{CallGasLimit: *uint256.NewInt(tooLittleGas)}))
	}
	return options
}
