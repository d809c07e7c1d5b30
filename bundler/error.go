package bundler

import (
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"time"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/jsonrpc"
	"github.com/go-sesame/sesame/internal/reason"
	"github.com/go-sesame/sesame/userop"
)

// Error is what a bundler answered instead of a result. It matches [ErrRejected] and the other kinds by
// [errors.Is], and holds a [*userop.AAError] and an [abi.Revert] for [errors.As] where the answer tells.
type Error struct {
	// Endpoint is the bundler's address without its key: "https://bundler.biconomy.io/…".
	Endpoint string
	// Method is the JSON-RPC method that was asked.
	Method string
	// Code is the JSON-RPC error code, 0 where the bundler gave none.
	Code int
	// Message is in the bundler's own words.
	Message string
	// Data is the error's data member, nil where there is none.
	Data json.RawMessage
	// HTTPStatus is that of the answer, also where it is 200.
	HTTPStatus int
	// RetryAfter is how long the bundler asks to stay away, 0 where it does not say.
	RetryAfter time.Duration
	// AA is the EntryPoint's code in the answer, nil where there is none.
	AA *userop.AAError
	// Revert is the contract's own revert in the answer, nil where there is none.
	Revert *abi.Revert
}

// The kinds of a bundler's errors, by their JSON-RPC codes (ERC-7769). Match them with [errors.Is].
var (
	// ErrRejected: the account or the EntryPoint does not validate the operation (-32500).
	ErrRejected = errors.New("operation rejected by account or EntryPoint")
	// ErrPaymaster: the paymaster does not validate it (-32501).
	ErrPaymaster = errors.New("operation rejected by paymaster")
	// ErrOpcode: its validation uses a forbidden opcode or storage (-32502).
	ErrOpcode = errors.New("operation breaks validation rules")
	// ErrTimeRange: it is not valid yet, or not long enough (-32503).
	ErrTimeRange = errors.New("operation outside its validity window")
	// ErrBanned: the sender, factory or paymaster is throttled or banned (-32504).
	ErrBanned = errors.New("operation throttled or banned")
	// ErrStake: the stake of an entity is too low (-32505).
	ErrStake = errors.New("stake or unstake delay too low")
	// ErrAggregator: its signature aggregator is not supported (-32506).
	ErrAggregator = errors.New("unsupported signature aggregator")
	// ErrSignature: its signature is not valid (-32507).
	ErrSignature = errors.New("invalid operation signature")
	// ErrPaymasterDeposit: the paymaster's deposit is too low (-32508).
	ErrPaymasterDeposit = errors.New("paymaster deposit too low")
	// ErrReverted: its execution would revert (-32521).
	ErrReverted = errors.New("operation execution reverted")
	// ErrInvalidParams: a field is missing, malformed or too low (-32602).
	ErrInvalidParams = errors.New("invalid parameters")
	// ErrMethodNotFound: the bundler does not have the method (-32601, unless its words say something else:
	// for some bundlers that is the code of every error).
	ErrMethodNotFound = errors.New("method not found")
	// ErrRateLimited: too many requests (-32005, or HTTP 429). It is paymaster.ErrRateLimited, too.
	ErrRateLimited = reason.ErrRateLimited
	// ErrAlreadyKnown: the bundler has this very operation already.
	ErrAlreadyKnown = errors.New("operation already known")
)

var kinds = map[int]error{
	jsonrpc.CodeRejected:         ErrRejected,
	jsonrpc.CodePaymaster:        ErrPaymaster,
	jsonrpc.CodeOpcode:           ErrOpcode,
	jsonrpc.CodeTimeRange:        ErrTimeRange,
	jsonrpc.CodeBanned:           ErrBanned,
	jsonrpc.CodeStake:            ErrStake,
	jsonrpc.CodeAggregator:       ErrAggregator,
	jsonrpc.CodeSignature:        ErrSignature,
	jsonrpc.CodePaymasterDeposit: ErrPaymasterDeposit,
	jsonrpc.CodeReverted:         ErrReverted,
	jsonrpc.CodeInvalidParams:    ErrInvalidParams,
}

// Vendors do not agree on a code for this: their words count.
var (
	alreadyKnown = regexp.MustCompile(`(?i)\balready ?known\b|\balready in (the )?(mem)?pool\b|\bduplicate (user ?op|user ?operation)\b|\buser ?op(eration)? already exists\b`)
	// otherOperation tells that what is in the mempool is another operation with the same nonce or sender.
	otherOperation = regexp.MustCompile(`(?i)\bnonce\b|\banother\b|\bconflict|\breplace`)
)

// asError turns the bundler's answer into an *Error; transport errors stay as they are.
func asError(err error) error {
	return reason.Translate(err, func(answer *reason.Answer) error { return (*Error)(answer) })
}

// answer is the same error, with what the clients of services have in common.
func (e *Error) answer() *reason.Answer { return (*reason.Answer)(e) }

// Error gives the bundler's words with revert data decoded, the code, and what an AA code means.
func (e *Error) Error() string { return e.answer().Text("bundler") }

// Unwrap returns the AA code and the revert, as far as they are known.
func (e *Error) Unwrap() []error { return e.answer().Errors() }

// FeesTooLow reports whether the operation was refused for its fees, perhaps: services tell by their words.
func (e *Error) FeesTooLow() bool { return e.answer().FeesTooLow() }

// Temporary reports whether the same request may succeed later: rate limits, an account with too many
// operations on their way, and the bundler's own troubles, not refusals.
func (e *Error) Temporary() bool { return e.answer().Temporary() }

// AccessDenied reports whether the bundler does not know who asks (HTTP 401): the key is wrong, or a
// gateway says so in passing.
func (e *Error) AccessDenied() bool { return e.HTTPStatus == http.StatusUnauthorized }

// ErrorCode is [Error.Code] as a method, as go-ethereum's clients have it.
func (e *Error) ErrorCode() int { return e.Code }

// RetryDelay is [Error.RetryAfter] as a method, for whoever tries again and knows errors by what they can
// tell. It is at most an hour.
func (e *Error) RetryDelay() time.Duration { return e.RetryAfter }

// MayBeDelivered reports whether the bundler may have accepted the operation all the same: it failed
// internally instead of refusing, or refused because it has it already.
func (e *Error) MayBeDelivered() bool { return e.alreadyKnown() || e.answer().Undecided() }

// Is matches the error's kinds.
func (e *Error) Is(target error) bool {
	switch target {
	case ErrRateLimited:
		return e.answer().RateLimited()
	case ErrAlreadyKnown:
		return e.alreadyKnown()
	case ErrMethodNotFound:
		return e.answer().MayLackMethod()
	}
	return target != nil && kinds[e.Code] == target
}

// alreadyKnown tells this very operation from another one that is in its way: an AA code is about the nonce
// or the account, not about the operation.
func (e *Error) alreadyKnown() bool {
	return e.Method == "eth_sendUserOperation" && e.AA == nil &&
		alreadyKnown.MatchString(e.Message) && !otherOperation.MatchString(e.Message)
}
