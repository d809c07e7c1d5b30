package paymaster

import (
	"encoding/json"
	"strings"
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

// asError turns the service's answer into an *Error; transport errors stay as they are.
func asError(err error) error {
	return reason.Translate(err, func(answer *reason.Answer) error { return (*Error)(answer) })
}

// answer is the same error, with what the clients of services have in common.
func (e *Error) answer() *reason.Answer { return (*reason.Answer)(e) }

// Error gives the service's reason with revert data decoded, the code, and what an AA code means.
func (e *Error) Error() string { return e.answer().Text("paymaster") }

// Unwrap returns the AA code and the revert, as far as they are known.
func (e *Error) Unwrap() []error { return e.answer().Errors() }

// Is matches [ErrRateLimited], and [userop.ErrNotSponsored] for the refusals with which Biconomy's service
// says that no policy covers the call, as an empty paymasterAndData does.
func (e *Error) Is(target error) bool {
	switch target {
	case ErrRateLimited:
		return e.answer().RateLimited()
	case userop.ErrNotSponsored:
		return strings.Contains(e.Message, "No policies were set") || strings.Contains(e.Message, "Smart contract data not found")
	}
	return false
}

// Temporary reports whether the same request may succeed later: rate limits and the service's own troubles,
// not refusals.
func (e *Error) Temporary() bool { return e.answer().Temporary() && !e.Is(userop.ErrNotSponsored) }

// RetryDelay is [Error.RetryAfter] as a method, for whoever tries again and knows errors by what they can
// tell. It is at most an hour.
func (e *Error) RetryDelay() time.Duration { return e.RetryAfter }
