package account

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
)

// Reconcile finishes the change of the account's session root that a crash or an unfinished wait left open.
// As [session.Sessions.Reconcile] does, it makes final what has landed and undoes what never will. Beyond
// that, an operation that may still land is sent again as it was signed, which needs no owner, and waited
// for: until ctx ends, or for [Config].WaitTimeout. What is open after that is an error matching
// [session.ErrPending], which says that it was sent again.
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
	err := sess.Reconcile(ctx)
	pending := sess.Pending()
	if !errors.Is(err, session.ErrPending) || pending == nil || pending.Operation == nil {
		return err
	}
	if is := a.client.hash(pending.Operation); is != pending.OpHash {
		return fmt.Errorf("%w: the store keeps operation %s for %s; %w", policy.ErrInvalid, is, pending.OpHash, err)
	}
	tx, err := a.client.sender.Resend(ctx, pending.Operation)
	if err == nil {
		_, err = sess.Activate(ctx, tx)
	} else if settled := sess.Reconcile(ctx); settled == nil { // it was on chain, or can never be, by now
		err = nil
	}
	if err == nil || sess.Pending() == nil {
		return nil
	}
	return fmt.Errorf("%w: operation %s was sent again, and is not seen to have landed: %w", session.ErrPending, pending.OpHash, err)
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
