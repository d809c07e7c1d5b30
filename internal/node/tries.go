// Package node asks a node of the chain as services are asked: each try has a deadline of its own, and a
// failure that passes by itself is followed by another.
package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"regexp"
	"strings"
	"sync/atomic"
	"time"
)

const (
	maxTries = 3
	// longestTry bounds a try, longest all tries of a question. A try has half of the caller's time at most,
	// but not less than shortestTry.
	longestTry  = 10 * time.Second
	longest     = 20 * time.Second
	shortestTry = time.Second
	firstPause  = 200 * time.Millisecond
)

// Tries are the tries of one question. The loop over them stands where the question is asked, so that no
// function comes between:
//
//	for t := node.Ask(ctx); t.Next(&err); {
//		id, err = chain.ChainID(t.Context)
//	}
type Tries struct {
	// Context is that of the try at hand.
	Context context.Context

	caller context.Context
	cancel context.CancelFunc
	begun  time.Time
	within time.Duration // of the try at hand
	n      int
	denied bool                   // a try was denied access
	host   atomic.Pointer[string] // that was asked
}

// Ask returns the tries of a question.
func Ask(ctx context.Context) *Tries { return &Tries{caller: ctx, begun: time.Now()} }

// Next begins the first try and, where the one before it failed with an error that passes by itself, the next
// after a pause. Of a try that was not answered in time the error says so. One that was denied access, which
// a gateway does in passing as well, is followed by one other. What failed at last is told as an [*Error].
func (t *Tries) Next(err *error) bool {
	if t.cancel != nil {
		late := t.Context.Err() != nil && t.caller.Err() == nil
		t.cancel()
		if late && *err != nil {
			*err = &unansweredError{t.within, *err}
		}
		if *err == nil {
			return false
		}
		if t.caller.Err() != nil || t.n == maxTries || !t.mayPass(*err) || !t.pause() {
			*err = t.told(*err)
			return false
		}
	}
	t.n++
	t.within = min(longestTry, longest-time.Since(t.begun))
	if deadline, ok := t.caller.Deadline(); ok {
		t.within = min(t.within, max(time.Until(deadline)/2, shortestTry))
	}
	t.Context, t.cancel = context.WithTimeout(watch(t.caller, &t.host), t.within)
	return true
}

// mayPass reports whether another try may bring an answer.
func (t *Tries) mayPass(err error) bool {
	if Unavailable(err) {
		return true
	}
	failed, _ := cause(err)
	status := httpStatus(failed)
	first := !t.denied
	t.denied = true
	return first && (status == 401 || status == 403 || status == 404)
}

// pause waits before the next try; false where there is no time for one.
func (t *Tries) pause() bool {
	most := firstPause << (t.n - 1)
	delay := most/2 + rand.N(most/2)
	if deadline, ok := t.caller.Deadline(); ok && time.Until(deadline) <= delay || time.Since(t.begun)+delay >= longest {
		return false
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-t.caller.Done():
		return false
	case <-timer.C:
		return true
	}
}

// unansweredError is a try that the node did not answer in time.
type unansweredError struct {
	after time.Duration
	err   error
}

func (e *unansweredError) Error() string {
	return fmt.Sprintf("no answer within %s", e.after.Round(time.Millisecond))
}

func (e *unansweredError) Unwrap() error { return e.err }

// Unavailable reports whether err is a node that could not be read for now: it was out of reach, has too much
// to do, lags behind, or what came was no answer. A chain reader's errors do not tell that by a method, as
// those of the bundler and the paymaster do.
func Unavailable(err error) bool {
	var (
		name    *net.DNSError
		broken  *net.OpError
		garbage *json.SyntaxError
		late    *unansweredError
		answer  interface{ ErrorCode() int }
	)
	if told, ok := errors.AsType[*Error](err); ok { // its own words are no cause
		err = told.Err
	}
	if several, ok := errors.AsType[*SeveralError](err); ok {
		return several.Passing
	}
	switch {
	case errors.As(err, &late):
		return true
	case errors.Is(err, context.Canceled), errors.As(err, &name) && name.IsNotFound:
		return false
	case errors.As(err, &answer):
		code := answer.ErrorCode()
		return code == -32005 || code == 429 || // limit exceeded (EIP-1474), and what some say instead
			code != 3 && !strings.Contains(err.Error(), "revert") && passing.MatchString(err.Error())
	case errors.As(err, &broken):
		return broken.Op == "dial" || broken.Op == "read" || broken.Op == "write"
	case errors.As(err, &garbage), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return true
	default:
		return busyStatus.MatchString(innermost(err).Error())
	}
}

// passing finds what a node says while it, or one behind it, lags or fails for a moment.
var passing = regexp.MustCompile(`(?i)\b(header|block)( for hash)? not found\b|\bunknown block\b|\bmissing trie node\b|` +
	`\btime(d)?[ -]?out\b|\bdeadline exceeded\b|\bconnection (was )?(reset|refused|closed)\b|\bunexpected EOF\b|` +
	`\bbad gateway\b|\b(temporarily|currently) unavailable\b|\b(try|retry) (it )?again\b|\boverloaded\b|\btoo many requests\b`)

// busyStatus is how an error of go-ethereum's rpc client begins where HTTP itself failed in a way that
// passes.
var busyStatus = regexp.MustCompile(`^(408|429|5\d\d) `)

func innermost(err error) error {
	for {
		cause := errors.Unwrap(err)
		if cause == nil {
			return err
		}
		err = cause
	}
}
