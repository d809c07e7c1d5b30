package account

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"golang.org/x/sync/errgroup"

	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// Grant gives session keys what the policies say, in one operation of the owner: it enables the session key
// manager where needed, and with [ForBatches] the batched session router, and sets the session root. The
// account is deployed with it if it has no code yet. Modules are refused as by [OwnedAccount.EnableModule]:
// one without code, and the router on an account that holds what anybody could burn then.
//
// [policy.Lint] looks at the new sessions first, with what the chain says of the contracts they may call. A
// finding of [policy.SeverityDanger] is a [*policy.DangerError], and nothing was signed or stored;
// [AllowDanger] grants it all the same.
//
// The new leaves are stored as pending before the operation is sent, in the order of the policies after the
// ones that are there; call Activate on the returned sessions to wait for the chain. If the operation surely
// was not accepted, the store is as it was before. A root on chain that the store does not know is an error
// matching [session.ErrRootMismatch], since replacing it would cancel the sessions under it; [ReplaceRoot]
// does so all the same. A change that waits for the chain is settled first where the chain shows what became
// of it; while it may still land, the error matches [session.ErrPending]. So does that of a change which had
// landed and which the chain took back: [Account.Reconcile] sends it again.
func (o *OwnedAccount) Grant(ctx context.Context, store session.Store, policies []policy.Policy, opts ...Option) (*session.Sessions, *userop.Pending, error) {
	s, err := sendSettings(opts, forBatches, routerDespiteFunds, replaceRoot, allowDanger)
	if err != nil {
		return nil, nil, fmt.Errorf("grant a session: %w", err)
	}
	if o.client.writesDown(s) {
		return o.grantOnce(ctx, store, policies, s)
	}
	sess, plan, calls, err := o.planGrant(ctx, store, policies, s)
	if err != nil {
		return nil, nil, fmt.Errorf("grant a session: %w", err)
	}
	tx, err := o.changeRoot(ctx, sess, plan, calls, s)
	if err != nil {
		return nil, nil, fmt.Errorf("grant a session: %w", err)
	}
	return sess, tx, nil
}

// grantOnce is a grant under a key.
func (o *OwnedAccount) grantOnce(ctx context.Context, store session.Store, policies []policy.Policy, s *settings) (sess *session.Sessions, tx *userop.Pending, err error) {
	asked, err := o.askedGrant(policies, s)
	if err == nil {
		sess, tx, err = o.sendRootOnce(ctx, store, s, kindGrant, asked, func(ctx context.Context) (*session.Sessions, *session.RootChange, []Call, error) {
			return o.planGrant(ctx, store, policies, s)
		})
	}
	if err != nil {
		return nil, nil, fmt.Errorf("grant a session: %w", err)
	}
	return sess, tx, nil
}

// askedGrant is what a grant gives.
func (o *OwnedAccount) askedGrant(policies []policy.Policy, s *settings) ([]string, error) {
	asked, err := askedPolicies(o.client.contracts.Session, policies)
	if s.has(forBatches) {
		asked = append(asked, "the batched session router enabled")
	}
	return asked, err
}

// planGrant decides on the new root, and on the calls that enable what is missing.
func (o *OwnedAccount) planGrant(ctx context.Context, store session.Store, policies []policy.Policy, s *settings) (*session.Sessions, *session.RootChange, []Call, error) {
	if s.has(routerDespiteFunds) && !s.has(forBatches) {
		return nil, nil, nil, fmt.Errorf("%w: %s without %s, whose risk it is", ErrConfig, routerDespiteFunds, forBatches)
	}
	sess, err := session.OpenOrNew(ctx, store, o.Ref())
	if err != nil {
		return nil, nil, nil, err
	}
	sess = sess.On(o.client)
	var plan *session.RootChange
	var calls []Call
	err = onSettled(ctx, sess, s, func() error {
		if plan, err = sess.PlanGrant(o.client.contracts.Session, policies...); err != nil {
			return err
		}
		var lint errgroup.Group
		lint.Go(func() error { return o.lintGrant(ctx, plan.Added(), s.dangers) })
		calls, err = o.prepareRoot(ctx, sess, s, o.planSessionModules)
		lintErr := lint.Wait()
		if _, danger := errors.AsType[*policy.DangerError](lintErr); danger || err == nil {
			err = lintErr
		}
		return err
	})
	return sess, plan, calls, err
}

