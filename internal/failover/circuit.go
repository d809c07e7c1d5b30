package failover

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/sony/gobreaker/v2"
)

// failuresToOpen is how many failures in a row open a circuit. One is enough where the member asks to be left
// alone, or surely cannot be reached.
const failuresToOpen = 2

// circuit is the health of one kind of questions to a member: gobreaker has the states, of which the
// half-open one lets a single question pass, and backoff the pauses between them, each longer than the one
// before until an answer comes.
type circuit struct {
	mu      sync.Mutex
	breaker *gobreaker.TwoStepCircuitBreaker[struct{}]
	pauses  *backoff.ExponentialBackOff
	// until is when the member may be asked again, last why it is not before.
	until time.Time
	last  error
	// tried is closed once the question has ended that finds out, alone, whether the member is back.
	tried chan struct{}
}

func newCircuit(first, longest time.Duration, opened func(why error)) *circuit {
	c := &circuit{pauses: &backoff.ExponentialBackOff{
		InitialInterval: first, MaxInterval: longest, Multiplier: 2, RandomizationFactor: 0.25,
	}}
	c.pauses.Reset()
	c.breaker = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Timeout: 1, // the pause is until: gobreaker's would be the same each time
		ReadyToTrip: func(counts gobreaker.Counts) bool {
			return counts.ConsecutiveFailures >= failuresToOpen || retryDelay(c.last) > 0 || unsent(c.last)
		},
		IsExcluded: func(err error) bool { return errors.Is(err, errNoVerdict) },
		OnStateChange: func(_ string, _, to gobreaker.State) { // with mu held
			switch to {
			case gobreaker.StateOpen:
				c.until = time.Now().Add(max(c.pauses.NextBackOff(), retryDelay(c.last)))
				opened(c.last)
			case gobreaker.StateClosed:
				c.pauses.Reset()
			}
		},
	})
	return c
}

// errNoVerdict is a question that says nothing about the member's health, such as one that its caller ended.
var errNoVerdict = errors.New("no verdict")

// rest is how long the member is left alone from now on.
func (c *circuit) rest() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return max(0, time.Until(c.until))
}

// fail has the member left alone for a failure elsewhere.
func (c *circuit) fail(err error) {
	if done, resting := c.enter(); resting == nil {
		done(err)
	}
}

// enterFor is enter that waits, if patient, while another question finds out whether the member is back.
func (c *circuit) enterFor(ctx context.Context, patient bool) (done func(error), err error) {
	for {
		done, resting := c.enter()
		if resting == nil {
			return done, nil
		}
		if resting.tried == nil || !patient {
			return nil, resting
		}
		select {
		case <-resting.tried:
		case <-ctx.Done():
			resting.ended = context.Cause(ctx)
			return nil, resting
		}
	}
}

// enter lets a question pass, whose end is told to done: nil, its failure, or [errNoVerdict]. Otherwise the
// error says why the member is not asked now.
func (c *circuit) enter() (done func(error), resting *restingError) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if rest := time.Until(c.until); rest > 0 {
		return nil, &restingError{rest: rest, err: c.last}
	}
	end, err := c.breaker.Allow()
	if err != nil { // another question finds out
		return nil, &restingError{err: c.last, tried: c.tried}
	}
	tried := make(chan struct{})
	c.tried = tried
	return func(err error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		defer close(tried)
		if err != nil && !errors.Is(err, errNoVerdict) {
			c.last = err
		}
		end(err)
	}, nil
}
