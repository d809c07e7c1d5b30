package account

import (
	"context"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"golang.org/x/sync/errgroup"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// Reconcile finishes the change of the account's session root that a crash or an unfinished wait left open.
// As [session.Sessions.Reconcile] does, it makes final what has landed and undoes what never will. Beyond
// that, an operation that may still land is sent again as it was signed, which needs no owner, and waited
// for: until ctx ends, or for [Config].WaitTimeout. What is open after that is an error matching
// [session.ErrPending], which says whether a bundler took it again. What grants or restores is not while the
// kill switch of the store is about the account or its owner ([session.ErrStopped]).
//
// A change that had landed and that the chain took back, as a reorganisation of it does, is found by this
// too, made pending again, and sent as it was signed. Call it for an account whose sends say so
// ([session.RootMismatch].TakenBack), and for one whose grant or revocation was in a block that is gone.
//
// An account without such a change has its root compared with the chain's; one that is not stored is an error
// matching [session.ErrNotFound]. A process that is about to send the same operation is not disturbed.
func (a *Account) Reconcile(ctx context.Context, store session.Store) error {
	sess, err := session.Open(ctx, store, a.Ref())
	if err == nil {
		err = a.reconcile(ctx, sess.On(a.client))
	}
	if err != nil {
		return fmt.Errorf("sessions of %s: %w", a.Ref(), err)
	}
	return nil
}

func (a *Account) reconcile(ctx context.Context, sess *session.Sessions) error {
	if err := a.client.refuseOtherChain(ctx); err != nil {
		return err
	}
	err := sess.Reconcile(ctx)
	if below := sess.Landed(); takenBack(err) && below != nil && below.Change.Operation != nil {
		err = a.landAgain(ctx, sess, &below.Change, err)
	}
	pending := sess.Pending()
	if !errors.Is(err, session.ErrPending) || pending == nil || pending.Operation == nil {
		return err
	}
	if wrong := a.checkKept(pending); wrong != nil {
		return fmt.Errorf("%w; %w", wrong, err)
	}
	tx, again := a.resendChange(ctx, sess, pending)
	if again == nil {
		_, again = sess.Activate(ctx, tx)
	} else if settled := sess.Reconcile(ctx); settled == nil { // it was on chain, or can never be, by now
		again = nil
	}
	if again == nil {
		return nil
	}
	if now := sess.Pending(); now == nil || now.OpHash != pending.OpHash { // settled, by this or another process
		return sess.Reconcile(ctx)
	}
	return fmt.Errorf("%w: operation %s %s: %w", session.ErrPending, pending.OpHash, afterResend(tx), again)
}

// landAgain sends the change again that the chain took back below the one that waits, and reconciles anew.
func (a *Account) landAgain(ctx context.Context, sess *session.Sessions, below *session.PendingRoot, mismatch error) error {
	if wrong := a.checkKept(below); wrong != nil {
		return fmt.Errorf("%w; %w", wrong, mismatch)
	}
	tx, again := a.resendChange(ctx, sess, below)
	if again == nil {
		_, again = tx.Wait(ctx)
	}
	err := sess.Reconcile(ctx)
	if takenBack(err) && again != nil {
		return fmt.Errorf("%w; operation %s %s: %w", mismatch, below.OpHash, afterResend(tx), again)
	}
	return err
}

// afterResend says what is open of an operation that [Account.resendChange] returned, nil for one that nobody
// is known to have taken.
func afterResend(tx *userop.Pending) string {
	if tx == nil {
		return "is not settled, and no bundler is known to have taken it again"
	}
	return "was sent again, and is not settled"
}

// resendChange sends the operation of a change again, unless the kill switch of the sessions' store is about
// it.
func (a *Account) resendChange(ctx context.Context, sess *session.Sessions, change *session.PendingRoot) (*userop.Pending, error) {
	var guard userop.Guard
	if !takesAway(change) {
		guard = a.client.unstopped(sess.Store(), a.address)
	}
	return a.client.sender.ResendGuarded(ctx, change.Operation, guard)
}

// checkKept returns an error if what the store keeps is not the operation of the change.
func (a *Account) checkKept(change *session.PendingRoot) error {
	if is := a.client.hash(change.Operation); is != change.OpHash {
		return fmt.Errorf("%w: the store keeps operation %s for %s", policy.ErrInvalid, is, change.OpHash)
	}
	return nil
}

// takenBack reports whether the chain went back to the root before the last change that landed.
func takenBack(err error) bool {
	mismatch, ok := errors.AsType[*session.RootMismatch](err)
	return ok && mismatch.TakenBack != (common.Hash{})
}

// How many accounts [Client.ReconcileAll] lists and has on their way at once.
const (
	reconcilePage   = 100
	reconcileAtOnce = 8
)

// ReconcileAll is [Account.Reconcile] for every account of the store, on the client's chain, whose root has a
// change that waits: what a program does when it starts, or now and then, with a context that ends. The error
// joins those of the accounts that stay open; each names its account.
//
// A change that landed and that the chain took back since is seen on chain only, not in the store: it is for
// [Account.Reconcile] of that account to find.
//
// Sessions that were revoked here while nobody sent a revocation are not among them, since that takes the
// owner's signature: [session.Query].Standing lists those.
func (c *Client) ReconcileAll(ctx context.Context, store interface {
	session.Store
	session.Lister
}) error {
	var failed []error
	for after := (session.Ref{ChainID: c.chainID}); ; {
		refs, err := store.ListPending(ctx, after, reconcilePage)
		if err != nil {
			return errors.Join(append(failed, fmt.Errorf("reconcile the accounts of a store: %w", err))...)
		}
		errs := make([]error, len(refs))
		var group errgroup.Group
		group.SetLimit(reconcileAtOnce)
		for i, ref := range refs {
			if ref.ChainID == c.chainID {
				group.Go(func() error {
					errs[i] = c.Account(ref.Account).Reconcile(ctx, store)
					return nil
				})
			}
		}
		_ = group.Wait() // each account has its own error
		failed = append(failed, errs...)
		if len(refs) < reconcilePage || refs[len(refs)-1].ChainID != c.chainID {
			return errors.Join(failed...)
		}
		after = refs[len(refs)-1]
	}
}
