package userop

import (
	"errors"
	"slices"
	"time"

	"github.com/go-sesame/sesame/internal/node"
)

// MayBeAccepted reports whether an operation may be included although sending it, or waiting for it, failed
// with err: the request may have reached the bundler, and its answer got lost. Whatever a bundler says
// afterwards, [ErrDropped] as well, is its word: only the chain ends that doubt. Wait for the operation with
// [Sender.Watch], or send the same bytes again with [Sender.Resend]; never sign another one for the same
// purpose before that is known.
//
// Of an error that joins several, it is true if it is of one of them. One with a method MayBeAccepted() bool
// tells by itself, as that of who cannot look up what was sent before.
func MayBeAccepted(err error) bool {
	switch e := err.(type) {
	case *WaitError:
		return true
	case *Error:
		return e.Step == StepSend && e.Operation != nil && mayBeDelivered(e.Err)
	case interface{ MayBeAccepted() bool }:
		return e.MayBeAccepted()
	case interface{ Unwrap() error }:
		return MayBeAccepted(e.Unwrap())
	case interface{ Unwrap() []error }:
		return slices.ContainsFunc(e.Unwrap(), MayBeAccepted)
	}
	return err == ErrDropped
}

// mayBeDelivered asks the error itself; one that cannot tell leaves the doubt.
func mayBeDelivered(err error) bool {
	var judged interface{ MayBeDelivered() bool }
	return !errors.As(err, &judged) || judged.MayBeDelivered()
}

// unsent reports whether a request surely reached nobody; an error that cannot tell leaves that open.
func unsent(err error) bool {
	var judged interface{ Unsent() bool }
	return errors.As(err, &judged) && judged.Unsent()
}

// heldBack reports whether somebody stopped what was to be signed.
func heldBack(err error) bool {
	var judged interface{ HeldBack() bool }
	return errors.As(err, &judged) && judged.HeldBack()
}

func temporary(err error) bool {
	var judged interface{ Temporary() bool }
	return errors.As(err, &judged) && judged.Temporary()
}

// retryDelay is how long a service asks to stay away, 0 where it does not say.
func retryDelay(err error) time.Duration {
	var judged interface{ RetryDelay() time.Duration }
	if !errors.As(err, &judged) {
		return 0
	}
	return judged.RetryDelay()
}

// SafeToRetry reports whether the whole send can be tried again as it was: the operation was surely not
// accepted, and the cause passes by itself, such as a service that is overloaded or a node that is out of
// reach.
func SafeToRetry(err error) bool {
	return !MayBeAccepted(err) && (temporary(err) || nodeUnavailable(err))
}

// nodeUnavailable reports whether err is a node that could not be read for now, while an operation was
// prepared.
func nodeUnavailable(err error) bool {
	failed, ok := errors.AsType[*Error](err)
	return ok && failed.Step == StepPrepare && node.Unavailable(failed.Err)
}