// Revoke cancels the session of that ID, in one operation of the owner that sets a root without it. Before
// anything else it is stopped (see [session.Sessions.Suspend]): it never signs again in any process that
// shares the store, whatever becomes of the operation, and no bundler, paymaster or signer is needed for
// that. Call Activate on the sessions once the operation was sent.
//
// An error says whether the session was stopped. If it was, its leaf still stands on chain until a revocation
// lands: call Revoke again, which then only sends that. Another change of the account's root that waits for
// the chain is settled first where the chain shows what became of it; while it may still land, the error
// matches [session.ErrPending]. So does that of a change which had landed and which the chain took back, as
// the grant itself may be: [Account.Reconcile] sends it again.
func (o *OwnedAccount) Revoke(ctx context.Context, sess *session.Sessions, id string, opts ...Option) (*userop.Pending, error) {
	return o.RevokeEach(ctx, sess, []string{id}, opts...)
}

// RevokeEach is [OwnedAccount.Revoke] for several sessions in one operation. No ID is an error: see
// [OwnedAccount.RevokeAll].
func (o *OwnedAccount) RevokeEach(ctx context.Context, sess *session.Sessions, ids []string, opts ...Option) (*userop.Pending, error) {
	tx, err := o.revoke(ctx, sess, ids,
		func() error { return sess.Suspend(ctx, ids...) },
		func(sess *session.Sessions) (*session.RootChange, error) { return sess.PlanRevoke(ids...) }, nil, opts)
	if err != nil {
		return nil, fmt.Errorf("revoke sessions: %w", err)
	}
	return tx, nil
}

// RevokeAll is [OwnedAccount.Revoke] for every session of the account: the root becomes zero. Where the
// batched session router is enabled the same operation disables it, since it lets anybody burn the account's
// funds with or without sessions (see [ForBatches]); [KeepRouter] leaves it. [OwnedAccount.DisableRouter]
// does that alone.
func (o *OwnedAccount) RevokeAll(ctx context.Context, sess *session.Sessions, opts ...Option) (*userop.Pending, error) {
	tx, err := o.revoke(ctx, sess, nil, func() error { return sess.SuspendAll(ctx) }, (*session.Sessions).PlanRevokeAll, o.planRouterOff, opts, keepRouter)
	if err != nil {
		return nil, fmt.Errorf("revoke all sessions: %w", err)
	}
	return tx, nil
}

// revoke stops the sessions of those IDs, all for none, before it sends the root that decide makes.
func (o *OwnedAccount) revoke(ctx context.Context, sess *session.Sessions, ids []string, stop func() error, decide rootDecision, modules modulePlan, opts []Option, takes ...string) (*userop.Pending, error) {
	if err := o.owns(sess); err != nil {
		return nil, err
	}
	s, err := sendSettings(opts, append(takes, replaceRoot)...)
	if err == nil {
		s.always = true
	}
	if stopErr := stop(); stopErr != nil { // also with options that are wrong
		err = errors.Join(stopErr, err)
		if errors.Is(stopErr, session.ErrNoLeaf) && slices.ContainsFunc(sess.Leaves(), among(ids)) {
			err = standing(sess, ids, err) // the others were stopped
		}
		return nil, err
	}
	var tx *userop.Pending
	if err == nil {
		tx, err = o.setRoot(ctx, sess, kindRevoke, ids, decide, modules, s)
	}
	if err != nil {
		err = standing(sess, ids, err)
	}
	return tx, err
}

// standing is the error of a revocation that stopped the sessions of those IDs, all for none, and got no
// further: what is to be done about those that still stand on chain, or will by a change that waits for it.
func standing(sess *session.Sessions, ids []string, err error) error {
	const stopped = "the sessions are stopped here and never sign again, but still stand on chain until the owner's revocation lands"
	again := "Revoke again"
	if len(ids) == 0 {
		again = "RevokeAll again" // which disables the router, too
	}
	leaves := slices.DeleteFunc(sess.Leaves(), func(leaf session.Leaf) bool { return !among(ids)(leaf) })
	switch {
	case sess.Pending() != nil:
		return fmt.Errorf("%w; %s: once the change that waits for the chain is settled, call %s for those that do", err, stopped, again)
	case len(leaves) == 0 && len(ids) > 0: // the store has them, and could not be read again
	case !slices.ContainsFunc(leaves, func(leaf session.Leaf) bool { return leaf.InTree }):
		return err
	}
	return fmt.Errorf("%w; %s: call %s", err, stopped, again)
}

