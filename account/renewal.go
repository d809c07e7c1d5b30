package account

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/userop"
)

// renewal is a draft's Renew for what the signer signs. A session's proof is good under one root, and another
// process may change the account's root while an operation is made: the service then refuses what was right
// when it was begun.
func (c *Client) renewal(signer *session.Signer) func(context.Context, *userop.Operation, error) (bool, error) {
	return func(ctx context.Context, op *userop.Operation, refusal error) (bool, error) {
		notApproved := strings.Contains(refusal.Error(), "SessionNotApproved")
		if !notApproved && !refusedSignature(refusal) {
			return false, refusal
		}
		sess := signer.Sessions()
		err := sess.Refresh(ctx)
		if err == nil {
			err = sess.Confirm(ctx, c, 0)
		}
		if err != nil && !errors.Is(err, session.ErrRootMismatch) {
			return false, refusal // what became of the root cannot be told
		}
		if err == nil {
			err = signer.Check()
		}
		if err != nil {
			return false, fmt.Errorf("%w; the service said: %w", err, refusal)
		}
		outdated, err := signer.Outdated(op)
		switch {
		case err != nil, !outdated && !notApproved:
			return false, refusal
		case outdated:
			return true, &rootMovedError{refusal, "the account's session root changed while the operation was made, and again while it was made anew; send it once more", false}
		}
		return false, &rootMovedError{refusal, "the node shows the session's root, the service's does not or not yet: what it refuses may pass later", true}
	}
}

// refusedSignature reports whether a service refused the account's validation, also where it does not say
// why.
func refusedSignature(refusal error) bool {
	code := aaCode(refusal)
	return code == "AA23" || code == "AA24"
}

// rootMovedError is a refusal for a root that is another one by now, or that the service does not see.
type rootMovedError struct {
	refusal error
	why     string
	// valid says that the operation fits the root that the chain shows: once it was given away, it may land.
	valid bool
}

func (e *rootMovedError) Error() string { return fmt.Sprintf("%s (%v)", e.why, e.refusal) }

func (e *rootMovedError) Unwrap() error { return e.refusal }

func (e *rootMovedError) MayBeDelivered() bool { return e.valid }

func (e *rootMovedError) Temporary() bool { return true }
