package account

import (
	"context"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// Leg is what one account does on its chain, as one of several operations that their owner signs at once.
type Leg struct {
	// Account is a handle of a client of its chain. It signs through the multichain ownership module, and all
	// legs have the same owner.
	Account *OwnedAccount
	Calls   []Call
	// Window is when the operation may be included; the zero value sets no bounds. Outside of it the
	// EntryPoint says "AA22 expired or not due".
	Window  policy.Window
	Options []Option
}

// SendTogether sends an operation for each leg, through the client of its account, all signed with one
// signature of the owner. Nothing is signed before all operations are complete and checked.
//
// If a leg fails before that, none is sent. Afterwards each is on its own: the result has an entry for each
// leg, nil for those that failed and that the [*LegsError] tells about. The signature of such a leg stays
// good; its operation can be sent again with [userop.Sender.Resend] as long as its nonce is unused.
func SendTogether(ctx context.Context, legs ...Leg) ([]*userop.Pending, error) {
	drafts := make([]legDraft, len(legs))
	err := eachLeg(legs, func(i int, leg *Leg) (err error) {
		if drafts[i], err = newLegDraft(leg.Account, leg.Window, leg.Options); err != nil {
			return err
		}
		drafts[i].draft, err = leg.Account.draft(ctx, leg.Calls, drafts[i].settings)
		return err
	})
	if err != nil {
		return nil, err
	}
	return sendTogether(ctx, drafts)
}

// GrantLeg is a grant on one chain, as one of several that the owner signs at once.
type GrantLeg struct {
	// Account signs through the multichain ownership module; all legs have the same owner.
	Account *OwnedAccount
	// Policies are what is granted there. A session key belongs to one account on one chain: the same key on
	// several chains is imported for each.
	Policies []policy.Policy
	// Window is when the operation may be included; the zero value sets no bounds. Policies have windows of
	// their own.
	Window  policy.Window
	Options []Option
}

// Granted is the outcome of one [GrantLeg].
type Granted struct {
	Sessions *session.Sessions
	// Tx is what Activate of the sessions waits for; nil if the leg failed.
	Tx *userop.Pending
}

// GrantTogether grants sessions on several chains with one signature of the owner; see [OwnedAccount.Grant]
// for what happens on each and [SendTogether] for what the error tells. Call Activate on the sessions of each
// leg that was sent.
func GrantTogether(ctx context.Context, store session.Store, legs ...GrantLeg) ([]Granted, error) {
	granted := make([]Granted, len(legs))
	drafts := make([]legDraft, len(legs))
	err := eachLeg(legs, func(i int, leg *GrantLeg) (err error) {
		draft := &drafts[i]
		if *draft, err = newLegDraft(leg.Account, leg.Window, leg.Options, forBatches, routerDespiteFunds, replaceRoot, allowDanger); err != nil {
			return err
		}
		sess, plan, calls, err := leg.Account.planGrant(ctx, store, leg.Policies, draft.settings)
		if err != nil {
			return fmt.Errorf("grant a session: %w", err)
		}
		granted[i].Sessions = sess
		draft.draft, err = leg.Account.rootDraft(ctx, plan, calls, draft.settings)
		if err == nil {
			draft.undo = beginBefore(draft.draft, sess, plan)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	sent, err := sendTogether(ctx, drafts)
	if sent == nil {
		return nil, err
	}
	for i, tx := range sent {
		granted[i].Tx = tx
	}
	return granted, err
}

// LegsError tells which of several operations that go together failed.
type LegsError struct {
	// Errs has one entry for each leg, in their order: nil for one at which nothing went wrong. Entries are
	// as from [Account.Send]: [userop.MayBeAccepted] is to be asked about each.
	Errs []error
}

// Error says how many legs failed, and each reason.
func (e *LegsError) Error() string {
	var failed []string
	for i, err := range e.Errs {
		if err != nil {
			failed = append(failed, fmt.Sprintf("leg %d: %v", i, err))
		}
	}
	return fmt.Sprintf("%d of %d operations failed: %s", len(failed), len(e.Errs), strings.Join(failed, "; "))
}

// Unwrap returns the errors of the legs that failed.
func (e *LegsError) Unwrap() []error {
	var failed []error
	for _, err := range e.Errs {
		if err != nil {
			failed = append(failed, err)
		}
	}
	return failed
}

// Temporary reports false: of legs that go together some may have been sent, which must not be sent again. It
// makes [userop.SafeToRetry] say so.
func (e *LegsError) Temporary() bool { return false }

// legDraft is a leg whose operation is being made.
type legDraft struct {
	account  *OwnedAccount
	settings *settings
	draft    *userop.Draft
	// undo takes back what the draft's BeforeSend did; nil where it did nothing.
	undo         func(context.Context) error
	until, after uint64
}

// newLegDraft checks the choices for a leg, before its draft is made.
func newLegDraft(a *OwnedAccount, window policy.Window, opts []Option, takes ...string) (leg legDraft, err error) {
	if a == nil {
		return leg, fmt.Errorf("%w: leg without an account", ErrConfig)
	}
	s, err := newSettings(opts, append(takes, beforeSend)...)
	if err != nil {
		return leg, err
	}
	if s.namesSigner() {
		return leg, fmt.Errorf("%w: a leg of account %s names its own signer; the owner signs all legs", ErrConfig, a.address)
	}
	if s.lanes != nil {
		return leg, fmt.Errorf("%w: a leg of account %s with InLane; operations that are signed together take no turns, give the leg a lane with WithLane", ErrConfig, a.address)
	}
	if _, owned := a.active.Signer.(ownerSigner); !owned || a.active.Address != a.client.contracts.Multichain {
		return leg, fmt.Errorf("%w: account %s signs through module %s; operations on several chains need the multichain module, chosen with Multichain or ActiveModule", ErrConfig, a.address, a.active.Address)
	}
	leg.account, leg.settings = a, s
	if window != (policy.Window{}) {
		leg.until, leg.after, err = window.Seconds()
	}
	return leg, err
}

// initCode is the leg's init code, or an error where the multichain module would not be the one that the
// account is deployed with.
func (l *legDraft) initCode(ctx context.Context) ([]byte, error) {
	code, err := l.account.initCodeIfNeeded(ctx)
	if err == nil && code != nil && l.account.initial.Address != l.account.active.Address {
		return nil, fmt.Errorf("%w: %s, whose first operation goes through module %s alone; deploy it and enable the multichain module before", ErrNotDeployed, l.account.address, l.account.initial.Address)
	}
	return code, err
}

// eachLeg does the same for all legs, beside each other. The error is a [*LegsError].
func eachLeg[L any](legs []L, do func(i int, leg *L) error) error {
	failed := &LegsError{Errs: make([]error, len(legs))}
	var group errgroup.Group
	for i := range legs {
		group.Go(func() error {
			failed.Errs[i] = do(i, &legs[i])
			return failed.Errs[i]
		})
	}
	if group.Wait() != nil {
		return failed
	}
	return nil
}

// checkLegs returns an error unless one owner can sign for all legs.
func checkLegs(legs []legDraft) error {
	if len(legs) == 0 || len(legs) > maxLegs {
		return fmt.Errorf("%w: %d operations to send together; 1 to %d can be", policy.ErrInvalid, len(legs), maxLegs)
	}
	owner := legs[0].account.owner.Address()
	for i := range legs {
		leg := &legs[i]
		if other := leg.account.owner.Address(); other != owner {
			return legError(len(legs), i, fmt.Errorf("%w: account %s is for owner %s, that of the first leg for %s; one owner signs all legs", ErrConfig, leg.account.address, other, owner))
		}
	}
	return nil
}

// legError is the error of a single leg among several.
func legError(legs, i int, err error) *LegsError {
	e := &LegsError{Errs: make([]error, legs)}
	e.Errs[i] = err
	return e
}
