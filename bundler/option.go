package bundler

import (
	"log/slog"
	"net/http"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/go-sesame/sesame/internal/jsonrpc"
)

// Option changes how a [Client] works.
type Option interface{ apply(*options) }

type options struct {
	httpClient *http.Client
	logger     *slog.Logger
	tracers    trace.TracerProvider
	meters     metric.MeterProvider
	vendor     Vendor
	speed      Speed
	simulation SimulationType
	invalid    error // the error of every call
}

func newOptions(opts []Option) (o options) {
	for _, opt := range opts {
		if opt == nil {
			o.invalid = jsonrpc.ErrNilOption
			continue
		}
		opt.apply(&o)
	}
	return o
}

type optionFunc func(*options)

func (f optionFunc) apply(o *options) { f(o) }

// WithHTTPClient sends through client instead of a connection pool of the bundler's own. Redirects are not
// followed either way.
func WithHTTPClient(client *http.Client) Option {
	return optionFunc(func(o *options) { o.httpClient = client })
}

// WithLogger tells logger each request at debug level, without parameters and keys.
func WithLogger(logger *slog.Logger) Option {
	return optionFunc(func(o *options) { o.logger = logger })
}

// WithTracerProvider gets a span of each call, its tries included, by OpenTelemetry's semantic conventions
// for RPC clients. Of the service's URL it has the host and the port alone.
func WithTracerProvider(provider trace.TracerProvider) Option {
	return optionFunc(func(o *options) { o.tracers = provider })
}

// WithMeterProvider measures each call, its tries included: the histogram rpc.client.call.duration of
// OpenTelemetry's semantic conventions, in seconds.
func WithMeterProvider(provider metric.MeterProvider) Option {
	return optionFunc(func(o *options) { o.meters = provider })
}

// SimulationType is how far Biconomy's bundler simulates an operation before it takes it.
type SimulationType string

// The simulations of Biconomy's bundler.
const (
	SimulateValidation             SimulationType = "validation"
	SimulateValidationAndExecution SimulationType = "validation_and_execution"
)

// WithSimulation sends Biconomy's third parameter of eth_sendUserOperation. Other bundlers refuse it, so that
// it is left out by default.
func WithSimulation(simulation SimulationType) Option {
	return optionFunc(func(o *options) { o.simulation = simulation })
}
