package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/userop"
)

// queue hands out the users to mint for. A job is with one worker at a time, in whichever process.
type queue interface {
	// add makes a job of each user.
	add(ctx context.Context, users []common.Address) error
	// take returns a job that no worker is at, one that is signed for first. It waits for one, and returns
	// errDone when all jobs are done.
	take(ctx context.Context) (*job, error)
	// done returns how many jobs are done.
	done(ctx context.Context) (int, error)
	close() error
}

// job is one user to mint for.
type job struct {
	user common.Address
	// op is the operation that was signed for it; nil before.
	op *userop.Operation
	claim
}

// claim is a worker's hold on a job, which each of the methods ends.
type claim interface {
	// record keeps the operation that was signed, the only one that may be sent for the job.
	record(ctx context.Context, op *userop.Operation) error
	// finish notes the transaction that has the operation.
	finish(ctx context.Context, tx common.Hash) error
	// release gives the job back as it was.
	release(ctx context.Context)
}

var (
	errDone = errors.New("all jobs are done")
	errBusy = errors.New("others are at the jobs that are left")
)

// waitFree tries to take a job until there is one or all are done.
func waitFree(ctx context.Context, try func(context.Context) (*job, error)) (*job, error) {
	for {
		j, err := try(ctx)
		if !errors.Is(err, errBusy) {
			return j, err
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// pause waits for a moment, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// memoryQueue is the queue of a process that works alone: its chain ends with it, and so may its queue.
type memoryQueue struct {
	mu       sync.Mutex
	free     []*memoryJob // taken from the end
	finished int
	total    int
}

type memoryJob struct {
	queue *memoryQueue
	user  common.Address
	op    *userop.Operation
}

func (q *memoryQueue) add(_ context.Context, users []common.Address) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, user := range users {
		q.free = append(q.free, &memoryJob{queue: q, user: user})
	}
	q.total += len(users)
	return nil
}

func (q *memoryQueue) take(ctx context.Context) (*job, error) {
	return waitFree(ctx, q.tryTake)
}

func (q *memoryQueue) tryTake(context.Context) (*job, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.finished == q.total {
		return nil, errDone
	}
	last := len(q.free) - 1
	if last < 0 {
		return nil, errBusy
	}
	j := q.free[last]
	q.free = q.free[:last]
	return &job{user: j.user, op: j.op, claim: j}, nil
}

func (q *memoryQueue) done(context.Context) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.finished, nil
}

func (q *memoryQueue) close() error { return nil }

func (j *memoryJob) record(ctx context.Context, op *userop.Operation) error {
	j.op = op
	j.release(ctx)
	return nil
}

func (j *memoryJob) finish(context.Context, common.Hash) error {
	j.queue.mu.Lock()
	defer j.queue.mu.Unlock()
	j.queue.finished++
	return nil
}

func (j *memoryJob) release(context.Context) {
	j.queue.mu.Lock()
	defer j.queue.mu.Unlock()
	j.queue.free = append(j.queue.free, j)
}