// among reports which leaves have one of those IDs; all do for none.
func among(ids []string) func(session.Leaf) bool {
	return func(leaf session.Leaf) bool { return len(ids) == 0 || slices.Contains(ids, leaf.ID) }
}

// Restore puts sessions back that another backend's root left out, after [session.Sessions.Adopt] of its
// document; no ID means all of them. What that backend revoked is left out as well, and would be granted
// again: name the IDs unless it revoked none. Call Activate on the sessions as after a grant.
func (o *OwnedAccount) Restore(ctx context.Context, sess *session.Sessions, ids []string, opts ...Option) (*userop.Pending, error) {
	s, err := sendSettings(opts, replaceRoot)
	if err == nil {
		err = o.owns(sess)
	}
	if err != nil {
		return nil, fmt.Errorf("restore sessions: %w", err)
	}
	tx, err := o.setRoot(ctx, sess, kindRestore, ids, func(sess *session.Sessions) (*session.RootChange, error) { return sess.PlanRestore(ids...) }, nil, s)
	if err != nil {
		return nil, fmt.Errorf("restore sessions: %w", err)
	}
	return tx, nil
}

// rootDecision makes the next root of sessions.
type rootDecision func(*session.Sessions) (*session.RootChange, error)

// owns returns an error unless the sessions are the account's.
func (o *OwnedAccount) owns(sess *session.Sessions) error {
	if sess == nil {
		return fmt.Errorf("%w: no sessions of %s; open them with session.Open", ErrConfig, o.Ref())
	}
	if sess.Ref() != o.Ref() {
		return fmt.Errorf("%w: sessions of %s are not those of %s", ErrConfig, sess.Ref(), o.Ref())
	}
	return nil
}

// setRoot sends the root that decide makes of the sessions as they are now, after the calls of modules.
func (o *OwnedAccount) setRoot(ctx context.Context, sess *session.Sessions, kind string, ids []string, decide rootDecision, modules modulePlan, s *settings) (*userop.Pending, error) {
	sess = sess.On(o.client)
	if o.client.writesDown(s) {
		_, tx, err := o.sendRootOnce(ctx, sess.Store(), s, kind, askedRoot(ids, s), func(ctx context.Context) (*session.Sessions, *session.RootChange, []Call, error) {
			plan, calls, err := o.planRoot(ctx, sess, decide, modules, s)
			return sess, plan, calls, err
		})
		return tx, err
	}
	plan, calls, err := o.planRoot(ctx, sess, decide, modules, s)
	if err != nil {
		return nil, err
	}
	return o.changeRoot(ctx, sess, plan, calls, s)
}

// askedRoot is what a change of the root of those sessions is to do.
func askedRoot(ids []string, s *settings) []string {
	asked := askedIDs(ids)
	if s.has(keepRouter) {
		asked = append(asked, "the batched session router kept")
	}
	return asked
}

// planRoot decides on the next root of the sessions as they are now, and on the calls that go before it.
func (o *OwnedAccount) planRoot(ctx context.Context, sess *session.Sessions, decide rootDecision, modules modulePlan, s *settings) (plan *session.RootChange, calls []Call, err error) {
	if err := sess.Refresh(ctx); err != nil {
		return nil, nil, err
	}
	err = onSettled(ctx, sess, s, func() (err error) {
		if plan, err = decide(sess); err != nil {
			return err
		}
		calls, err = o.prepareRoot(ctx, sess, s, modules)
		return err
	})
	return plan, calls, err
}

// onSettled calls plan once the account's changes are settled: one that waits for the chain, where the chain
// shows what became of it, as the process that began it may have ended since; and the last one, where plan
// finds that the chain took it back. One that may still land is an error matching [session.ErrPending].
//
// Where the root of another service is to be replaced, a change that it has overtaken is given up.
func onSettled(ctx context.Context, sess *session.Sessions, s *settings, plan func() error) error {
	settle := sess.Reconcile
	if s.has(replaceRoot) {
		settle = sess.Abandon
	}
	if sess.Pending() != nil {
		if err := settle(ctx); err != nil {
			return err
		}
	}
	err := plan()
	if !takenBack(err) {
		return err
	}
	if err := sess.Reconcile(ctx); err != nil {
		return err
	}
	return plan()
}

