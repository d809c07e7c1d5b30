package main

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"
)

// side measures one side of a row once, in the row's unit.
type side func(ctx context.Context) (float64, error)

// interleave measures the sides one after the other in each round, and the other way round in the next. It
// returns each side's values.
func interleave(ctx context.Context, rounds int, sides ...side) ([][]float64, error) {
	values := make([][]float64, len(sides))
	runtime.GC() // what was needed to get here
	for round := range rounds {
		for n := range sides {
			if round%2 == 1 {
				n = len(sides) - 1 - n
			}
			value, err := sides[n](ctx)
			if err != nil {
				return nil, err
			}
			values[n] = append(values[n], value)
		}
	}
	return values, ctx.Err()
}

// paired are two sides' values, round by round.
func paired(ours, other []float64) []pair {
	pairs := make([]pair, len(ours))
	for i := range ours {
		pairs[i].ours = ours[i]
		if other != nil {
			pairs[i].other = other[i]
		}
	}
	return pairs
}

// roundTime is how long a side of something quick is measured in a round: long beside the clock, and so short
// that on a busy machine, too, most rounds are not interrupted. There are many of them for that.
const roundTime = time.Millisecond

// each is the time of one call of do, measured over as many as take a while. What it calls first is not
// counted.
func each(do func() error) (side, error) {
	n, err := repetitions(do, roundTime)
	return func(context.Context) (float64, error) {
		took, err := repeat(n, do)
		return float64(took) / float64(n), err
	}, err
}

// repetitions is how many calls take about so long.
func repetitions(do func() error, long time.Duration) (int, error) {
	for n := 1; ; n *= 2 {
		took, err := repeat(n, do)
		if err != nil || took > long/2 {
			return max(1, int(float64(n)*float64(long)/float64(max(took, 1)))), err
		}
	}
}

func repeat(n int, do func() error) (time.Duration, error) {
	start := time.Now()
	for range n {
		if err := do(); err != nil {
			return 0, err
		}
	}
	return time.Since(start), nil
}

// together has so many workers do something at the same time, each so often.
func together(ctx context.Context, workers, times int, do func(ctx context.Context, worker int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	for worker := range workers {
		group.Go(func() error {
			for range times {
				if err := do(ctx, worker); err != nil {
					return fmt.Errorf("worker %d of %d: %w", worker, workers, err)
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// allocated is how many allocations a call of do makes, all goroutines' together.
func allocated(n int, do func() error) (float64, error) {
	if err := do(); err != nil { // what is made once
		return 0, err
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := repeat(n, do)
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / float64(n), err
}

// heap is what lives on the heap, in bytes.
func heap() float64 {
	runtime.GC()
	runtime.GC() // what a first one finalized
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return float64(stats.HeapAlloc)
}
