package jsonrpc

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"
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
	// HTTPClient is used instead of the client's own connection pool. Its redirect policy is not:
	// redirects are never followed.
	HTTPClient *http.Client
	// Timeout bounds a call, tries included, whose context has no deadline; 30 seconds by default.
	Timeout time.Duration
	// MaxResponse bounds an answer in bytes; 4 MiB by default.
	MaxResponse int64
	// Logger is told each request at debug level; nil for silence.
	Logger *slog.Logger
}

// Client sends JSON-RPC requests to one service. It is safe for concurrent use.
type Client struct {
	service     string
	endpoint    *endpoint
	http        http.Client
	pool        *http.Transport // the client's own, or nil
	timeout     time.Duration
	maxResponse int64
	logger      *slog.Logger
}

// New returns a client. It does no I/O and never fails: an URL that cannot work is the error of
// every call.
func New(cfg Config) *Client {
	c := &Client{
		service:     cfg.Service,
		endpoint:    parseEndpoint(cfg.URL),
		timeout:     cfg.Timeout,
		maxResponse: cfg.MaxResponse,
		logger:      cfg.Logger,
	}
	if c.timeout <= 0 {
		c.timeout = defaultTimeout
	}
	if c.maxResponse <= 0 {
		c.maxResponse = defaultMaxResponse
	}
	if c.logger == nil {
		c.logger = slog.New(slog.DiscardHandler)
	}
	if cfg.HTTPClient != nil {
		c.http = *cfg.HTTPClient
	} else {
		c.pool = newPool()
		c.http.Transport = c.pool
	}
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c
}

// newPool is net/http's default transport with room for many waits that poll one host at once. With HTTP/2
// they share a connection: pings find out that it is dead, or all would hang on it until the system does.
func newPool() *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		ForceAttemptHTTP2:     true,
		HTTP2:                 &http.HTTP2Config{SendPingTimeout: 10 * time.Second, PingTimeout: 5 * time.Second},
		MaxIdleConnsPerHost:   128,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   10 * time.Second,
		ExpectContinueTimeout: time.Second,
	}
}

// Close closes idle connections of the client's own pool. The client can still be used.
func (c *Client) Close() {
	if c.pool != nil {
		c.pool.CloseIdleConnections()
	}
}

// String names the service and the host, without the key: "bundler https://bundler.biconomy.io/…".
func (c *Client) String() string { return c.service + " " + c.endpoint.String() }

// Call sends one request and decodes the result into result. It never sends twice. An answer of null
// is [ErrNull].
func (c *Client) Call(ctx context.Context, result any, method string, params ...any) error {
	ctx, cancel := c.bound(ctx)
	defer cancel()
	return c.call(ctx, result, method, params)
}

// Read is [Client.Call] for methods that change nothing: it tries again where the failure may pass by
// itself, after a pause that honours Retry-After, and within the time that ctx has left.
func (c *Client) Read(ctx context.Context, result any, method string, params ...any) error {
	ctx, cancel := c.bound(ctx)
	defer cancel()
	for try := 1; ; try++ {
		err := c.call(ctx, result, method, params)
		if err == nil || try == maxTries || !pause(ctx, err, try) {
			return err
		}
	}
}

// bound gives a context without a deadline one.
func (c *Client) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeoutCause(ctx, c.timeout, fmt.Errorf("no answer within %s: %w", c.timeout, context.DeadlineExceeded))
}

func (c *Client) call(ctx context.Context, result any, method string, params []any) error {
	start := time.Now()
	raw, err := c.exchange(ctx, method, params)
	c.logger.DebugContext(ctx, "JSON-RPC request", "service", c.service, "method", method, "took", time.Since(start), "error", err)
	if err != nil {
		return err
	}
	if string(raw) == "null" {
		return c.fail(method, ErrNull)
	}
	if err := json.Unmarshal(raw, result); err != nil {
		failed := c.fail(method, fmt.Errorf("unexpected result: %w", c.endpoint.redactError(err)))
		failed.BodyStart = c.endpoint.start(raw)
		return failed
	}
	return nil
}

// request is one JSON-RPC request. Some bundlers take numeric IDs only, and insist on params.
type request struct {
	Version string `json:"jsonrpc"`
	ID      uint64 `json:"id"`
	Method  string `json:"method"`
	Params  []any  `json:"params"`
}

// exchange sends one request and returns the result of its answer.
func (c *Client) exchange(ctx context.Context, method string, params []any) (json.RawMessage, error) {
	if c.endpoint.invalid != nil {
		return nil, c.unsent(method, c.endpoint.invalid)
	}
	if err := ctx.Err(); err != nil {
		return nil, c.broken(ctx, method, err, false)
	}
	if params == nil {
		params = []any{}
	}
	id := newID()
	body, err := json.Marshal(request{Version: "2.0", ID: id, Method: method, Params: params})
	if err != nil {
		return nil, c.unsent(method, fmt.Errorf("encode the parameters: %w", err))
	}
	delivery := new(delivery)
	req, err := http.NewRequestWithContext(delivery.watch(ctx), http.MethodPost, c.endpoint.url, bytes.NewReader(body))
	if err != nil {
		return nil, c.unsent(method, errUnparsable)
	}
	req.Header.Set("Content-Type", "application/json") // exactly: Alto refuses a charset
	req.Header.Set("Accept", "application/json")

	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.broken(ctx, method, err, delivery.possible(err))
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, c.maxResponse+1))
	if err != nil {
		failed := c.broken(ctx, method, fmt.Errorf("reading the answer: %w", err), true)
		failed.HTTPStatus = resp.StatusCode
		return nil, failed
	}
	return c.decode(method, id, resp, answer)
}

// newID returns a random number that survives a float64, as JavaScript services keep it in one.
func newID() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails: it crashes the program instead
	return binary.BigEndian.Uint64(b[:]) >> 11
}
