package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/userop"
)

// job is one send.
type job struct {
	worker *worker
	number uint64
	user   *user
	doomed bool
	// op is the operation that may be sent for it, nil while there is none; hash is its hash.
	op   *userop.Operation
	hash common.Hash
	// before are those that op replaced, any of which may land instead.
	before []*userop.Operation
	// failures are how many operations, or attempts to make one, came to nothing.
	failures int
	// keyed says that it is sent under a key.
	keyed bool
	// keys are how many idempotency keys the chain has ended without the job being done.
	keys int
}

// mostFailures is how often a job is tried anew before it is given up.
const mostFailures = 100

// keep writes down the operation that may be sent for the job.
func (j *job) keep(op *userop.Operation, hash common.Hash) error {
	if err := j.note(event{Kind: signed, Hash: hash, Operation: op}); err != nil {
		return err
	}
	j.hold(op, hash)
	return nil
}

// hold has an operation be that of the job, beside those that it replaced.
func (j *job) hold(op *userop.Operation, hash common.Hash) {
	if j.op != nil && j.hash != hash {
		j.before = append(j.before, j.op)
	}
	j.op, j.hash = op, hash
}

func (j *job) note(e event) error {
	e.Job, e.User = j.number, j.user.account.Address()
	return j.worker.note(e)
}

// do takes the job to its end, or until ctx ends.
func (j *job) do(ctx context.Context) error {
	for ctx.Err() == nil {
		receipt, err := j.attempt(ctx)
		if ctx.Err() != nil {
			break
		}
		over, err := j.judge(receipt, err)
		if over || err != nil {
			return err
		}
		pause(ctx, time.Duration(500+rand.IntN(1000))*time.Millisecond)
	}
	return nil
}

// attempt tries until the deadline of a send: what is in doubt before is asked about again.
func (j *job) attempt(ctx context.Context) (*userop.Receipt, error) {
	ctx, cancel := context.WithTimeout(ctx, j.worker.Patience)
	defer cancel()
	for {
		receipt, err := j.worker.way.try(ctx, j.user, j)
		if !userop.MayBeAccepted(err) || j.take(err) != nil || j.unstick(ctx) != nil || !pause(ctx, time.Second) {
			return receipt, err
		}
	}
}

// take keeps the operation that an error says is in doubt.
func (j *job) take(err error) error {
	failed, ok := errors.AsType[*userop.Error](err)
	if !ok || failed.Operation == nil || j.op != nil {
		return nil
	}
	return j.keep(failed.Operation, failed.Hash)
}

const (
	// unstuckPercent of the operations that were waited for in vain are replaced, or cancelled.
	unstuckPercent   = 60
	cancelledPercent = 30 // of those
)

// unstick replaces an operation that is stuck, now and then, or has its owner cancel it. An error that it
// returns is the ledger's.
func (j *job) unstick(ctx context.Context) error {
	if j.op == nil || rand.IntN(100) >= unstuckPercent {
		return nil
	}
	stuck := j.worker.client.Sender().WatchOperation(j.op, j.before...)
	options := []account.Option{account.Sponsored()}
	if j.keyed {
		options = append(options, account.Once(j.key()))
	}
	if j.user.home && rand.IntN(100) < cancelledPercent {
		tx, err := j.user.owned.Cancel(ctx, stuck, options...)
		if err != nil {
			return j.note(event{Kind: noted, Hash: j.hash, Text: "not cancelled: " + err.Error()})
		}
		if err := j.note(event{Kind: cancelled, Hash: tx.Hash()}); err != nil {
			return err
		}
		_, _ = wait(ctx, tx) // what it comes to, the job's own operation tells
		return nil
	}
	sess, err := j.user.sessions(ctx)
	if err != nil {
		return nil
	}
	options = append(options, account.WithLeafOf(sess), account.BeforeSend(func(_ context.Context, op *userop.Operation, hash common.Hash) error {
		return j.keep(op, hash)
	}))
	if j.doomed {
		options = append(options, account.WithGas(userop.Gas{CallGasLimit: *uint256.NewInt(tooLittleGas)}))
	}
	tx, err := j.user.account.Replace(ctx, stuck, options...)
	if err != nil {
		return j.note(event{Kind: noted, Hash: j.hash, Text: "not replaced: " + err.Error()})
	}
	return j.note(event{Kind: replaced, Hash: tx.Hash()})
}

// judge notes what an attempt told, and reports whether that ends the job.
func (j *job) judge(receipt *userop.Receipt, err error) (over bool, _ error) {
	var undecided undecidedError
	reason := ""
	if err != nil {
		reason = err.Error()
	}
	_, failed := errors.AsType[*userop.RevertError](err)
	switch {
	case err == nil:
		return true, j.note(event{Kind: landed, Hash: receipt.UserOpHash})
	case failed:
		return true, j.note(event{Kind: reverted, Hash: receipt.UserOpHash, Text: reason})
	case errors.As(err, &undecided):
		return false, j.note(event{Kind: waiting, Text: reason})
	case userop.MayBeAccepted(err):
		return false, errors.Join(j.take(err), j.note(event{Kind: doubtful, Hash: j.hash, Text: reason}))
	}
	hash := j.hash
	if failed, ok := errors.AsType[*userop.Error](err); ok && hash == (common.Hash{}) {
		hash = failed.Hash
	}
	if ended, ok := errors.AsType[*userop.EndedError](err); ok {
		hash = ended.Hash // under a key of before, perhaps
	}
	j.op, j.hash, j.before = nil, common.Hash{}, nil
	if err := j.note(event{Kind: refused, Hash: hash, Text: reason}); err != nil {
		return true, err
	}
	if j.failures++; j.failures < mostFailures {
		return false, nil
	}
	return true, j.note(event{Kind: gaveUp, Text: reason})
}

// pause waits for a moment, and reports whether ctx goes on.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// openJobs are the jobs that the processes before this one did not end, with what was signed for each, and
// the greatest number of a job that was begun.
func openJobs(events []event) (open map[uint64]*event, ops map[uint64][]*event, last uint64) {
	open, ops = make(map[uint64]*event), make(map[uint64][]*event)
	for i := range events {
		e := &events[i]
		switch e.Kind {
		case began:
			open[e.Job], last = e, max(last, e.Job)
		case signed:
			ops[e.Job] = append(ops[e.Job], e)
		case refused:
			delete(ops, e.Job)
		case landed, reverted, gaveUp:
			delete(open, e.Job)
			delete(ops, e.Job)
		}
	}
	return open, ops, last
}
