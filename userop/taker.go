package userop

import (
	"context"
	"errors"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/internal/ability"
)

// Taker is a [Bundler] that hands operations to one of several, and knows to which; *bundler.Pool is one.
type Taker interface {
	// TakenBy returns the name of the member that took the operation with that userOpHash last, empty where
	// that is not known, or not any more.
	TakenBy(hash common.Hash) string
}

// Bundler returns the name of the bundler that took the operation, where there are several; empty otherwise,
// and where another process gave it away. What the others failed with is in the error of a send, by name.
func (p *Pending) Bundler() string {
	if taker, ok := ability.Find[Taker](p.sender.cfg.Bundler); ok {
		return taker.TakenBy(p.hash)
	}
	return ""
}

type handingOn struct{}

// handingOn returns a context of one try to hand an operation over: a bundler of several may hand it to more
// than one, for which it asks [MayHandOn].
func (s *Sender) handingOn(ctx context.Context, op *Operation, guard Guard) context.Context {
	return context.WithValue(ctx, handingOn{}, func(ctx context.Context) error {
		switch {
		case guard != nil:
			return guard(ctx, op)
		case !s.mayResend(op):
			return errors.New("it needs a guard, and has none")
		}
		return nil
	})
}

// MayHandOn returns an error for an operation that is not to be handed to another service after one that
// failed to take it: its guard says so. A [Bundler] of several asks it with the context that it was given,
// before each of them but the first.
func MayHandOn(ctx context.Context) error {
	if ask, ok := ctx.Value(handingOn{}).(func(context.Context) error); ok {
		if err := ask(ctx); err != nil {
			return &NotHandedOnError{err}
		}
	}
	return nil
}

// NotHandedOnError is an operation that another service was not given, for what its guard says.
type NotHandedOnError struct{ Err error }

// Error says why.
func (e *NotHandedOnError) Error() string { return "not sent: " + e.Err.Error() }

// Unwrap returns what the guard says.
func (e *NotHandedOnError) Unwrap() error { return e.Err }

// MayBeDelivered reports false: the service was given nothing.
func (e *NotHandedOnError) MayBeDelivered() bool { return false }

// Temporary reports false.
func (e *NotHandedOnError) Temporary() bool { return false }

// Unsent reports true.
func (e *NotHandedOnError) Unsent() bool { return true }