// modulePlan returns the calls that change the account's modules together with its root.
type modulePlan func(ctx context.Context, s *settings) ([]Call, error)

// planRouterOff disables the batched session router where it is enabled, unless an option keeps it.
func (o *OwnedAccount) planRouterOff(ctx context.Context, s *settings) ([]Call, error) {
	if s.has(keepRouter) {
		return nil, nil
	}
	state, _, err := o.expectedState(ctx)
	if err != nil || !state.RouterEnabled {
		return nil, err
	}
	calls, err := o.disableRouters(state)
	if err != nil {
		return nil, fmt.Errorf("disable the batched session router, which %s leaves: %w", keepRouter, err)
	}
	return calls, nil
}

// prepareRoot compares the root on chain with the store's, beside planning the calls that change modules.
func (o *OwnedAccount) prepareRoot(ctx context.Context, sess *session.Sessions, s *settings, modules modulePlan) (calls []Call, err error) {
	group, ctx := errgroup.WithContext(ctx)
	if !s.has(replaceRoot) {
		group.Go(func() error { return sess.Confirm(ctx, o.client, 0) })
	}
	if modules != nil {
		group.Go(func() (err error) {
			calls, err = modules(ctx, s)
			return err
		})
	}
	err = group.Wait()
	return calls, err
}

// beside does both at once.
func beside(ctx context.Context, one, other func(context.Context) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return one(ctx) })
	group.Go(func() error { return other(ctx) })
	return group.Wait()
}

// rollbackTimeout bounds undoing a change after the caller's context ended.
const rollbackTimeout = 10 * time.Second

// changeRoot sends calls and the new root as one operation.
func (o *OwnedAccount) changeRoot(ctx context.Context, sess *session.Sessions, plan *session.RootChange, calls []Call, s *settings) (*userop.Pending, error) {
	draft, err := o.rootDraft(ctx, plan, calls, s)
	if err != nil {
		return nil, err
	}
	return o.client.sendRoot(ctx, draft, sess, plan)
}

// sendRoot sends the draft of an operation that carries the change out, which is stored before.
func (c *Client) sendRoot(ctx context.Context, draft *userop.Draft, sess *session.Sessions, plan *session.RootChange) (*userop.Pending, error) {
	undo := beginBefore(draft, sess, plan)
	tx, err := c.sender.Send(ctx, *draft)
	if err != nil && !userop.MayBeAccepted(err) {
		err = errors.Join(err, undo(ctx))
	}
	return tx, err
}

// rootDraft is the draft of an operation that makes the calls and sets the new root.
func (o *OwnedAccount) rootDraft(ctx context.Context, plan *session.RootChange, calls []Call, s *settings) (*userop.Draft, error) {
	return o.draft(ctx, append(calls, Call{To: o.client.contracts.Session.Manager, Data: contracts.SetMerkleRoot(plan.Root())}), s)
}

// beginBefore has the store changed in between signing and sending what the draft makes, so that a crash
// leaves a pending change that names its operation; undo takes the change back.
func beginBefore(draft *userop.Draft, sess *session.Sessions, plan *session.RootChange) (undo func(context.Context) error) {
	var begun common.Hash
	hook := draft.BeforeSend
	draft.Forget = nil // a change of the root is begun for one operation
	draft.BeforeSend = func(ctx context.Context, op *userop.Operation, hash common.Hash) error {
		if hook != nil {
			if err := hook(ctx, op, hash); err != nil {
				return err
			}
		}
		err := plan.Begin(ctx, op, hash)
		if !errors.Is(err, session.ErrConflict) {
			begun = hash
		}
		return err
	}
	return func(ctx context.Context) error {
		if begun == (common.Hash{}) {
			return nil
		}
		return undoChange(ctx, sess, plan, begun)
	}
}

// undoChange takes a change back that was begun for that operation. Whether there is one is for the store to
// say: an error of Begin leaves it open, unless another process was quicker. What is stored then is that
// one's change, even if it names the very same operation, as it does where both decided the same.
func undoChange(ctx context.Context, sess *session.Sessions, plan *session.RootChange, begun common.Hash) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
	defer cancel()
	if err := sess.Refresh(ctx); err != nil {
		return err
	}
	if pending := sess.Pending(); pending == nil || pending.OpHash != begun {
		return nil
	}
	return plan.Rollback(ctx)
}
