package account

import (
	"context"
	"fmt"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// GrantLeg is a grant on one chain, as one of several that the owner signs at once.
type GrantLeg struct {
	// Account signs through the multichain ownership module; all legs have the same owner.
	Account *OwnedAccount
	// Policies are what is granted there. A session key belongs to one account on one chain: the same key
	// on several chains is imported for each.
	Policies []policy.Policy
	// Window is when the operation may be included; the zero value sets no bounds. Policies have windows
	// of their own.
	Window  policy.Window
	Options []Option
}

// Granted is the outcome of one [GrantLeg].
type Granted struct {
	Session *session.Sessions
	// Tx is what Activate of the sessions waits for; nil if the leg failed.
	Tx *userop.Pending
}

// GrantTogether grants sessions on several chains with one signature of the owner; see
// [OwnedAccount.Grant] for what happens on each and [SendTogether] for what the error tells. Call Activate
// on the sessions of each leg that was sent.
func GrantTogether(ctx context.Context, store session.Store, legs ...GrantLeg) ([]Granted, error) {
	granted := make([]Granted, len(legs))
	drafts := make([]legDraft, len(legs))
	err := eachLeg(legs, func(i int, leg *GrantLeg) (err error) {
		draft := &drafts[i]
		if *draft, err = newLegDraft(leg.Account, leg.Window, leg.Options); err != nil {
			return err
		}
		sess, plan, calls, err := leg.Account.planGrant(ctx, store, leg.Policies, leg.Options)
		if err != nil {
			return fmt.Errorf("grant a session: %w", err)
		}
		granted[i].Session = sess
		draft.draft, draft.undo, err = leg.Account.rootDraft(sess, plan, calls, leg.Options)
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
