package ethnode

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"
)

const (
	// longest bounds a request with its answer where its context has no earlier end.
	longest = 30 * time.Second
	// maxAnswer bounds an answer in bytes: the logs of a thousand blocks are the longest that is asked for.
	maxAnswer = 32 << 20
)

// Dial returns a client of the node at an http or https URL, key included. It does no I/O. Redirects are not
// followed: one is an error that says where it leads. A request ends after 30 seconds at the latest, and an
// answer of more than 32 MiB is cut off with an error.
func Dial(nodeURL string) (*ethclient.Client, error) {
	parsed, err := url.Parse(nodeURL)
	switch {
	case nodeURL == "":
		return nil, errors.New("ethnode: no node URL is set; see where it is to come from, such as a variable of the environment")
	case err != nil: // whose text quotes the URL
		return nil, errors.New("ethnode: the URL cannot be read; want https://host/path")
	case parsed.Scheme != "http" && parsed.Scheme != "https":
		return nil, errors.New("ethnode: the node's URL has to start with http:// or https://; ethclient.Dial connects to others")
	case parsed.Host == "":
		return nil, errors.New("ethnode: the node's URL names no host")
	}
	// The client knows the host alone, so that whatever it says of its URL shows no key.
	shown := (&url.URL{Scheme: parsed.Scheme, Host: parsed.Host}).String()
	client := &http.Client{Transport: &transport{node: *parsed, pool: newPool()}, Timeout: longest}
	conn, err := rpc.DialOptions(context.Background(), shown, rpc.WithHTTPClient(client))
	if err != nil {
		return nil, fmt.Errorf("ethnode: %s: %w", shown, err)
	}
	return ethclient.NewClient(conn), nil
}

// newPool is net/http's default transport with room for many reads of one host at once, and with pings that
// find out that a connection is dead.
func newPool() *http.Transport {
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		ForceAttemptHTTP2:   true,
		HTTP2:               &http.HTTP2Config{SendPingTimeout: 5 * time.Second, PingTimeout: 5 * time.Second},
		MaxIdleConnsPerHost: 128,
		IdleConnTimeout:     90 * time.Second,
		TLSHandshakeTimeout: 10 * time.Second,
	}
}

// transport sends requests to the node's true URL.
type transport struct {
	node url.URL
	pool *http.Transport
}

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	request := r.Clone(r.Context())
	request.URL = &url.URL{Scheme: t.node.Scheme, Host: t.node.Host, Path: t.node.Path, RawPath: t.node.RawPath, RawQuery: t.node.RawQuery}
	if user := t.node.User; user != nil {
		password, _ := user.Password()
		request.SetBasicAuth(user.Username(), password)
	}
	resp, err := t.pool.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode >= 300 && resp.StatusCode <= 399 {
		_ = resp.Body.Close()
		return nil, redirectError(resp)
	}
	if delay := retryAfter(resp.Header); delay > 0 && resp.StatusCode >= 400 {
		_ = resp.Body.Close()
		return nil, &busyError{resp.StatusCode, delay}
	}
	resp.Body = &bounded{ReadCloser: resp.Body, left: maxAnswer}
	return resp, nil
}

// busyError is a node that asks to be left alone for a while.
type busyError struct {
	status     int
	retryAfter time.Duration
}

// Error is in the words of go-ethereum's client for a status.
func (e *busyError) Error() string { return fmt.Sprintf("%d %s", e.status, http.StatusText(e.status)) }

// retryAfter reads the Retry-After header in seconds, or as a date; at most an hour, and 0 without one.
func retryAfter(header http.Header) time.Duration {
	value := header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return min(time.Duration(seconds)*time.Second, time.Hour)
	}
	if at, err := http.ParseTime(value); err == nil {
		return min(max(0, time.Until(at)), time.Hour)
	}
	return 0
}

// CloseIdleConnections closes what no request uses.
func (t *transport) CloseIdleConnections() { t.pool.CloseIdleConnections() }

// String names the node by its host; GoString, so that %#v shows no key either.
func (t *transport) String() string { return "node " + t.node.Host }

// GoString is String.
func (t *transport) GoString() string { return t.String() }

// redirectError says where a redirect leads, by its host alone.
func redirectError(resp *http.Response) error {
	text := "redirects are not followed; use the node's final URL"
	if to, err := resp.Location(); err == nil && to.Host != "" {
		text += fmt.Sprintf(" (it is at %s)", (&url.URL{Scheme: to.Scheme, Host: to.Host}).String())
	}
	return fmt.Errorf("HTTP %d: %s", resp.StatusCode, text)
}

// bounded is an answer that may not be longer than what is left.
type bounded struct {
	io.ReadCloser
	left int64
}

// Read implements [io.Reader].
func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("the answer is longer than %d MiB", maxAnswer>>20)
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}
