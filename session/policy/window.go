package policy

import (
	"fmt"
	"time"

	"github.com/go-sesame/sesame/internal/abiword"
	"github.com/go-sesame/sesame/session/internal/moment"
)

// MaxTime is the last moment a leaf can name: the contracts keep times as uint48 seconds.
const MaxTime = abiword.MaxUint48

// Window is when a session may be used. The zero value is no window: a policy with it is refused, so that a
// session without an end has to be asked for by name ([Forever]).
type Window struct {
	// Start and End are unix seconds, inclusive as the EntryPoint compares them; an End of 0 means no end.
	start, end uint64
	set        bool
	err        error
}

// Until is valid from now on, up to and including end.
func Until(end time.Time) Window { return Between(time.Time{}, end) }

// Between is valid from start up to and including end. A zero start means from now on.
func Between(start, end time.Time) Window {
	w := Window{set: true}
	if w.end, w.err = unixSeconds("end", end); w.err != nil {
		return w
	}
	if w.end == 0 {
		w.err = fmt.Errorf("%w: window without an end; ask for one that never ends with Forever", ErrInvalid)
		return w
	}
	if !start.IsZero() {
		w.start, w.err = unixSeconds("start", start)
	}
	if w.err == nil && w.start > w.end {
		w.err = fmt.Errorf("%w: window starts at %s, after its end %s", ErrInvalid, moment.Format(w.start), moment.Format(w.end))
	}
	return w
}

// Forever never ends and starts at once. Only a revocation ends such a session.
func Forever() Window { return Window{set: true} }

// Seconds returns the window as the contracts keep it: unix seconds, until 0 for no end.
func (w Window) Seconds() (until, after uint64, err error) {
	switch {
	case w.err != nil:
		return 0, 0, w.err
	case !w.set:
		return 0, 0, fmt.Errorf("%w: no validity window; use Until, Between or, for one that never ends, Forever", ErrInvalid)
	}
	return w.end, w.start, nil
}

// String returns the window in words, in UTC.
func (w Window) String() string {
	until, after, err := w.Seconds()
	if err != nil {
		return "no window"
	}
	return describeWindow(until, after)
}

func windowOf(until, after uint64) Window {
	return Window{start: after, end: until, set: true}
}

func describeWindow(until, after uint64) string {
	switch {
	case until == 0 && after == 0:
		return "for ever"
	case until == 0:
		return "from " + moment.Format(after) + ", without end"
	case after == 0:
		return "until " + moment.Format(until)
	}
	return "from " + moment.Format(after) + " until " + moment.Format(until)
}

func unixSeconds(name string, t time.Time) (uint64, error) {
	if t.IsZero() {
		return 0, nil
	}
	s := t.Unix()
	if s < 0 || s > MaxTime {
		return 0, fmt.Errorf("%w: window %s %s is outside what the contracts can hold", ErrInvalid, name, t.UTC().Format(time.RFC3339))
	}
	return uint64(s), nil
}
