package userop

import (
	"errors"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/oneline"
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
	// Given says that a service may have got the signed operation, or the one that it was made anew of,
	// whatever it said of it then. While it is false, nobody has either but the caller.
	Given bool
	// Refused says that a service refused the signed operation as it is, and not because one is in its way:
	// another one for the same nonce may pass.
	Refused bool
	Err     error
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

// judges reports whether a service judges the operation with its signature in this step.
func (s Step) judges() bool { return s == StepSponsor || s == StepEstimate || s == StepSend }

// What services answer, beside their own kinds of errors.
var (
	// ErrWrongChain means that a service serves another chain, or not the EntryPoint, or does not say.
	ErrWrongChain = errors.New("wrong chain or EntryPoint")
	// ErrNotSponsored means that the paymaster does not pay for the operation.
	ErrNotSponsored = errors.New("not sponsored")
	// ErrNoFees means that the service proposes no fees; another source may.
	ErrNoFees = errors.New("no gas price offered")
	// ErrDropped means that the bundler says it gave the operation up. That is its word: what it handed on
	// may be included all the same, and [MayBeAccepted] stays true.
	ErrDropped = errors.New("user operation dropped by the bundler")
	// ErrNoBatch means that a service takes one request at a time.
	ErrNoBatch = errors.New("the service takes no batch of requests")
	// ErrUnconfirmed means that the bundler's receipt is not borne out: it contradicts the operation, or the
	// node does not show the inclusion that it names.
	ErrUnconfirmed = errors.New("the bundler's receipt is not confirmed")
)

// What the chain shows of an operation that will never be included, as long as reorgs are shallower than the
// confirmations that are asked for; see [*EndedError].
var (
	// ErrReplaced means that another operation used the nonce.
	ErrReplaced = errors.New("user operation replaced by another one")
	// ErrExpired means that the operation's window is over by the chain's time.
	ErrExpired = errors.New("user operation expired")
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

// longestReason is how much is told of a reason that a service gives, in bytes.
const longestReason = 512

// Reason returns the revert reason in words: the contract's own where it is known. A call that runs out of
// gas leaves none, as few contracts do.
func (e *RevertError) Reason() string {
	switch {
	case e.Cause != nil:
		return e.Cause.Error()
	case len(e.Receipt.RevertData) > 0:
		return e.Revert.String()
	case e.Receipt.Reason != "" && e.Receipt.Reason != "0x":
		return oneline.Within(longestReason, e.Receipt.Reason)
	}
	return "it ran out of call gas, or its contract reverts without telling why; estimate callGasLimit, or raise it"
}

// Unwrap returns the decoded reason, and the cause if there is one.
func (e *RevertError) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Revert}
	}
	return []error{e.Revert, e.Cause}
}

// EndedError is an operation that the chain shows was not included and never will be: [MayBeAccepted] is
// false. It matches [ErrReplaced] or [ErrExpired].
type EndedError struct {
	Hash   common.Hash
	Sender common.Address
	Nonce  uint256.Int
	// By is the userOpHash of the operation that used the nonce, and Transaction where it did; both are zero
	// where the window is over.
	By          common.Hash
	Transaction common.Hash
	// Until is the last second in which the operation could have been included, and BlockTime the time of a
	// later block at which its nonce was unused; both are zero where it was replaced.
	Until, BlockTime uint64
}

// Error says what ended the operation.
func (e *EndedError) Error() string {
	text := fmt.Sprintf("user operation %s of %s will not be included: ", e.Hash, e.Sender)
	if e.By != (common.Hash{}) {
		return text + fmt.Sprintf("its nonce %s was used by operation %s in transaction %s", e.Nonce.Hex(), e.By, e.Transaction)
	}
	return text + fmt.Sprintf("it could be until %s, the chain's time is %s, and its nonce %s is unused", unixTime(e.Until), unixTime(e.BlockTime), e.Nonce.Hex())
}

func unixTime(seconds uint64) string {
	return time.Unix(int64(min(seconds, 1<<48)), 0).UTC().Format(time.RFC3339)
}

// Is makes an EndedError match what ended the operation.
func (e *EndedError) Is(target error) bool {
	if e.By != (common.Hash{}) {
		return target == ErrReplaced
	}
	return target == ErrExpired
}

// MayBeDelivered reports false: it will not be included.
func (e *EndedError) MayBeDelivered() bool { return false }

// Temporary reports false: the same operation will not succeed later.
func (e *EndedError) Temporary() bool { return false }

// WaitError is a wait that ended before the operation was included, or had the confirmations that were asked
// for. It may still be, and have.
type WaitError struct {
	Hash   common.Hash
	Waited time.Duration
	// Last is the last error of asking the bundler, nil if it answered "unknown". It matches [ErrDropped]
	// where the bundler says that it gave the operation up, and [ErrUnconfirmed] where its receipt is not
	// borne out.
	Last error
	// Chain is the last error of asking the node, nil if it answered.
	Chain error
	// Seen is the last inclusion that the node showed while it had not its Confirmations, nil for none; Lost
	// says that it is no part of the chain any more. Without more than one confirmation asked for, the first
	// that is seen ends the wait.
	Seen          *Receipt
	Lost          bool
	Confirmations uint64
	// Err is why the wait ended.
	Err error
}

// Error says how long was waited and what the bundler said last.
func (e *WaitError) Error() string {
	waited := e.Waited.Round(time.Millisecond)
	text := fmt.Sprintf("user operation %s not seen on chain after %s, it may still be included: %v", e.Hash, waited, e.Err)
	switch {
	case e.Seen != nil && e.Lost:
		text += fmt.Sprintf("; it was in block %d, which is no part of the chain any more", e.Seen.BlockNumber)
	case e.Seen != nil:
		text = fmt.Sprintf("user operation %s is in block %d, which had not %d confirmations after %s: %v", e.Hash, e.Seen.BlockNumber, e.Confirmations, waited, e.Err)
	}
	if e.Last != nil {
		text += fmt.Sprintf(" (last answer of the bundler: %v)", e.Last)
	}
	if e.Chain != nil {
		text += fmt.Sprintf(" (last look at the chain: %v)", e.Chain)
	}
	return text + "; wait again, or replace it (account.Account's Replace)"
}

// Unwrap returns why the wait ended, and the last errors of the bundler and of the node.
func (e *WaitError) Unwrap() []error {
	all := []error{e.Err}
	for _, err := range []error{e.Last, e.Chain} {
		if err != nil {
			all = append(all, err)
		}
	}
	return all
}
