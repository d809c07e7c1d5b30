package jsonrpc

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// Error is what a service answered instead of a result. The key of the service's URL is cut out of its
// texts.
type Error struct {
	Service string
	Method  string
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

// CodeLimitExceeded is the JSON-RPC code of a rate limit (EIP-1474).
const CodeLimitExceeded = -32005

// Error gives the service's own words.
func (e *Error) Error() string {
	return fmt.Sprintf("%s: %s: %s (code %d)", e.Service, e.Method, e.Message, e.Code)
}

// RateLimited reports whether the service wants fewer requests.
func (e *Error) RateLimited() bool {
	return e.Code == CodeLimitExceeded || e.HTTPStatus == http.StatusTooManyRequests
}

// Temporary reports whether the same request may succeed later.
func (e *Error) Temporary() bool {
	return e.RateLimited() || temporaryStatus(e.HTTPStatus)
}

func temporaryStatus(status int) bool {
	switch status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}
