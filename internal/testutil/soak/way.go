package main

import (
	"context"
	"errors"
	"fmt"
	"time"

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
var ways = map[string]way{"send": sendWay{}, "build": buildWay{}}

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

// again sends the same bytes again and waits. Those of a session that was revoked since are only waited for.
func again(ctx context.Context, u *user, sess *session.Sessions, j *job) (*userop.Receipt, error) {
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
	data, err := abi.Pack(mint, u.account.Address(), uint256.NewInt(j.number))
	if err != nil {
		panic(fmt.Sprintf("the call of job %d: %v", j.number, err))
	}
	return []account.Call{{To: u.worker.Token, Data: data}}
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
