package userop

import (
	"slices"
	"time"
)

const (
	// The newest block is asked for so often around the moment at which it is expected: a part of the time
	// between blocks, within bounds, and no more often than half of the time that the node takes to answer.
	beatPart     = 40
	shortestBeat = 25 * time.Millisecond
	longestBeat  = 250 * time.Millisecond
	// beatPatience is how often it is asked so in vain, where the time between blocks is known, before it is
	// asked less often each time, up to slowestBeat.
	beatPatience = 8
	slowestBeat  = 5 * time.Second
	// beatLasts is how long it is known when blocks come after nobody asked any more.
	beatLasts = 10 * time.Minute
)

// beat is how blocks come, by when each was seen first: what is waited for mostly comes with the next one. It
// is guarded by the watcher's lock.
type beat struct {
	head uint64    // the newest that was seen, 0 for none
	at   time.Time // about when it came
	// before is when it was asked for last while it was not there, vain how often it was since the last one
	// came, took how long the last answer took.
	before time.Time
	vain   int
	took   time.Duration
	period time.Duration // between blocks, 0 while it is not known
}

// known reports whether it is known when blocks come.
func (b *beat) known(now time.Time) bool { return b.period != 0 && now.Sub(b.at) < beatLasts }

// saw notes the newest block's number as of an answer, and reports whether it is a new one.
func (b *beat) saw(head uint64, asked, now time.Time) bool {
	b.took = now.Sub(asked)
	if head <= b.head {
		b.before = asked
		b.vain++
		if b.head-head <= reorgDepth || b.vain < beatPatience {
			return false
		}
		*b = beat{before: b.before, took: b.took} // the chain begins anew, or there never was such a block
	}
	at := now.Add(-min(b.step()/2, now.Sub(b.before)/2))
	if b.head != 0 {
		b.meet(head-b.head, at)
	} else {
		b.at = at
	}
	b.head, b.vain = head, 0
	return true
}

// meet moves the beat: at once to what came early, slowly to what came late.
func (b *beat) meet(blocks uint64, at time.Time) {
	each := max(at.Sub(b.at)/time.Duration(min(blocks, 1<<20)), time.Microsecond)
	if b.period == 0 {
		b.period, b.at = each, at
		return
	}
	expected := b.at.Add(time.Duration(min(blocks, 1<<20)) * b.period)
	b.period += (each - b.period) / 4
	if late := at.Sub(expected); late > 0 && late < b.period/2 {
		at = expected.Add(late / 4)
	}
	b.at = at
}

// step is the time between two questions.
func (b *beat) step() time.Duration {
	step, vain := longestBeat, b.vain
	if b.period != 0 {
		step, vain = min(max(b.period/beatPart, shortestBeat), longestBeat), vain-beatPatience
	}
	step = max(step, b.took)
	for ; vain > 0 && step < slowestBeat; vain-- {
		step += step / 2
	}
	return min(step, slowestBeat)
}

// next is when to ask for the newest block again.
func (b *beat) next(now time.Time) time.Time {
	step := b.step()
	if expected := b.at.Add(b.period - step/2); b.period != 0 && expected.After(now.Add(step)) {
		return minTime(expected, now.Add(slowestBeat))
	}
	return now.Add(step)
}

func latest(times ...time.Time) time.Time { return slices.MaxFunc(times, time.Time.Compare) }

func minTime(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
