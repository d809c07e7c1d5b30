package faultproxy

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"time"
)

const (
	longestDelay = 500 * time.Millisecond
	longestHold  = 250 * time.Millisecond
)

func networkFaults() []fault {
	return []fault{
		{kind: RefusedConnection, weight: 4, do: after((*exchange).shutDoor)},
		{kind: Reset, weight: 15, do: func(x *exchange) bool {
			x.done()
			x.reset()
			return true
		}},
		{kind: CutAfterAcceptance, weight: 15, do: after(func(x *exchange, _ *answer) { x.reset() })},
		{kind: CutBody, weight: 8, do: after((*exchange).cutBody)},
		{kind: Delayed, weight: 20, do: after(func(x *exchange, a *answer) {
			if wait(x.stop, 1+x.within(longestDelay)) == nil {
				x.write(a)
			}
		})},
		{kind: Hanging, weight: 3, do: func(x *exchange) bool {
			x.done()
			x.hang()
			return true
		}},
		{kind: HangingAfterAcceptance, weight: 3, do: after(func(x *exchange, _ *answer) { x.hang() })},
		{kind: Duplicated, weight: 15, do: after(func(x *exchange, _ *answer) {
			if a, err := x.forward(); err != nil {
				x.reset()
			} else {
				x.write(a)
			}
		})},
		{kind: Reordered, weight: 15, do: (*exchange).reorder},
	}
}

// within draws a duration.
func (x *exchange) within(longest time.Duration) time.Duration {
	return time.Duration(x.rand.Int64N(int64(longest)))
}

// shutDoor answers, and has who comes next refused.
func (x *exchange) shutDoor(a *answer) {
	x.w.Header().Set("Connection", "close")
	x.door.shut(shutFor)
	x.write(a)
}

// cutBody promises the whole answer, and ends the connection after half of it.
func (x *exchange) cutBody(a *answer) {
	x.w.Header().Set("Content-Length", strconv.Itoa(len(a.body)+1))
	x.w.WriteHeader(a.status)
	_, _ = x.w.Write(a.body[:len(a.body)/2])
	_ = http.NewResponseController(x.w).Flush()
	x.reset()
}

// hang answers nothing until the client is gone.
func (x *exchange) hang() {
	select {
	case <-x.r.Context().Done():
	case <-x.stop.Done():
	}
	x.reset()
}

// held is a request that is held back.
type held struct {
	arrival   uint64
	overtaken chan struct{}
}

// reorder holds the request back until a later one was answered.
func (x *exchange) reorder() bool {
	x.done()
	h := &held{x.arrival, make(chan struct{})}
	x.mu.Lock()
	x.Proxy.held[h] = struct{}{}
	x.mu.Unlock()
	timer := time.NewTimer(longestHold)
	defer timer.Stop()
	select {
	case <-h.overtaken:
	case <-timer.C:
	case <-x.stop.Done():
	}
	x.mu.Lock()
	delete(x.Proxy.held, h)
	x.mu.Unlock()
	a, err := x.forward()
	if err != nil {
		x.reset()
		return true
	}
	var members []json.RawMessage
	if x.batch && json.Unmarshal(a.body, &members) == nil {
		slices.Reverse(members)
		a.body = encode(members)
	}
	x.write(a)
	return true
}

// overtake lets go what came before this request, which was answered.
func (x *exchange) overtake() {
	x.mu.Lock()
	defer x.mu.Unlock()
	for h := range x.Proxy.held {
		if h.arrival < x.arrival {
			close(h.overtaken)
			delete(x.Proxy.held, h)
		}
	}
}
