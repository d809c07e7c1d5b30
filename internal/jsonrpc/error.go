package jsonrpc

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// Error is what a service answered instead of a result. The key of the service's URL is cut out of its texts.
type Error struct {
	// Service names the service, Endpoint its address without the key.
	Service  string
	Endpoint string
	Method   string
	// Code is the JSON-RPC error code, 0 where the service gave none.
	Code int
	// Message is in the service's own words, at most 32 KiB of them.
	Message string
	// Data is the error's data member, nil where there is none.
	Data       json.RawMessage
	HTTPStatus int
	// RetryAfter is how long the service asks to stay away, 0 where it does not say.
	RetryAfter time.Duration
}

// Error gives the service's own words.
func (e *Error) Error() string {
	return fmt.Sprintf("%s: %s: %s (code %d)", e.Service, e.Method, e.Message, e.Code)
}

// RateLimited reports whether the service wants fewer requests.
func (e *Error) RateLimited() bool { return RateLimited(e.Code, e.HTTPStatus, e.Message) }

// Temporary reports whether the same request may succeed in a moment.
func (e *Error) Temporary() bool {
	return e.RateLimited() || temporaryStatus(e.HTTPStatus) || Passing(e.Code, e.Message)
}

func temporaryStatus(status int) bool {
	switch status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// TransportError means that no usable answer came from a service: the request did not get through, or what
// came back is not an answer to it. Secrets of the service's URL are cut out of its texts.
type TransportError struct {
	// Service names the service, Endpoint its address without the key.
	Service  string
	Endpoint string
	// Method is the JSON-RPC method.
	Method string
	// HTTPStatus is the answer's status, 0 where none came.
	HTTPStatus int
	// BodyStart is the start of the answer's body, at most 256 bytes, for a human to read.
	BodyStart string
	// RetryAfter is how long the service asks to stay away, 0 where it does not say.
	RetryAfter time.Duration
	// Err is the cause, nil where the HTTP status says it all.
	Err error

	unsent   bool // the request surely did not reach the service
	broken   bool // the round trip itself failed
	unusable bool // an answer came that is none
	steady   bool // and it would come again in a moment, though not for ever
}

// Error says what was asked of whom, what came back, and what can be done about it.
func (e *TransportError) Error() string {
	text := fmt.Sprintf("%s %s: %s", e.Service, e.Endpoint, e.Method)
	if e.HTTPStatus != 0 && e.HTTPStatus != http.StatusOK {
		text += strings.TrimRight(fmt.Sprintf(": HTTP %d %s", e.HTTPStatus, http.StatusText(e.HTTPStatus)), " ")
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	if e.BodyStart != "" {
		text += fmt.Sprintf(": %q", e.BodyStart)
	}
	return text + e.refused() + e.unreachable()
}

// refused is what to do about an HTTP status.
func (e *TransportError) refused() string {
	switch status := e.HTTPStatus; {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return "; check the key in the service's URL"
	case status == http.StatusNotFound, status == http.StatusMethodNotAllowed:
		return "; check the path of the service's URL"
	case status == http.StatusTooManyRequests:
		return "; ask less often"
	case status == http.StatusBadRequest && strings.Contains(e.BodyStart, "HTTPS"):
		return "; the service's URL has to start with https://"
	case status >= http.StatusInternalServerError:
		return "; the service is at fault: try again in a while, or use another one"
	}
	return ""
}

// unreachable is what to do about a service that there was no connection to.
func (e *TransportError) unreachable() string {
	var (
		name *net.DNSError
		dial *net.OpError
	)
	switch {
	case errors.As(e.Err, &name) && name.IsNotFound:
		return "; check the host in the service's URL"
	case errors.As(e.Err, &dial) && dial.Op == "dial":
		return "; check that the service runs, and the host and port in its URL"
	case errors.Is(e.Err, syscall.ECONNRESET):
		return "; the connection broke: check that the service runs, or try again"
	case errors.Is(e.Err, http.ErrSchemeMismatch):
		return "; the service speaks no TLS there: check the scheme and the port in its URL"
	}
	return ""
}

// Unwrap returns the cause.
func (e *TransportError) Unwrap() error { return e.Err }

// Temporary reports whether the same request may get through later: connections that are refused, reset or
// cut, timeouts, the statuses 408, 429, 500, 502, 503, 504 and those from 520 on, with which content delivery
// networks report a service behind them, and what came as an answer under a status of success but is none: a
// web page, JSON that was cut, a result that lacks something.
func (e *TransportError) Temporary() bool {
	switch status := e.HTTPStatus; {
	case temporaryStatus(status), status == http.StatusRequestTimeout, status == http.StatusInternalServerError, status >= 520:
		return true
	}
	if e.unusable && (e.HTTPStatus == 0 || e.HTTPStatus/100 == 2) {
		return true
	}
	return e.broken && !permanent(e.Err)
}

// RetryDelay is [TransportError.RetryAfter] as a method, for whoever tries again and knows errors by what
// they can tell.
func (e *TransportError) RetryDelay() time.Duration { return e.RetryAfter }

// Unsent reports whether the request surely reached nobody.
func (e *TransportError) Unsent() bool { return e.unsent }

// AccessDenied reports whether the way to the service was barred: the statuses 401, 403 and 404, which a
// gateway answers with for a key or a path that are wrong, and now and then in passing.
func (e *TransportError) AccessDenied() bool {
	switch e.HTTPStatus {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound:
		return true
	}
	return false
}

// MayBeDelivered reports whether the service may have received and executed the request.
func (e *TransportError) MayBeDelivered() bool {
	// A gateway that reports an error may have passed the request on; a redirect or a client error is a
	// refusal.
	refused := e.HTTPStatus >= 300 && e.HTTPStatus <= 499 && e.HTTPStatus != http.StatusRequestTimeout
	return !e.unsent && !refused
}

// permanent tells causes that stay apart from networks that recover.
func permanent(err error) bool {
	var (
		dns       *net.DNSError
		cert      *tls.CertificateVerificationError
		authority x509.UnknownAuthorityError
		record    tls.RecordHeaderError
	)
	return errors.Is(err, context.Canceled) ||
		errors.As(err, &dns) && dns.IsNotFound ||
		errors.As(err, &cert) || errors.As(err, &authority) || errors.As(err, &record)
}

// ErrNilOption is what is wrong with a client that was given a nil option.
var ErrNilOption = errors.New("an option is nil; leave it out instead")

// fail is for an answer that cannot be used.
func (c *Client) fail(method string, cause error) *TransportError {
	return &TransportError{Service: c.service, Endpoint: c.endpoint.String(), Method: method, Err: cause}
}

// unsent is for a request that never left.
func (c *Client) unsent(method string, cause error) *TransportError {
	failed := c.fail(method, cause)
	failed.unsent = true
	return failed
}

// broken is for a round trip that failed. net/http puts the whole URL into its errors: only their cause is
// kept.
func (c *Client) broken(ctx context.Context, method string, err error, mayBeDelivered bool) *TransportError {
	for wrapped := (*url.Error)(nil); errors.As(err, &wrapped); {
		err = wrapped.Err
	}
	if ended := ctx.Err(); ended != nil {
		if err = context.Cause(ctx); !errors.Is(err, ended) {
			err = fmt.Errorf("%w: %w", ended, err)
		}
	}
	failed := c.fail(method, c.endpoint.redactError(err))
	failed.broken = true
	failed.unsent = !mayBeDelivered
	return failed
}
