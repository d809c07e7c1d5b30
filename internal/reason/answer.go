package reason

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/jsonrpc"
	"github.com/go-sesame/sesame/userop"
)

// ErrRateLimited is the error of bundler and paymaster for a service that wants fewer requests. It has one
// value for both, so that whoever matches it need not know which of the two was asked.
var ErrRateLimited = errors.New("rate limited")

// Answer is what a service answered instead of a result, with its reason. bundler.Error and paymaster.Error
// have the same fields, and are converted from it and to it.
type Answer struct {
	// Endpoint is the service's address without its key.
	Endpoint string
	// Method is the JSON-RPC method that was asked.
	Method string
	// Code is the JSON-RPC error code, 0 where the service gave none.
	Code int
	// Message is in the service's own words.
	Message string
	// Data is the error's data member, nil where there is none.
	Data       json.RawMessage
	HTTPStatus int
	// RetryAfter is how long the service asks to stay away, 0 where it does not say.
	RetryAfter time.Duration
	// AA is the EntryPoint's code in the answer, nil where there is none.
	AA *userop.AAError
	// Revert is the contract's own revert in the answer, nil where there is none.
	Revert *abi.Revert
}

// Translate makes the errors of a client's own type out of the service's answers in err. Transport errors
// stay as they are. Of a request that was tried again, what failed first is translated, too.
func Translate(err error, own func(*Answer) error) error {
	if retried, ok := err.(*jsonrpc.RetriedError); ok {
		return &jsonrpc.RetriedError{Last: Translate(retried.Last, own), First: Translate(retried.First, own)}
	}
	if answer, ok := AnswerIn(err); ok {
		return own(answer)
	}
	return err
}

// AnswerIn finds the service's answer in err and reads its reason; false where err is none, as one of the
// transport.
func AnswerIn(err error) (*Answer, bool) {
	var answer *jsonrpc.Error
	if !errors.As(err, &answer) {
		return nil, false
	}
	why := Of(answer.Message, answer.Data)
	return &Answer{
		Endpoint:   answer.Endpoint,
		Method:     answer.Method,
		Code:       answer.Code,
		Message:    answer.Message,
		Data:       answer.Data,
		HTTPStatus: answer.HTTPStatus,
		RetryAfter: answer.RetryAfter,
		AA:         why.AA,
		Revert:     why.Revert,
	}, true
}

// Text is the answer for a human: the service's words with revert data decoded, the code, and help.
func (a Answer) Text(service string) string {
	text := fmt.Sprintf("%s: %s: %s (%s)", service, a.Method, a.decodedMessage(), a.codes())
	if help := a.help(); help != "" {
		text += ": " + help
	}
	return text
}

// codes are the JSON-RPC code, unless the HTTP status is all there is, and a status that says something.
func (a Answer) codes() string {
	switch plain := a.HTTPStatus == 0 || a.HTTPStatus == http.StatusOK; {
	case plain:
		return fmt.Sprintf("code %d", a.Code)
	case a.Code == 0:
		return fmt.Sprintf("HTTP %d", a.HTTPStatus)
	}
	return fmt.Sprintf("code %d, HTTP %d", a.Code, a.HTTPStatus)
}

// help is what to do about the answer, empty where that is not known.
func (a Answer) help() string {
	switch { // for some codes bundlers have words of their own, without an AA code
	case a.AA != nil && a.AA.Code == "AA25" && a.replacement() && !deploying.MatchString(a.Message):
		return helpReplace
	case a.AA != nil:
		return a.AA.Help()
	case a.Code == jsonrpc.CodeTimeRange:
		return "check the validity windows of session and sponsorship, and the clock"
	case a.Code == jsonrpc.CodeSignature:
		return "check who signs, the chain ID and the EntryPoint, and that no field changed after the paymaster answered or after signing"
	case a.Code == jsonrpc.CodeReverted && a.Revert == nil:
		return "the operation's call would revert; check what it calls, its arguments, and what the account has"
	case a.Revert != nil || jsonrpc.Decided(a.Code):
		return ""
	case a.Endpoint != "" && (a.HTTPStatus == http.StatusUnauthorized || a.HTTPStatus == http.StatusForbidden || noAccess.MatchString(a.Message)):
		return "check the key in the URL of " + a.Endpoint
	case a.Endpoint != "" && standardMethod[a.Method] && a.MethodMissing():
		return a.Endpoint + " does not seem to be an ERC-4337 bundler, but a plain node; give a bundler's URL, and the node's where the chain is read"
	case a.Endpoint != "" && a.Method == "eth_chainId" && a.MethodMissing():
		return a.Endpoint + " does not say which chain it serves; check that it is a bundler's URL"
	case a.Endpoint != "" && strings.HasPrefix(a.Method, "pm_") && a.MethodMissing():
		return a.Endpoint + " does not seem to be a paymaster of this kind; paymaster.New takes the URL of Biconomy's, paymaster.NewERC7677 that of any other"
	case a.replacement():
		return helpReplace
	case a.tooLow():
		return "raise what it names: estimate again, take the bundler's own gas price, or set margins"
	}
	return ""
}

