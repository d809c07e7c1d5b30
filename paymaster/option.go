package paymaster

import (
	"log/slog"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/go-sesame/sesame/internal/jsonrpc"
)

// Option changes how a [Client] or an [ERC7677] works.
type Option interface{ apply(*options) }

type options struct {
	httpClient *http.Client
	logger     *slog.Logger
	tracers    trace.TracerProvider
	meters     metric.MeterProvider
	webhook    any
	expiry     time.Duration
	account    *AccountInfo
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

func (o options) rpc(url string) *jsonrpc.Client {
	return jsonrpc.New(jsonrpc.Config{
		URL: url, Service: "paymaster", HTTPClient: o.httpClient, Logger: o.logger,
		TracerProvider: o.tracers, MeterProvider: o.meters, Invalid: o.invalid,
	})
}

type optionFunc func(*options)

func (f optionFunc) apply(o *options) { f(o) }

// WithHTTPClient sends through client instead of a connection pool of the paymaster's own. Redirects are not
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

// WithWebhookData passes data to Biconomy's webhook for each operation that brings none of its own
// ([userop.Draft].PaymasterContext). It is marshalled to JSON.
func WithWebhookData(data any) Option {
	return optionFunc(func(o *options) { o.webhook = data })
}

// WithExpiry asks Biconomy's service for sponsorships that are valid for d, in whole seconds. By default the
// service decides.
func WithExpiry(d time.Duration) Option {
	return optionFunc(func(o *options) { o.expiry = d })
}

// AccountInfo tells Biconomy's service what kind of account an operation is of.
type AccountInfo struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// WithAccountInfo replaces what is said of the account: Biconomy's smart account 2.0.0 by default.
func WithAccountInfo(info AccountInfo) Option {
	return optionFunc(func(o *options) { o.account = &info })
}
