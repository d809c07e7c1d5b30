package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"time"
)

// send is one send of the day.
type send struct {
	at   time.Duration // since the day began
	took time.Duration // until its end was known
}

const (
	// night is the least share of the peak.
	night = 0.2
	// sendTime is how long a send may take.
	sendTime = time.Minute
)

// rate is how many sends a second there are at a moment of the day: 0.6 of the peak in the mean.
func (o *options) rate(at time.Duration) float64 {
	s := math.Sin(math.Pi * at.Seconds() / o.day.Seconds())
	return o.peak * (night + (1-night)*s*s)
}

// live lives through the day: users send at random, at the rate of the moment, whether or not earlier sends
// have ended, and each block takes what waits.
func (w *world) live(ctx context.Context) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ran := make(chan error, 1)
	go func() { ran <- w.client.Run(ctx) }()
	var blocks, sends sync.WaitGroup
	blocks.Go(func() { w.mine(ctx) })
	defer func() {
		cancel()
		sends.Wait() // of a day that was broken off
		blocks.Wait()
		if end := <-ran; !errors.Is(end, context.Canceled) {
			err = errors.Join(err, end)
		}
	}()
	if w.before, err = w.read(ctx); err != nil {
		return err
	}
	began := time.Now()
	next := time.Duration(0) // by the curve, so that a process that is behind catches up
	for n := 0; ; n++ {
		next += time.Duration(rand.ExpFloat64() / w.rate(next) * float64(time.Second))
		if next > w.day {
			break
		}
		if err := pause(ctx, time.Until(began.Add(next))); err != nil {
			return err
		}
		at, user := next, w.users[rand.IntN(len(w.users))]
		sends.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, sendTime)
			defer cancel()
			err := w.mint(ctx, user, fmt.Sprint("order ", n))
			w.mu.Lock()
			defer w.mu.Unlock()
			if err != nil {
				w.failed[err.Error()]++
				return
			}
			w.sends = append(w.sends, send{at: at, took: time.Since(began) - at}) // from when it was due
		})
	}
	sends.Wait()
	w.after, err = w.read(ctx)
	return err
}

// mine includes what waits, once a block.
func (w *world) mine(ctx context.Context) {
	defer w.model.Bundler.Resume()
	for {
		w.model.Bundler.Pause()
		if pause(ctx, w.block) != nil {
			return
		}
		w.model.Bundler.Resume()
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
