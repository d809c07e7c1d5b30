package bundler

import (
	"log/slog"
	"net/http"
)

// Option changes how a [Client] works.
type Option interface{ apply(*options) }

type options struct {
	httpClient *http.Client
	logger     *slog.Logger
	vendor     Vendor
	speed      Speed
	simulation SimulationType
}

type optionFunc func(*options)

func (f optionFunc) apply(o *options) { f(o) }

// WithHTTPClient sends through client instead of a connection pool of the bundler's own. Redirects are
// not followed either way.
func WithHTTPClient(client *http.Client) Option {
	return optionFunc(func(o *options) { o.httpClient = client })
}

// WithLogger tells logger each request at debug level, without parameters and keys.
func WithLogger(logger *slog.Logger) Option {
	return optionFunc(func(o *options) { o.logger = logger })
}

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

// Speed is a tier of gas prices.
type Speed string

// The tiers of pimlico_getUserOperationGasPrice. Standard is the default.
const (
	Slow     Speed = "slow"
	Standard Speed = "standard"
	Fast     Speed = "fast"
)

// WithSpeed chooses among the prices of a bundler that offers several. Biconomy's offers one.
func WithSpeed(speed Speed) Option {
	return optionFunc(func(o *options) { o.speed = speed })
}

// SimulationType is how far Biconomy's bundler simulates an operation before it takes it.
type SimulationType string

// The simulations of Biconomy's bundler.
const (
	SimulateValidation             SimulationType = "validation"
	SimulateValidationAndExecution SimulationType = "validation_and_execution"
)

// WithSimulation sends Biconomy's third parameter of eth_sendUserOperation. Other bundlers refuse it, so
// that it is left out by default.
func WithSimulation(simulation SimulationType) Option {
	return optionFunc(func(o *options) { o.simulation = simulation })
}
