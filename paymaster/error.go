package paymaster

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/reason"
	"github.com/go-sesame/sesame/userop"
)

// Error is what a paymaster service answered instead of a result. Services that simulate the operation report
// its failures here: then it holds a [*userop.AAError] and an [abi.Revert] for [errors.As].
type Error struct {
	// Endpoint is the service's address without its key.
	Endpoint string
	// Method is the JSON-RPC method that was asked.
	Method string
	// Code is the JSON-RPC error code, 0 where the service gave none.
	Code int
	// Message is in the service's own words.
	Message string
	// Data is the error's data member, nil where there is none.
	Data json.RawMessage
	// HTTPStatus is that of the answer, also where it is 200.
	HTTPStatus int
	// RetryAfter is how long the service asks to stay away, 0 where it does not say.
	RetryAfter time.Duration
	// AA is the EntryPoint's code in the answer, nil where there is none.
	AA *userop.AAError
	// Revert is the contract's own revert in the answer, nil where there is none.
	Revert *abi.Revert
}

// ErrRateLimited is matched by an [*Error] with which the service asks for fewer requests (-32005, or HTTP
// 429). It is bundler.ErrRateLimited, too.
var ErrRateLimited = reason.ErrRateLimited

// asError turns the service's answer into an *Error; transport errors stay as they are, unless they are a
// refusal in words.
func asError(err error) error {
	if failed, ok := errors.AsType[*TransportError](err); ok {
		if refused := refusalIn(failed); refused != nil {
			return refused
		}
	}
	return reason.Translate(err, func(answer *reason.Answer) error { return (*Error)(answer) })
}

// answer is the same error, with what the clients of services have in common.
func (e *Error) answer() *reason.Answer { return (*reason.Answer)(e) }

// Error gives the service's reason with revert data decoded, the code, what an AA code means, and the way out
// of a refusal.
func (e *Error) Error() string {
	text := e.answer().Text("paymaster")
	if way := ways[e.refusal()]; way != "" && e.AA == nil {
		text += ": " + way
	}
	return text
}

// Unwrap returns the AA code and the revert, as far as they are known.
func (e *Error) Unwrap() []error { return e.answer().Errors() }

// Is matches [ErrRateLimited], the kinds of refusals such as [ErrPolicy], and [userop.ErrNotSponsored] for
// each of these, as for an empty paymasterAndData.
func (e *Error) Is(target error) bool {
	switch target {
	case nil:
		return false
	case ErrRateLimited:
		return e.answer().RateLimited()
	case userop.ErrNotSponsored:
		return e.refusal() != nil
	}
	return e.refusal() == target
}

// FeesTooLow reports whether the operation was refused for its fees, perhaps: services tell by their words.
func (e *Error) FeesTooLow() bool { return e.answer().FeesTooLow() }

// Temporary reports whether the same request may succeed later: rate limits and the service's own troubles,
// not refusals.
func (e *Error) Temporary() bool { return e.answer().Temporary() && e.refusal() == nil }

// AccessDenied reports whether the paymaster does not know who asks (HTTP 401): the key is wrong, or a
// gateway says so in passing.
func (e *Error) AccessDenied() bool { return e.HTTPStatus == http.StatusUnauthorized }

// ErrorCode is [Error.Code] as a method, as go-ethereum's clients have it.
func (e *Error) ErrorCode() int { return e.Code }

// RetryDelay is [Error.RetryAfter] as a method, for whoever tries again and knows errors by what they can
// tell. It is at most an hour.
func (e *Error) RetryDelay() time.Duration { return e.RetryAfter }
