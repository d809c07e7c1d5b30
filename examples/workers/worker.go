package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/riverqueue/river"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
	"github.com/go-sesame/sesame/userop/outbox"
)

// worker fills orders.
type worker struct {
	river.WorkerDefaults[Order]
	*backend
}

// Timeout is how long a try may take. After it the queue has the job again, and what was sent goes on without
// it.
func (w *worker) Timeout(*river.Job[Order]) time.Duration { return w.options.timeout }

// longestPause is how long a job waits at most after it failed.
const longestPause = 5 * time.Minute

// NextRetry is a second after the first failure, and twice as long after each further one.
func (w *worker) NextRetry(job *river.Job[Order]) time.Time {
	return time.Now().Add(min(time.Second<<min(len(job.Errors), 10), longestPause))
}

// Work fills an order, or goes on with filling it.
func (w *worker) Work(ctx context.Context, job *river.Job[Order]) error {
	return verdict(w.fill(ctx, &job.Args), time.Now())
}

// fill sends what the order asks for, or finds what was sent for it, in whichever process, and waits.
func (w *worker) fill(ctx context.Context, order *Order) error {
	if id := w.client.ChainID(); order.ChainID != id { // where the account may have the same address
		return fmt.Errorf("an order of chain %d for a process of chain %d; it belongs into queue %s", order.ChainID, id, queueOf(order.ChainID))
	}
	user := w.client.Account(order.Account)
	sess, err := session.Open(ctx, w.store, user.Ref())
	if err != nil {
		return err
	}
	data, err := abi.Pack("function safeMint(address to)", order.To)
	if err != nil {
		return err
	}
	tx, err := user.Send(ctx, []account.Call{{To: w.options.nft, Data: data}},
		account.WithLeafOf(sess), account.Sponsored(), account.InLane(w.lanes), account.Once(order.key()))
	if err != nil {
		return err
	}
	_, err = tx.Wait(ctx)
	return err
}

const (
	// soon is when a job is looked at again whose operation was sent and has not ended.
	soon = 5 * time.Second
	// later is when one is that waits for somebody who stopped it, or for the budget that other sends hold.
	later = time.Minute
)

// verdict says what the queue is to do about a job that ended with err.
func verdict(err error, now time.Time) error {
	over, isOver := errors.AsType[*outbox.OverBudgetError](err)
	switch {
	case err == nil:
		return nil // filled
	case errors.Is(err, context.Canceled):
		return err // the process ends, or the job was cancelled: the queue knows which, and counts no failure
	case userop.MayBeAccepted(err):
		// Sent, as far as anybody knows: go on under the same key until the chain has ended all that was sent
		// under it. That one operation has ended is not enough.
		return river.JobSnooze(soon)
	case ended(err), errors.Is(err, account.ErrKeyReused):
		return river.JobCancel(err) // it stays so under this key: somebody decides whether to order anew, under another
	case isOver:
		return overBudget(over, err, now)
	case errors.Is(err, session.ErrStopped):
		return river.JobSnooze(later) // by the kill switch, which may be lifted
	case impossible(err):
		return river.JobCancel(err)
	}
	return err // a service that is down or overloaded ([userop.SafeToRetry]), or what nobody thought of: again, mostTries times
}

// overBudget says what the queue is to do about a job that is over a budget.
func overBudget(over *outbox.OverBudgetError, err error, now time.Time) error {
	switch {
	case over.Charge.Amount.Gt(&over.Charge.Limit):
		return err // no day has enough for it: a failure, for somebody to look at
	case !over.Usage.Open.IsZero():
		return river.JobSnooze(later) // sends that are under way hold the most that they may cost, and leave more when they end
	}
	return river.JobSnooze(max(over.FreesUp().Sub(now), soon))
}

// ended reports whether err is how the chain ended what was sent: included with calls that reverted, or never
// to be included.
func ended(err error) bool {
	_, reverted := errors.AsType[*userop.RevertError](err)
	_, unlanded := errors.AsType[*userop.EndedError](err)
	return reverted || unlanded
}

// impossible reports whether trying again will not help, nor did anything leave this process.
func impossible(err error) bool {
	for _, reason := range []error{
		session.ErrNotFound, session.ErrNoLeaf, session.ErrRevoked, session.ErrExpired, session.ErrNoKey, policy.ErrInvalid,
	} {
		if errors.Is(err, reason) {
			return !userop.SafeToRetry(err)
		}
	}
	return false
}
