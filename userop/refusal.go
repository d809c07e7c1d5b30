package userop

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// suspicion is how far a refusal may come from the operation's own inclusion, or from its being in the
// mempool already.
type suspicion int

const (
	// possible: the operation may have changed by its inclusion what its validation depends on. If its nonce
	// is unused, it has not.
	possible suspicion = iota
	// probable: the refusal is about the nonce, or about an operation in the way, which may be a copy of this
	// one. Only the chain can end that doubt.
	probable
	// impossible: the refusal is of the operation as it is.
	impossible
)

// ownInclusion judges a refusal.
func ownInclusion(refusal error) suspicion {
	aa, ok := errors.AsType[*AAError](refusal)
	if !ok {
		aa, ok = ParseAA(refusal.Error())
	}
	var judged interface{ OwnInclusion() bool }
	switch {
	case ok:
		return aa.ownInclusion()
	case inTheWayWords.MatchString(refusal.Error()):
		return probable
	case temporary(refusal), errors.As(refusal, &judged) && !judged.OwnInclusion():
		return impossible
	}
	return possible
}

// inTheWayWords are what bundlers, and the contracts' errors that they quote, say without an AA code of a
// nonce that is used or in use. Names count as words: InvalidAccountNonce, ALREADY_EXISTS.
var inTheWayWords = regexp.MustCompile(`(?i)nonce|already|duplicate|underpriced|replace|conflict|` +
	`\b(known|same|another|other|existing|pending) (transaction|user ?op|operation)|` +
	`\b(operation|user ?op) (is )?(exists|known|in (the )?(mem)?pool)\b`)

func (e *AAError) ownInclusion() suspicion {
	switch e.Code {
	case "AA10", "AA25":
		if tooMany.MatchString(e.Reason) {
			return impossible
		}
		return probable
	case "AA14", "AA15", "AA24", "AA30", "AA34", "AA90", "AA91", "AA92", "AA93", "AA94", "AA96":
		return impossible
	}
	return possible
}

// uncertainError is a refusal that may be about the operation's own inclusion.
type uncertainError struct {
	err error
	why string
}

func (e *uncertainError) Error() string { return fmt.Sprintf("%v (%s)", e.err, e.why) }

func (e *uncertainError) Unwrap() error { return e.err }

func (e *uncertainError) MayBeDelivered() bool { return true }

func (e *uncertainError) Temporary() bool { return false }

// refusedError is a refusal of an operation that the chain shows will never be included.
type refusedError struct {
	refusal error
	ended   *EndedError
}

func (e *refusedError) Error() string { return fmt.Sprintf("%v (%v)", e.refusal, e.ended) }

func (e *refusedError) Unwrap() []error { return []error{e.ended, e.refusal} }

func (e *refusedError) MayBeDelivered() bool { return false }

func (e *refusedError) Temporary() bool { return false }

// retriedError is how the last of several tries failed, with what failed first: that tells more often than
// not why.
type retriedError struct{ last, first error }

// afterFirst is the failure of several tries, which may have failed alike; the last may tell of the first.
func afterFirst(first, last error) error {
	if first == nil || last == nil || strings.Contains(last.Error(), first.Error()) {
		return last
	}
	return &retriedError{last, first}
}

func (e *retriedError) Error() string {
	return fmt.Sprintf("%v (tried again after: %v)", e.last, e.first)
}

func (e *retriedError) Unwrap() []error { return []error{e.last, e.first} }

func (e *retriedError) MayBeDelivered() bool { return mayBeDelivered(e.last) }

func (e *retriedError) Temporary() bool { return temporary(e.last) }

// heldBackError is an operation that its guard held back.
type heldBackError struct {
	err        error
	sentBefore bool
}

func (e *heldBackError) Error() string {
	if e.sentBefore {
		return fmt.Sprintf("not sent again: %v (an earlier try may have been accepted)", e.err)
	}
	return fmt.Sprintf("not sent: %v", e.err)
}

func (e *heldBackError) Unwrap() error { return e.err }

func (e *heldBackError) MayBeDelivered() bool { return e.sentBefore }

func (e *heldBackError) Temporary() bool { return false }
