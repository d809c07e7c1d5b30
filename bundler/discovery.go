package bundler

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
)

// discovery remembers which vendor's form of a method the service offers.
type discovery struct {
	known atomic.Int32 // a Vendor, or noVendor; AnyVendor until it is known
}

// noVendor is known of a service that has neither vendor's method.
const noVendor Vendor = -1

// errNotOffered means that the service has neither vendor's method.
var errNotOffered = errors.New("the bundler has neither Biconomy's nor Pimlico's method for it")

// fix sets the vendor, AnyVendor to find out.
func (d *discovery) fix(vendor Vendor) { d.known.Store(int32(vendor)) }

// ask asks in the form of the vendor that is known to answer. While none is known it asks in both forms
// at once, so that finding out costs no second round trip, and prefers Biconomy's answer.
func ask[T any](ctx context.Context, d *discovery, biconomy, pimlico func(context.Context) (T, error)) (T, error) {
	var none T
	switch Vendor(d.known.Load()) {
	case Biconomy:
		return biconomy(ctx)
	case Pimlico:
		return pimlico(ctx)
	case noVendor:
		return none, errNotOffered
	}
	ctx, cancel := context.WithCancel(ctx)
	type outcome struct {
		value T
		err   error
	}
	second := make(chan outcome, 1)
	go func() {
		value, err := pimlico(ctx)
		second <- outcome{value, err}
	}()
	value, err := biconomy(ctx)
	if err == nil {
		cancel() // the other answer is not needed
	}
	other := <-second
	cancel()

	absent, otherAbsent := errors.Is(err, ErrMethodNotFound), errors.Is(other.err, ErrMethodNotFound)
	switch {
	case err == nil:
		d.fix(Biconomy)
		return value, nil
	case other.err == nil:
		if absent {
			d.fix(Pimlico)
		}
		return other.value, nil
	case absent && otherAbsent:
		d.fix(noVendor)
		return none, errNotOffered
	case absent:
		return none, other.err
	case otherAbsent:
		return none, err
	}
	return none, fmt.Errorf("%w; %w", err, other.err)
}
