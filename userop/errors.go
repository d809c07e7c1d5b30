package userop

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/abi"
)

// Error is a failed step of the pipeline. Whether the operation may have been accepted all the same is
// answered by [MayBeAccepted].
type Error struct {
	Step   Step
	Sender common.Address
	// Hash and Operation are the signed operation, to look for it or to send it again; zero and nil if the
	// step came before the signature.
	Hash      common.Hash
	Operation *Operation
	Err       error
}

// Error names the step, the account and the cause.
func (e *Error) Error() string {
	if e.Operation == nil {
		return fmt.Sprintf("user operation of %s: %s: %v", e.Sender, e.Step, e.Err)
	}
	return fmt.Sprintf("user operation %s of %s: %s: %v", e.Hash, e.Sender, e.Step, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Step is a step of the pipeline, named in an [*Error].
type Step string

// The steps of the pipeline in their order. The price of an operation comes from a sponsor, an estimate, or
// both; [Sender.FeeQuotes] asks for a quote instead.
const (
	StepCheck    Step = "check"
	StepPrepare  Step = "prepare"
	StepSponsor  Step = "sponsor"
	StepEstimate Step = "estimate"
	StepQuote    Step = "quote"
	StepSign     Step = "sign"
	StepSend     Step = "send"
)

// What services answer, beside their own kinds of errors.
var (
	// ErrWrongChain means that a service serves another chain, or not the EntryPoint, or does not say.
	ErrWrongChain = errors.New("wrong chain or EntryPoint")
	// ErrNotSponsored means that the paymaster does not pay for the operation.
	ErrNotSponsored = errors.New("not sponsored")
	// ErrNoFees means that the service proposes no fees; another source may.
	ErrNoFees = errors.New("no gas price offered")
	// ErrDropped means that the bundler gave the operation up: it will not be included.
	ErrDropped = errors.New("user operation dropped by the bundler")
)

// ErrNotFound means that the service does not know the operation, or that it is not yet included.
var ErrNotFound = errors.New("user operation not found")

// RevertError is an operation that was included, and paid for, but whose call reverted.
type RevertError struct {
	Receipt *Receipt
	// Revert is the decoded reason of the inner call.
	Revert abi.Revert
	// Cause is why the operation failed where its call did not, such as a fee that could not be taken after
	// it; nil where there is no more to tell than Revert does. See [SenderConfig].Explain.
	Cause error
}

// Error says why the call reverted and where.
func (e *RevertError) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("user operation %s of %s was included in transaction %s but failed: %v",
			e.Receipt.UserOpHash, e.Receipt.Sender, e.Receipt.TransactionHash, e.Cause)
	}
	return fmt.Sprintf("user operation %s of %s was included in transaction %s but its call reverted: %s",
		e.Receipt.UserOpHash, e.Receipt.Sender, e.Receipt.TransactionHash, e.Reason())
}

// Reason returns the revert reason in words: the contract's own where it is known.
func (e *RevertError) Reason() string {
	if e.Cause != nil {
		return e.Cause.Error()
	}
	if len(e.Receipt.RevertData) == 0 && e.Receipt.Reason != "" {
		return oneLine(e.Receipt.Reason)
	}
	return e.Revert.String()
}

// Unwrap returns the decoded reason, and the cause if there is one.
func (e *RevertError) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Revert}
	}
	return []error{e.Revert, e.Cause}
}

// WaitError is a wait that ended before the operation was included. It may still be.
type WaitError struct {
	Hash   common.Hash
	Waited time.Duration
	// Last is the last error of asking the bundler, nil if it answered "unknown".
	Last error
	// Err is why the wait ended.
	Err error
}

// Error says how long was waited and what the bundler said last.
func (e *WaitError) Error() string {
	text := fmt.Sprintf("user operation %s not seen on chain after %s, it may still be included: %v", e.Hash, e.Waited.Round(time.Millisecond), e.Err)
	if e.Last != nil {
		text += fmt.Sprintf(" (last answer of the bundler: %v)", e.Last)
	}
	return text
}

// Unwrap returns why the wait ended and the bundler's last error.
func (e *WaitError) Unwrap() []error {
	if e.Last == nil {
		return []error{e.Err}
	}
	return []error{e.Err, e.Last}
}

// oneLine makes words of others fit for an error.
func oneLine(text string) string {
	const longest = 512
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, text)
	if len(text) <= longest {
		return text
	}
	return strings.ToValidUTF8(text[:longest-len("…")], "") + "…"
}
