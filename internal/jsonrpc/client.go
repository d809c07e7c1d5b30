package jsonrpc

import (
	"cmp"
	"context"
	"log/slog"
	"net"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/go-sesame/sesame/internal/observe"
)

const (
	defaultTimeout     = 30 * time.Second
	defaultMaxResponse = 4 << 20
)

// Config makes a [Client]. URL is required.
type Config struct {
	// URL is the service's http or https address, key included.
	URL string
	// Service names the service in errors and logs: "bundler".
	Service string
	// HTTPClient is used instead of the client's own connection pool. Its redirect policy is not: redirects
	// are never followed.
	HTTPClient *http.Client
	// Timeout bounds a call, tries included, whose context has no deadline, and every single try; one that
	// can be repeated has half of it, and at most half of the time that is left. 30 seconds by default.
	Timeout time.Duration
	// MaxResponse bounds an answer in bytes; 4 MiB by default.
	MaxResponse int64
	// Logger is told each request at debug level; nil for silence. TracerProvider and MeterProvider get a
	// span and the duration of each call, with its tries; nil for none.
	Logger         *slog.Logger
	TracerProvider trace.TracerProvider
	MeterProvider  metric.MeterProvider
	// Invalid, when set, is what is wrong with the rest of the configuration: the error of every call.
	Invalid error
}

// Client sends JSON-RPC requests to one service. It is safe for concurrent use.
type Client struct {
	service     string
	endpoint    *endpoint
	http        http.Client
	pool        *http.Transport // the client's own, or nil
	wire        *wire           // goes before http where it can; nil where it never can
	timeout     time.Duration
	maxResponse int64
	observer    *observe.RPC
	invalid     error // the error of every call
}

// New returns a client. It does no I/O and never fails: a configuration that cannot work is the error of
// every call.
func New(cfg Config) *Client {
	c := &Client{
		service:     cfg.Service,
		endpoint:    parseEndpoint(cfg.URL),
		timeout:     cfg.Timeout,
		maxResponse: cfg.MaxResponse,
	}
	var err error
	c.observer, err = newObserver(cfg, c.endpoint)
	c.invalid = cmp.Or(cfg.Invalid, c.endpoint.invalid, err)
	if c.timeout <= 0 {
		c.timeout = defaultTimeout
	}
	if c.maxResponse <= 0 {
		c.maxResponse = defaultMaxResponse
	}
	if cfg.HTTPClient != nil {
		c.http = *cfg.HTTPClient
	} else {
		c.pool = newPool()
		c.http.Transport = c.pool
		if c.invalid == nil {
			c.wire = newWire(c.endpoint.url)
		}
	}
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c
}

// newPool is net/http's default transport with room for many waits that poll one host at once. With HTTP/2
// they share a connection: pings find out that it is dead within a try, or all would hang on it until the
// system does.
func newPool() *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           newDialer().DialContext,
		ForceAttemptHTTP2:     true,
		HTTP2:                 &http.HTTP2Config{SendPingTimeout: 5 * time.Second, PingTimeout: 5 * time.Second},
		MaxIdleConnsPerHost:   mostIdle,
		IdleConnTimeout:       longestIdle,
		TLSHandshakeTimeout:   10 * time.Second,
		ExpectContinueTimeout: time.Second,
	}
}

func newDialer() *net.Dialer {
	return &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
}

// Close closes idle connections of the client's own pool. The client can still be used.
func (c *Client) Close() {
	if c.pool != nil {
		c.pool.CloseIdleConnections()
	}
	if c.wire != nil {
		c.wire.close()
	}
}

// String names the service and the host, without the key: "bundler https://bundler.biconomy.io/…".
func (c *Client) String() string { return c.service + " " + c.endpoint.String() }

// Host is that of the service's URL, with its port; empty where the URL cannot be used.
func (c *Client) Host() string { return c.endpoint.host }

// Request is one request to the service, and where the result of its answer goes.
type Request struct {
	Method string
	Params []any
	// Result is what the answer's result is decoded into.
	Result any
	// Repeatable says that the method changes nothing, so that the request may be sent more than once.
	Repeatable bool
}

// Do sends a request and decodes the result of its answer. An answer of null is [ErrNull]. It sends once; a
// repeatable request is tried again where the failure may pass by itself, after a pause that honours
// Retry-After, and within the time that ctx has left. What failed at first is then told beside what failed at
// last ([RetriedError]). Each try has a deadline of its own: one that hangs on a dead connection leaves time
// for the next, half of what the caller has left.
func (c *Client) Do(ctx context.Context, r Request) error {
	ctx, call := c.observer.Begin(ctx, r.Method, 1)
	defer call.Left(ctx)
	end, bounded := ctx.Deadline()
	if !bounded {
		end = time.Now().Add(c.timeout)
	}
	repeatable := r.Repeatable && !isOnce(ctx)
	var first error
	x := exchanges.Get().(*exchange)
	defer x.release()
	x.id = 0
	for try := 1; ; try++ {
		start := time.Now()
		within := c.timeout
		if repeatable {
			within /= 2
			if try < maxTries {
				within = min(within, max(end.Sub(start)/2, shortestTry).Round(10*time.Millisecond))
			}
		}
		until := limit{start.Add(within), within}
		if !bounded && end.Before(until.at) {
			until = limit{end, c.timeout}
		}
		// All in one function, so that traces of a send are short.
		var resp *http.Response
		via, err := c.prepare(ctx, until, r.Method, x, func(b []byte) (_ []byte, err error) {
			b, x.id, err = appendRequest(b, r)
			return b, err
		})
		switch {
		case err != nil:
		case via == nil:
			resp, err = c.overWire(ctx, until, r.Method, x)
		default:
			resp, err = c.http.Do(via.Request)
			resp, err = c.answered(via, r.Method, x, resp, err)
		}
		if err == nil {
			err = c.understand(resp, x.answer, r)
		}
		again := err != nil && repeatable && try < maxTries
		if call.Tried(ctx, x.id, start, err, again); err == nil {
			call.End(ctx, nil)
			return nil
		}
		if first == nil {
			first = err
		}
		if !again || !pause(ctx, end, err, try) {
			err = after(first, err)
			call.End(ctx, err)
			return err
		}
	}
}

// understand reads the answer to a request into its result.
func (c *Client) understand(resp *http.Response, answer []byte, r Request) error {
	if c.readQuickly(resp, answer, r.Result) {
		return nil
	}
	raw, err := c.decode(r.Method, resp, answer)
	if err != nil {
		return err
	}
	return c.unmarshal(r.Method, raw, r.Result)
}
