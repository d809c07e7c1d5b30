package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
)

// rescueAfter is after how many of its timeouts the queue takes the process of a running job for dead, and
// gives the job to another one. That may be wrong, and harms nothing.
const rescueAfter = 2

// newQueue returns a client of the queue. Without a worker it only places orders.
func (b *backend) newQueue(w *worker, stderr io.Writer) (*river.Client[pgx.Tx], error) {
	config := river.Config{
		JobTimeout:           b.options.timeout,
		RescueStuckJobsAfter: rescueAfter * b.options.timeout,
		SoftStopTimeout:      max(b.options.grace, time.Millisecond), // zero would be for ever
		Logger:               slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelError})),
	}
	if w != nil {
		config.Workers = river.NewWorkers()
		if err := river.AddWorkerSafely(config.Workers, w); err != nil {
			return nil, err
		}
		config.Queues = map[string]river.QueueConfig{queueOf(b.client.ChainID()): {MaxWorkers: b.options.atOnce}}
	}
	return river.NewClient(riverpgxv5.New(b.pool), &config)
}

// ready is what a process says on stderr when it works.
const ready = "working"

// work works on jobs until ctx ends. Then it takes no more, and lets those that it has end in the time that
// they have for it; what does not is another process's then, and goes on where it was.
func work(ctx context.Context, o *options, stderr io.Writer) (err error) {
	b, err := openBackend(ctx, o, stderr)
	if err != nil {
		return toldToEnd(ctx, err, stderr)
	}
	defer func() { err = errors.Join(err, b.close()) }()
	queue, err := b.newQueue(&worker{backend: b}, stderr)
	if err != nil {
		return err
	}
	events, unsubscribe := queue.Subscribe(river.EventKindJobCompleted, river.EventKindJobSnoozed, river.EventKindJobFailed, river.EventKindJobCancelled)
	defer unsubscribe()
	defer report(stderr, events)()

	background, stop := context.WithCancel(context.WithoutCancel(ctx)) // for as long as there are jobs
	defer stop()
	ran := make(chan error, 1)
	go func() { ran <- b.client.Run(background) }() // goes on with what dead processes sent, whatever the queue does

	running, end := context.WithCancel(ctx)
	defer end()
	if err := queue.Start(running); err != nil {
		stop()
		return errors.Join(toldToEnd(ctx, fmt.Errorf("start the queue: %w", err), stderr), notCanceled(<-ran))
	}
	fmt.Fprintln(stderr, ready)
	select {
	case <-ctx.Done():
	case err = <-ran: // it outlasts all but a fault of the configuration
		ran <- nil
	}
	end()
	err = errors.Join(err, stopped(queue, o.grace+closeTime))
	stop()
	return errors.Join(err, notCanceled(<-ran))
}

// toldToEnd is why it cannot start, and nothing when it was told to end before it had.
func toldToEnd(ctx context.Context, err error, stderr io.Writer) error {
	if ctx.Err() == nil {
		return err
	}
	fmt.Fprintln(stderr, "told to end before it had started:", err)
	return nil
}

// stopped waits until the queue has stopped, for a limited time.
func stopped(queue *river.Client[pgx.Tx], limit time.Duration) error {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-queue.Stopped():
		return nil
	case <-timer.C:
		return fmt.Errorf("jobs are still running %s after they were to stop; another process will go on with them", limit)
	}
}

// notCanceled is err, unless it says that what was to end has.
func notCanceled(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
