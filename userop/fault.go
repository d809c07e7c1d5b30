package userop

import (
	"context"
	"errors"
	"net"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/internal/observe"
)

// judgeFault says what an error means to who looks on.
func judgeFault(err error) observe.Fault {
	fault := observe.Fault{Outcome: outcomeOf(err), Hash: hashIn(err)}
	if aa, ok := errors.AsType[*AAError](err); ok {
		fault.AA = aa.Code
	}
	var answer interface{ ErrorCode() int }
	if errors.As(err, &answer) {
		fault.Code = answer.ErrorCode()
	}
	return fault
}

// outcomeOf is what an error of a send, of a part of it, or of a wait comes to.
func outcomeOf(err error) string {
	_, reverted := errors.AsType[*RevertError](err)
	switch {
	case reverted:
		return "reverted"
	case errors.Is(err, ErrReplaced):
		return "replaced"
	case errors.Is(err, ErrExpired):
		return "expired"
	case MayBeAccepted(err):
		return "unknown"
	case SafeToRetry(err), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), ofNetwork(err):
		return "failed"
	}
	return "refused"
}

// ofNetwork reports whether err is one of the network, as of a store that is out of reach.
func ofNetwork(err error) bool {
	var failed net.Error
	return errors.As(err, &failed)
}

// hashIn is the hash of the operation that an error is about, zero where it does not say.
func hashIn(err error) common.Hash {
	if failed, ok := errors.AsType[*Error](err); ok {
		return failed.Hash
	}
	if ended, ok := errors.AsType[*EndedError](err); ok {
		return ended.Hash
	}
	return common.Hash{}
}

// builtSo is the result of a build that ended so, with neither where it did not return.
func builtSo(op *Operation, err error) observe.Result {
	if op == nil && err == nil {
		return observe.Left()
	}
	return observe.Result{Err: err}
}

// endOfWait is the result of a wait for the operation, with neither a receipt nor an error where it did not
// return.
func (p *Pending) endOfWait(receipt *Receipt, err error) observe.Result {
	r := observe.Result{Hash: p.hash, Err: err, Known: p.known != nil}
	switch {
	case receipt == nil && err == nil:
		return observe.Left()
	case receipt == nil:
		return r
	}
	if r.Hash = receipt.UserOpHash; err == nil {
		r.Outcome = "landed"
	}
	r.Gas = &observe.Gas{Used: receipt.ActualGasUsed, Cost: receipt.ActualGasCost, Paymaster: receipt.Paymaster}
	return r
}
