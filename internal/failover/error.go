package failover

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"
)

// MemberError is what one member failed with, or refused.
type MemberError struct {
	// Member is its name.
	Member string
	// Err is the cause, as the member's own client tells it.
	Err error
}

// Error names the member and the cause.
func (e *MemberError) Error() string { return e.Member + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *MemberError) Unwrap() error { return e.Err }

// Error is a question that several members failed to answer, or one of them refused after another failed. It
// matches each of the causes.
type Error struct {
	// Kind is what the members are: "bundler".
	Kind string
	// Members are the failures, in the order in which they were asked.
	Members []*MemberError
}

// Error names each member and its cause.
func (e *Error) Error() string {
	if len(e.Members) == 1 {
		return fmt.Sprintf("%s %s", e.Kind, e.Members[0])
	}
	causes := make([]string, len(e.Members))
	for i, member := range e.Members {
		causes[i] = member.Error()
	}
	return fmt.Sprintf("none of %d %ss will do: %s", len(causes), e.Kind, strings.Join(causes, "; "))
}

// Unwrap returns the members' errors.
func (e *Error) Unwrap() []error {
	all := make([]error, len(e.Members))
	for i, member := range e.Members {
		all[i] = member
	}
	return all
}

// MayBeDelivered reports whether one of the members may have got the request, and accepted it.
func (e *Error) MayBeDelivered() bool { return e.any(MayBeDelivered) }

// Unsent reports whether the request surely reached none of them.
func (e *Error) Unsent() bool { return !e.any(func(err error) bool { return !unsent(err) }) }

// Temporary reports whether the same request may succeed later, at one of them.
func (e *Error) Temporary() bool { return e.any(temporary) }

// AccessDenied reports whether all of them denied access.
func (e *Error) AccessDenied() bool { return !e.any(func(err error) bool { return !denied(err) }) }

// RetryDelay is how long all of them are to be left alone, 0 where one is not.
func (e *Error) RetryDelay() time.Duration {
	var shortest time.Duration
	for i, member := range e.Members {
		if delay := retryDelay(member); i == 0 || delay < shortest {
			shortest = delay
		}
	}
	return shortest
}

func (e *Error) any(is func(error) bool) bool {
	return slices.ContainsFunc(e.Members, func(member *MemberError) bool { return is(member) })
}

// restingError is a member that is not asked now, since it failed before.
type restingError struct {
	rest time.Duration
	err  error
	// tried is closed once another question has found out whether the member is back, nil if none does now;
	// ended is what ended the wait for that.
	tried <-chan struct{}
	ended error
}

// beingTried reports whether another question finds out whether the member is back. What the member answered
// may say the same of others, and is none of it.
func beingTried(err error) bool {
	resting, ok := err.(*restingError)
	return ok && resting.tried != nil
}

// Error says why: without the time that is left, so that the same is told in the same words.
func (e *restingError) Error() string {
	text := "not asked, it is being tried"
	if e.err != nil {
		text = fmt.Sprintf("not asked for now, as it failed before: %v", e.err)
	}
	if e.ended != nil {
		text += fmt.Sprintf("; waited for another question to find out: %v", e.ended)
	}
	return text
}

func (e *restingError) Unwrap() []error {
	return slices.DeleteFunc([]error{e.err, e.ended}, func(err error) bool { return err == nil })
}

func (e *restingError) MayBeDelivered() bool { return false }

func (e *restingError) Unsent() bool { return true }

func (e *restingError) Temporary() bool { return e.err == nil || temporary(e.err) }

func (e *restingError) RetryDelay() time.Duration { return e.rest }

// unprovenError is a member that did not say, or not right, which chain it serves: it was given nothing.
type unprovenError struct{ err error }

func (e *unprovenError) Error() string { return e.err.Error() }

func (e *unprovenError) Unwrap() error { return e.err }

func (e *unprovenError) MayBeDelivered() bool { return false }

func (e *unprovenError) Unsent() bool { return true }

// What errors can tell of themselves; one that cannot leaves the doubt.

// MayBeDelivered reports whether the service may have got what it failed to answer.
func MayBeDelivered(err error) bool {
	var judged interface{ MayBeDelivered() bool }
	return !errors.As(err, &judged) || judged.MayBeDelivered()
}

func unsent(err error) bool {
	var judged interface{ Unsent() bool }
	return errors.As(err, &judged) && judged.Unsent()
}

func temporary(err error) bool {
	var judged interface{ Temporary() bool }
	return errors.As(err, &judged) && judged.Temporary()
}

func denied(err error) bool {
	var judged interface{ AccessDenied() bool }
	return errors.As(err, &judged) && judged.AccessDenied()
}

func retryDelay(err error) time.Duration {
	var judged interface{ RetryDelay() time.Duration }
	if !errors.As(err, &judged) {
		return 0
	}
	return judged.RetryDelay()
}

// ofNetwork reports whether err is the network's, or a try that was not answered in time.
func ofNetwork(err error) bool {
	var failed net.Error
	return errors.As(err, &failed)
}
