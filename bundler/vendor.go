package bundler

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/go-sesame/sesame/internal/jsonrpc"
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

// discovery remembers which vendor's form of a method the service offers.
type discovery struct {
	known atomic.Int32 // a Vendor, or noVendor; AnyVendor until it is known
	// nullIsAnAnswer says that a result of null tells something; the request's Result is left alone then.
	nullIsAnAnswer bool
}

// noVendor is known of a service that has neither vendor's method.
const noVendor Vendor = -1

// errNotOffered means that the service has neither vendor's method.
var errNotOffered = errors.New("the bundler has neither Biconomy's nor Pimlico's method for it")

// fix sets the vendor, AnyVendor to find out.
func (d *discovery) fix(vendor Vendor) { d.known.Store(int32(vendor)) }

// ask asks in the form of the vendor that is known to answer, and returns whose answer it was. While none is
// known it asks in both forms at once, so that finding out costs no second round trip, and prefers Biconomy's
// answer.
func (d *discovery) ask(ctx context.Context, rpc *jsonrpc.Client, biconomy, pimlico jsonrpc.Request) (Vendor, error) {
	switch vendor := Vendor(d.known.Load()); vendor {
	case Biconomy:
		return vendor, d.failure(rpc.Do(ctx, biconomy))
	case Pimlico:
		return vendor, d.failure(rpc.Do(ctx, pimlico))
	case noVendor:
		return vendor, errNotOffered
	}
	ctx, cancel := context.WithCancel(ctx)
	second := make(chan error, 1)
	go func() { second <- d.failure(rpc.Do(ctx, pimlico)) }()
	err := d.failure(rpc.Do(ctx, biconomy))
	if err == nil {
		cancel() // the other answer is not needed
	}
	otherErr := <-second
	cancel()
	return d.choose(err, otherErr)
}

// failure is why a request has no answer, nil if it has one.
func (d *discovery) failure(err error) error {
	if d.nullIsAnAnswer && errors.Is(err, jsonrpc.ErrNull) {
		return nil
	}
	return asError(err)
}

// choose chooses among the answers in both forms by what failed, and remembers what that tells of the
// service.
func (d *discovery) choose(biconomy, pimlico error) (Vendor, error) {
	noBiconomy, noPimlico := errors.Is(biconomy, ErrMethodNotFound), errors.Is(pimlico, ErrMethodNotFound)
	switch {
	case biconomy == nil:
		d.fix(Biconomy)
		return Biconomy, nil
	case pimlico == nil:
		if noBiconomy {
			d.fix(Pimlico)
		}
		return Pimlico, nil
	case noBiconomy && noPimlico:
		d.fix(noVendor)
		return noVendor, errNotOffered
	case noBiconomy:
		return noVendor, pimlico
	case noPimlico:
		return noVendor, biconomy
	}
	return noVendor, fmt.Errorf("%w; %w", biconomy, pimlico)
}
