package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/ethereum/go-ethereum/common"
)

const (
	// measuredUsers is who orders in a measurement.
	measuredUsers = 100
	// roundTime is how long a round may take.
	roundTime = 10 * time.Minute
	// betweenLooks is how often is looked whether all orders are filled.
	betweenLooks = 50 * time.Millisecond
)

// round is what was measured with so many processes.
type round struct {
	processes int
	orders    int
	took      time.Duration
	used      cpuTime
}

// pace is in orders a second.
func (r *round) pace() float64 { return float64(r.orders) / r.took.Seconds() }

// measure has the same number of orders filled by one number of processes after another, each time from the
// moment on when all of them work, and says how they compare and what held them up.
func measure(ctx context.Context, o *options, stdout, stderr io.Writer) (err error) {
	services, at, err := startServices(ctx, o, stderr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, services.end()) }()
	o.services = at
	b, err := openBackend(ctx, o, stderr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	fmt.Fprintf(stderr, "%d users grant a session\n", measuredUsers)
	users, err := b.enrol(ctx, measuredUsers)
	if err != nil {
		return fmt.Errorf("grant sessions: %w", err)
	}
	var rounds []*round
	for _, n := range o.measure {
		r, err := b.measureRound(ctx, services, users, n, stderr)
		if err != nil {
			return err
		}
		rounds = append(rounds, r)
	}
	summarize(stdout, o, rounds)
	return nil
}

// measureRound measures one round.
func (b *backend) measureRound(ctx context.Context, services *process, users []common.Address, processes int, stderr io.Writer) (r *round, err error) {
	ctx, cancel := context.WithTimeout(ctx, roundTime)
	defer cancel()
	workers, err := b.startWorkers(ctx, processes, stderr)
	defer func() {
		for _, w := range workers {
			err = errors.Join(err, w.end())
		}
	}()
	if err != nil {
		return nil, err
	}
	orders := newOrders(b.client.ChainID(), users, b.options.orders)
	before, err := look(ctx, b.pool, services, workers)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if _, err := b.place(ctx, orders, stderr); err != nil {
		return nil, err
	}
	if err := b.filled(ctx, nil); err != nil {
		return nil, err
	}
	r = &round{processes: processes, orders: len(orders), took: time.Since(began)}
	after, err := look(ctx, b.pool, services, workers)
	if err != nil {
		return nil, err
	}
	r.used = after.since(before)
	return r, b.check(ctx, orders)
}

// check looks at the chain whether it has each order once.
func (b *backend) check(ctx context.Context, orders []Order) error {
	network, err := b.options.services.Open(ctx)
	if err != nil {
		return err
	}
	return errors.Join(eachOnce(ctx, network.Node, b.options.nft, orders), network.Close())
}

// startWorkers starts processes and waits until all of them work. Those that were started are returned with
// an error, too.
func (b *backend) startWorkers(ctx context.Context, n int, stderr io.Writer) (workers []*process, err error) {
	for range n {
		w, err := startWorker(ctx, b.options, b.options.services, stderr)
		if err != nil {
			return workers, err
		}
		workers = append(workers, w)
	}
	for _, w := range workers {
		if err := w.works(ctx); err != nil {
			return workers, err
		}
	}
	return workers, nil
}

// filled waits until the queue has no job left to do, and tells how many it has, each time.
func (b *backend) filled(ctx context.Context, tell func(open int)) error {
	for {
		open, given := 0, 0
		err := b.pool.QueryRow(ctx, `select count(*) filter (where finalized_at is null), count(*) filter (where state in ('cancelled', 'discarded'))
			from river_job`).Scan(&open, &given)
		switch {
		case err != nil:
			return fmt.Errorf("look at the queue: %w", err)
		case given > 0:
			return fmt.Errorf("%d jobs were given up, which no job should be", given)
		case open == 0:
			return nil
		case tell != nil:
			tell(open)
		}
		if err := pause(ctx, betweenLooks); err != nil {
			return fmt.Errorf("%d jobs are not done: %w", open, err)
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

// summarize prints what was measured, and what bounds it.
func summarize(out io.Writer, o *options, rounds []*round) {
	fmt.Fprintf(out, "%d orders of %d users, %d jobs at once in each process, blocks %s; each order once on chain\n\n",
		rounds[0].orders, measuredUsers, o.atOnce, blocks(o.block))
	fmt.Fprintln(out, "             orders          cores busy with                         CPU ms an order             log KB")
	fmt.Fprintln(out, "  processes  a second ratio  workers services database others  idle  workers services database  an order")
	for _, r := range rounds {
		cores := func(used time.Duration) float64 { return used.Seconds() / r.took.Seconds() }
		each := func(used time.Duration) float64 { return used.Seconds() * 1000 / float64(r.orders) }
		fmt.Fprintf(out, "  %9d  %8.1f %5.2f  %7.2f  %7.2f  %7.2f %6.2f %5.2f  %7.1f %8.1f %8.1f  %8.1f\n", r.processes, r.pace(), r.pace()/rounds[0].pace(),
			cores(r.used.workers), cores(r.used.services), cores(r.used.database), cores(r.used.others()), cores(r.used.idle()),
			each(r.used.workers), each(r.used.services), each(r.used.database), float64(r.used.log)/1024/float64(r.orders))
	}
	fmt.Fprintln(out)
	for _, r := range rounds {
		fmt.Fprintf(out, "  %d: %s\n", r.processes, r.bound(o))
	}
}

func blocks(every time.Duration) string {
	if every == 0 {
		return "as fast as operations come"
	}
	return "every " + every.String()
}

const (
	// spent is the share of the machine's time that may be idle while its CPU is what bounds the work.
	spent = 0.1
	// near is how near the pace has to come to a limit that can be calculated, to be bound by it.
	near = 0.75
)

// bound says what bounds a round: the time between blocks, if the pace is near what that allows, as each job
// waits for a block; the CPU where the machine had next to none left, and who took most of it; and else that
// jobs wait for something.
func (r *round) bound(o *options) string {
	share := func(used time.Duration) float64 { return float64(used) / float64(r.used.all) }
	atOnce := min(r.processes*o.atOnce, r.orders)
	if limit := float64(atOnce) / o.block.Seconds(); o.block > 0 && r.pace() > near*limit {
		return fmt.Sprintf("waiting for blocks: %d jobs at once, with one every %s, are at most %.1f a second; this is %.0f %% of that",
			atOnce, o.block, limit, 100*r.pace()/limit)
	}
	if idle := share(r.used.idle()); idle > spent {
		return fmt.Sprintf("waiting: %d jobs at once, each under way for up to %.1f s, while %.0f %% of the CPU is idle",
			atOnce, float64(atOnce)/r.pace(), 100*idle)
	}
	who, most := "programs that are none of ours", r.used.others()
	for name, used := range map[string]time.Duration{
		"the workers": r.used.workers, "the chain with its bundler and paymaster": r.used.services, "the database": r.used.database,
	} {
		if used > most {
			who, most = name, used
		}
	}
	return fmt.Sprintf("the CPU of this machine, of which %s took most, %.0f %%", who, 100*share(most))
}