// helpReplace is the way out where an operation has the nonce of one that waits in the mempool.
const helpReplace = "another operation with this nonce is on its way; wait until it is included, or replace it with account.Account's Replace, or with account.WithNonce and account.WithFees: both fees have to be at least 10 % above its own"

// deploying finds words about an operation that deploys its account: those wait for each other.
var deploying = regexp.MustCompile(`(?i)\binitCode\b|\bdeploy`)

// senderLimit finds what bundlers say of an account that has as many operations in the mempool as they take:
// "Max operations (4) reached for sender …", "Maximum number of parallel user operations … reached".
var senderLimit = regexp.MustCompile(`(?i)\bmax(imum number of)?\b.{0,20}\boperations\b.{0,60}\breached\b`)

// OverSenderLimit reports whether the account has too many operations on their way: this one was not taken,
// and will be when others are included.
func (a Answer) OverSenderLimit() bool { return refusal(a.Code) && senderLimit.MatchString(a.Message) }

// decodedMessage is the service's message with what it says in hex, or in its data only.
func (a Answer) decodedMessage() string {
	message := a.Message
	if revert := a.Revert; revert != nil {
		decoded := revert.String()
		message = strings.ReplaceAll(message, hexutil.Encode(revert.Data), decoded)
		if !strings.Contains(message, decoded) && !saysReason(message, revert) {
			message += ": reverted with " + decoded
		}
	}
	if aa := a.AA; aa != nil && !strings.Contains(message, aa.Code) {
		message += ": " + strings.TrimSpace(aa.Code+" "+aa.Reason)
	}
	const longest = 1024
	if len(message) > longest {
		message = strings.ToValidUTF8(message[:longest], "") + "…"
	}
	return message
}

// saysReason reports whether the message has all that the revert would tell: its text, with nothing nested in
// it.
func saysReason(message string, revert *abi.Revert) bool {
	reason := revert.Reason()
	return revert.Inner == nil && reason != "" && strings.Contains(message, reason)
}

// Errors lists the reasons, for Unwrap.
func (a Answer) Errors() []error {
	var errs []error
	if a.AA != nil {
		errs = append(errs, a.AA)
	}
	if a.Revert != nil {
		errs = append(errs, *a.Revert)
	}
	return errs
}

// RateLimited reports whether the service wants fewer requests.
func (a Answer) RateLimited() bool { return jsonrpc.RateLimited(a.Code, a.HTTPStatus, a.Message) }

// Temporary reports whether the service failed in a way that passes by itself.
func (a Answer) Temporary() bool {
	failed := a.Code == jsonrpc.CodeInternal || a.Code == 0 || a.HTTPStatus >= 500 || a.HTTPStatus == http.StatusRequestTimeout
	return a.RateLimited() || a.OverSenderLimit() || (failed || a.passing()) && a.Undecided()
}

// Unauthorized reports whether the service does not know who asks.
func (a Answer) Unauthorized() bool {
	switch a.HTTPStatus {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound:
		return !a.decided() && !a.tooLow() && !a.UnknownHash() && !a.MayLackMethod()
	}
	return !a.decided() && noAccess.MatchString(a.Message)
}

// Undecided reports whether it is open what became of the request: the service did not refuse it, but failed
// in some other way.
func (a Answer) Undecided() bool {
	switch {
	case a.RateLimited(), a.AA != nil, a.Revert != nil, strings.Contains(strings.ToLower(a.Message), "revert"):
		return false
	case a.passing():
		return true
	case a.HTTPStatus >= 400 && a.HTTPStatus <= 499 && a.HTTPStatus != http.StatusRequestTimeout:
		return false
	}
	return !refusal(a.Code) && !a.tooLow()
}

// refusal tells codes that are decisions: those of ERC-4337, those of malformed requests, and what Biconomy's
// bundler has between them and the server's own errors.
func refusal(code int) bool {
	switch code {
	case jsonrpc.CodeParse, jsonrpc.CodeInvalidRequest, jsonrpc.CodeMethodNotFound, jsonrpc.CodeInvalidParams, jsonrpc.CodeMethodNotSupported,
		jsonrpc.CodeUnauthorized, jsonrpc.CodeBadRequest, jsonrpc.CodeTipTooLow, jsonrpc.CodeFeeTooLow, jsonrpc.CodePreVerificationTooLow:
		return true
	}
	return jsonrpc.Decided(code)
}
