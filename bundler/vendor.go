package bundler

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/go-sesame/sesame/internal/jsonrpc"
	"github.com/go-sesame/sesame/userop"
)

// Vendor is whose methods a bundler has beside the standard ones.
type Vendor int

// The vendors whose gas price and status methods the client knows.
const (
	// AnyVendor finds out with the first question, which goes out in both forms at once.
	AnyVendor Vendor = iota
	// Biconomy has biconomy_getGasFeeValues and biconomy_getUserOperationStatus.
	Biconomy
	// Pimlico has pimlico_getUserOperationGasPrice and pimlico_getUserOperationStatus.
	Pimlico
)

// WithVendor fixes whose methods are used for the gas price and the status.
func WithVendor(vendor Vendor) Option {
	return optionFunc(func(o *options) { o.vendor = vendor })
}

// noVendor is that of a service which has neither vendor's method.
const noVendor Vendor = -1

// errNotOffered means that the service has neither vendor's method.
var errNotOffered = errors.New("the bundler has neither Biconomy's nor Pimlico's method for it")

// absence remembers for a while that the service does not have a method. Not for good: the answer may have
// been that of one machine among many, or of a service that is just being replaced.
type absence struct {
	until atomic.Int64 // in nanoseconds since 1970
}

// remembered is how long it is before a method that was missing is asked for again.
const remembered = time.Minute

func (a *absence) note() { a.until.Store(time.Now().Add(remembered).UnixNano()) }

func (a *absence) known() bool { return time.Now().UnixNano() < a.until.Load() }

// discovery remembers which vendor's form of a method the service offers.
type discovery struct {
	fixed   Vendor       // by option
	learned atomic.Int32 // a Vendor; AnyVendor until one answered
	none    absence      // of both
}

// ask asks in the form of the vendor that is known to answer, and returns whose answer it was. While none is
// known it asks in both forms at once, so that finding out costs no second round trip, and prefers Biconomy's
// answer. That an operation is not known, which is an error matching [userop.ErrNotFound], is an answer.
func (d *discovery) ask(ctx context.Context, rpc *jsonrpc.Client, biconomy, pimlico question) (Vendor, error) {
	switch vendor := d.vendor(); vendor {
	case Biconomy:
		return vendor, d.answered(biconomy.failure(rpc.Do(ctx, biconomy.Request)))
	case Pimlico:
		return vendor, d.answered(pimlico.failure(rpc.Do(ctx, pimlico.Request)))
	}
	if d.none.known() {
		return noVendor, errNotOffered
	}
	ctx, cancel := context.WithCancel(ctx)
	second := make(chan error, 1)
	go func() { second <- pimlico.failure(rpc.Do(ctx, pimlico.Request)) }()
	err := biconomy.failure(rpc.Do(ctx, biconomy.Request))
	if err == nil {
		cancel() // the other answer is not needed
	}
	otherErr := <-second
	cancel()
	return d.choose(err, otherErr)
}

// vendor is whose form is asked in.
func (d *discovery) vendor() Vendor {
	if d.fixed != AnyVendor {
		return d.fixed
	}
	return Vendor(d.learned.Load())
}

// question is a request in one vendor's form.
type question struct {
	jsonrpc.Request
	// notFound tells of a failure whether it means that what was asked about is not known; nil where that
	// cannot be.
	notFound func(error) error
}

// failure is why a request has no answer, nil if it has one.
func (q question) failure(err error) error {
	if err = asError(err); err != nil && q.notFound != nil {
		return q.notFound(err)
	}
	return err
}

// answered is the failure of the vendor that used to answer. Where its method is gone, both are asked for the
// next time.
func (d *discovery) answered(err error) error {
	if !mayBeMissing(err) {
		return err
	}
	d.learned.Store(int32(AnyVendor))
	return fmt.Errorf("%w: %w", errNotOffered, err)
}

// choose chooses among the answers in both forms by what failed, and remembers what that tells of the
// service.
func (d *discovery) choose(biconomy, pimlico error) (Vendor, error) {
	switch {
	case biconomy == nil:
		d.learned.Store(int32(Biconomy))
		return Biconomy, nil
	case pimlico == nil:
		if missing(biconomy) {
			d.learned.Store(int32(Pimlico))
		}
		return Pimlico, nil
	case errors.Is(biconomy, userop.ErrNotFound):
		return Biconomy, biconomy
	case errors.Is(pimlico, userop.ErrNotFound):
		return Pimlico, pimlico
	case missing(biconomy) && missing(pimlico):
		d.none.note()
		return noVendor, errNotOffered
	case mayBeMissing(biconomy) && mayBeMissing(pimlico):
		return noVendor, errNotOffered
	case mayBeMissing(biconomy):
		return noVendor, pimlico
	case mayBeMissing(pimlico):
		return noVendor, biconomy
	}
	if alike(biconomy, pimlico) {
		return noVendor, biconomy
	}
	return noVendor, fmt.Errorf("%w; %w", biconomy, pimlico)
}

// alike reports whether both questions failed in the same way.
func alike(a, b error) bool {
	first, second := (*Error)(nil), (*Error)(nil)
	if errors.As(a, &first) && errors.As(b, &second) {
		return first.Code == second.Code && first.HTTPStatus == second.HTTPStatus && first.Message == second.Message
	}
	lost, other := (*TransportError)(nil), (*TransportError)(nil)
	return errors.As(a, &lost) && errors.As(b, &other) &&
		lost.HTTPStatus == other.HTTPStatus && lost.BodyStart == other.BodyStart && fmt.Sprint(lost.Err) == fmt.Sprint(other.Err)
}

// missing reports whether the service says in words that it does not have the method.
func missing(err error) bool {
	answer := (*Error)(nil)
	return errors.As(err, &answer) && answer.answer().MethodMissing()
}

// mayBeMissing reports whether it says so by its code at least, and nothing else in words. That is no reason
// to fail, and none to remember.
func mayBeMissing(err error) bool { return errors.Is(err, ErrMethodNotFound) }
