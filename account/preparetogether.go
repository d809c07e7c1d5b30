package account

import (
	"context"
	"fmt"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
)

// PrepareTogether prepares what [SendTogether] would sign and send, for an owner who signs elsewhere: one
// signature for an operation on each chain; see [OwnedAccount.PrepareGrant]. [SubmitTogether] takes it. A leg
// without a window has the one of [SignWithin], an hour by default.
func PrepareTogether(ctx context.Context, legs ...Leg) (*Prepared, error) {
	return prepareTogether(legs, func(leg *Leg) (*preparedLeg, error) {
		s, err := prepareLegSettings(leg.Account, leg.Window, leg.Options, len(legs))
		if err != nil {
			return nil, err
		}
		draft, err := leg.Account.draft(ctx, leg.Calls, s)
		if err != nil {
			return nil, err
		}
		made := &preparedLeg{Kind: kindSend, Asked: describeAsked(askedCalls(leg.Calls))}
		return made, leg.Account.prepareLeg(ctx, draft, made, leg.Window, s)
	})
}

// PrepareGrantTogether prepares what [GrantTogether] would sign and send, for an owner who signs elsewhere;
// see [PrepareTogether].
func PrepareGrantTogether(ctx context.Context, store session.Store, legs ...GrantLeg) (*Prepared, error) {
	if err := checkStore(store); err != nil {
		return nil, err
	}
	return prepareTogether(legs, func(leg *GrantLeg) (*preparedLeg, error) {
		s, err := prepareLegSettings(leg.Account, leg.Window, leg.Options, len(legs), forBatches, routerDespiteFunds, replaceRoot, allowDanger)
		if err != nil {
			return nil, err
		}
		made, err := leg.Account.prepareGrant(ctx, store, leg.Policies, leg.Window, s)
		if err != nil {
			return nil, fmt.Errorf("grant a session: %w", err)
		}
		return made, nil
	})
}

// prepareLegSettings are the settings of one leg of several.
func prepareLegSettings(a *OwnedAccount, window policy.Window, opts []Option, legs int, takes ...string) (*settings, error) {
	draft, err := newLegDraft(a, window, nil)
	if err != nil {
		return nil, err
	}
	s, err := prepareSettings(opts, takes...)
	if err != nil {
		return nil, err
	}
	s.prepared = legs
	s.initCode = draft.initCode
	return s, nil
}

// prepareTogether prepares all legs beside each other.
func prepareTogether[L any](legs []L, prepare func(*L) (*preparedLeg, error)) (*Prepared, error) {
	if len(legs) == 0 || len(legs) > maxLegs {
		return nil, fmt.Errorf("%w: %d operations to prepare together; 1 to %d can be", policy.ErrInvalid, len(legs), maxLegs)
	}
	made := make([]*preparedLeg, len(legs))
	err := eachLeg(legs, func(i int, leg *L) (err error) {
		made[i], err = prepare(leg)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("prepare operations: %w", err)
	}
	for i := range made {
		if made[i].owner != made[0].owner {
			return nil, legError(len(legs), i, fmt.Errorf("%w: account %s is for owner %s, that of the first leg for %s; one owner signs all legs", ErrConfig, made[i].Account, made[i].owner, made[0].owner))
		}
	}
	return sealAll(made...)
}
