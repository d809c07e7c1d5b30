package account

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/observe"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/userop"
	"github.com/go-sesame/sesame/userop/outbox"
)

// Replace sends the calls of an operation that is stuck once more, with its nonce and higher fees, so that
// one of both lands at most. The fees are what is proposed now and at least a tenth above those of before, in
// both fields, or what a bundler that refuses that asks for; caps and bounds hold as for any send, and
// [WithFees] gives others. It is sponsored anew, checked anew and signed anew, with the session of
// [WithSession] or [WithLeafOf]. Who paid pays again unless an option says otherwise; a fee in tokens takes a
// new quote ([PayWith]), and an approval for it that the calls begin with gives way to that of [ApproveExact]
// and its like.
//
// The operation is the pending one, in whichever process it was sent: one that was stored is
// [userop.Sender.WatchOperation] of its bytes, and of those of what replaced it before
// ([userop.Pending.Operations]). With [Once] it is that of the key, and may be nil; one whose send was
// written down stays under its key anyhow. Replacing it again is fine.
//
// Whichever of the operations lands is what a wait for either returns, and what settles the key, the nonce
// and the sessions. One that the chain has ended already, by whatever operation, is returned as it is, and
// nothing is sent. After an error what was sent before may land as ever; where the new one may have been
// accepted as well ([userop.MayBeAccepted]), a wait for the old one tells of both.
//
// A session cannot cancel what it sent: its policy allows its calls only. Replace it, wait until its window
// is over, or have the owner call [OwnedAccount.Cancel].
func (a *Account) Replace(ctx context.Context, stuck *userop.Pending, opts ...Option) (*userop.Pending, error) {
	tx, err := a.replace(ctx, stuck, opts, func(ctx context.Context, calls []Call, s *settings) (*userop.Draft, error) {
		if len(calls) == 0 {
			return nil, fmt.Errorf("%w: an operation that makes no call is its owner's: OwnedAccount.Replace", ErrConfig)
		}
		return a.draft(ctx, calls, s)
	})
	if err != nil {
		return nil, fmt.Errorf("replace an operation of %s: %w", a.address, err)
	}
	return tx, nil
}

// Replace is [Account.Replace], signed by the owner unless an option names another signer. What a session
// signed is signed with a session again: the owner's signature would allow what the session's policy does
// not. An account that has no code still is deployed by it as before.
//
// A grant, a revocation or a restoration is replaced with the same root, and its sessions wait for the new
// operation from then on: those of [OfSessions], which may stand in for the operation, or else those of
// [Config].Outbox. It is refused where the root on chain is another one than before by now, and where a
// session that it grants was revoked since; see [OwnedAccount.Cancel]. One of several operations of
// [SendTogether] or [GrantTogether] is replaced for itself, without its Window: the others stay as they are.
func (o *OwnedAccount) Replace(ctx context.Context, stuck *userop.Pending, opts ...Option) (*userop.Pending, error) {
	tx, err := o.Account.replace(ctx, stuck, opts, func(ctx context.Context, calls []Call, s *settings) (*userop.Draft, error) {
		if len(calls) == 0 {
			return o.deployDraft(ctx, s)
		}
		return o.draft(ctx, calls, s)
	})
	if err != nil {
		return nil, fmt.Errorf("replace an operation of %s: %w", o.address, o.stuckElsewhere(err))
	}
	return tx, nil
}

// Cancel has the owner put an operation that does nothing in the place of one that is stuck, also of one that
// a session signed: with its nonce, and with fees, a payer and an operation named as by [Account.Replace].
// The EntryPoint calls nothing for it, so it costs its validation; an account without code is deployed by it.
//
// Once it landed, what was cancelled is a [userop.ErrReplaced] by it, also under its key, and a change of the
// session root is taken back in its sessions: those of [OfSessions] or of [Config].Outbox at once, others by
// [session.Sessions.Reconcile], or Abandon beside a root that they do not know. What was to be cancelled may
// land first. That is an error matching [ErrLanded] where the chain shows it already, and nothing is sent;
// otherwise the wait for the cancellation ends with ErrReplaced, by the one that landed.
func (o *OwnedAccount) Cancel(ctx context.Context, stuck *userop.Pending, opts ...Option) (*userop.Pending, error) {
	tx, err := o.cancel(ctx, stuck, opts)
	if err != nil {
		return nil, fmt.Errorf("cancel an operation of %s: %w", o.address, o.stuckElsewhere(err))
	}
	return tx, nil
}

// stuckElsewhere is the error with what to prepare instead, for an owner who signs elsewhere.
func (o *OwnedAccount) stuckElsewhere(err error) error {
	if _, elsewhere := o.owner.(addressOwner); elsewhere && errors.Is(err, ErrNoSigner) {
		return fmt.Errorf("%w; prepare it with the nonce of the one that is stuck and higher fees (WithNonce, WithFees)", err)
	}
	return err
}

// replacing is one Replace or Cancel.
type replacing struct {
	*writer
	account *Account
	s       *settings
	stuck   *userop.Pending
	// entry is where the operation was written down, nil for nowhere.
	entry *outbox.Entry
	// calls are those of the operation, none for one that only deploys the account; sess are the sessions
	// whose root it changes, nil for none.
	calls []Call
	sess  *session.Sessions
}

// replacing finds what is to be replaced.
func (a *Account) replacing(ctx context.Context, stuck *userop.Pending, opts []Option) (*replacing, error) {
	s, err := sendSettings(opts, ofSessions, replaceRoot)
	switch {
	case err != nil:
		return nil, err
	case s.nonce != nil, s.lane != nil, s.lanes != nil:
		return nil, fmt.Errorf("%w: WithNonce, WithLane and InLane do not apply here: the nonce is that of what is replaced", ErrConfig)
	case s.batch:
		return nil, fmt.Errorf("%w: AsBatch does not apply here: the calls are those of what is replaced", ErrConfig)
	}
	writes := a.client.writes
	writes.client = a.client // also where nothing is written down
	r := &replacing{writer: &writes, account: a, s: s, stuck: stuck}
	if err := r.find(ctx); err != nil {
		return nil, err
	}
	op := r.stuck.Operation()
	switch {
	case op == nil:
		return nil, fmt.Errorf("%w: operation %s is known by its hash alone; give its bytes to WatchOperation of the client's Sender", ErrConfig, r.stuck.Hash())
	case a.client.hash(op) != r.stuck.Hash():
		return nil, fmt.Errorf("%w: operation %s is one of another chain or EntryPoint, where it is %s", userop.ErrWrongChain, r.stuck.Hash(), a.client.hash(op))
	case op.Sender != a.address:
		return nil, fmt.Errorf("%w: operation %s is one of account %s, not of %s", ErrConfig, r.stuck.Hash(), op.Sender, a.address)
	}
	if r.calls, err = a.Decode(op.CallData); err != nil {
		return nil, fmt.Errorf("operation %s: %w", r.stuck.Hash(), err)
	}
	return r, r.payAgain(op)
}

// find finds the operation that is meant, and where it was written down.
func (r *replacing) find(ctx context.Context) error {
	if sess := r.s.changing; sess != nil {
		if sess.Ref() != r.account.Ref() {
			return fmt.Errorf("%w: OfSessions with sessions of %s", ErrConfig, sess.Ref())
		}
		if err := sess.Refresh(ctx); err != nil {
			return err
		}
		if pending := sess.Pending(); r.stuck == nil && r.s.key == "" {
			if pending == nil || pending.Operation == nil {
				return fmt.Errorf("%w: no change of the session root of %s waits for an operation that is known", ErrConfig, sess.Ref())
			}
			r.stuck = r.client.sender.WatchOperation(pending.Operation)
		}
	}
	switch {
	case r.s.key != "" && r.store == nil:
		return fmt.Errorf("%w: Once without Config.Outbox, where sends are written down", ErrConfig)
	case r.s.key == "" && r.stuck == nil:
		return fmt.Errorf("%w: no operation; give the pending one, Once with its key, or OfSessions", ErrConfig)
	case r.s.key != "":
		found, err := r.box.Find(ctx, r.client.chainID, r.account.address, r.s.key)
		if err != nil {
			return fmt.Errorf("look for key %q of %s: %w", r.s.key, r.account.Ref(), err)
		}
		if r.entry = found.Entry; r.stuck != nil && r.entry.Attempt(r.stuck.Hash()) == nil {
			return fmt.Errorf("%w: operation %s was not sent under key %q", ErrConfig, r.stuck.Hash(), r.s.key)
		}
	case r.store != nil:
		entry, err := r.box.FindHash(ctx, r.stuck.Hash())
		switch {
		case errors.Is(err, outbox.ErrNotFound):
			return nil
		case err != nil:
			return fmt.Errorf("look for operation %s: %w", r.stuck.Hash(), err)
		case entry.ChainID == r.client.chainID && entry.Account == r.account.address:
			r.entry = entry
		}
	}
	return r.useEntry()
}

// useEntry has the operation be the newest one of the entry.
func (r *replacing) useEntry() error {
	if r.entry == nil {
		return nil
	}
	if is := r.client.contracts.EntryPoint; r.entry.EntryPoint != is {
		return fmt.Errorf("%w: key %q is of a send through EntryPoint %s, not %s", ErrConfig, r.entry.Key, r.entry.EntryPoint, is)
	}
	op := r.entry.Latest().Operation
	if r.stuck == nil || r.stuck.Operation() == nil || r.stuck.Hash() != r.entry.Latest().Hash {
		r.stuck = r.client.sender.WatchOperation(op)
	}
	r.client.sender.WatchOperation(op, operationsOf(r.entry)...)
	return nil
}

// payAgain has who paid pay again, unless the options say who pays.
func (r *replacing) payAgain(op *userop.Operation) error {
	s := r.s
	if len(op.PaymasterAndData) < common.AddressLength || s.sponsored || s.orSelf || s.quote != nil {
		return s.checkContext()
	}
	if common.BytesToAddress(op.PaymasterAndData[:common.AddressLength]) == r.client.contracts.TokenPaymaster {
		return fmt.Errorf("%w: operation %s was paid for in a token; ask FeeQuotes for a new quote and give it to PayWith, or say who pays by Sponsored or SponsoredOrSelf", ErrConfig, r.stuck.Hash())
	}
	paid := *s
	paid.sponsored = true
	r.s = &paid
	return nil
}

// setsRoot reports whether the operation sets a session root.
func (r *replacing) setsRoot() bool {
	return slices.ContainsFunc(r.calls, func(call Call) bool {
		return call.To == r.client.contracts.Session.Manager && contracts.IsSetMerkleRoot(call.Data)
	})
}

// takesAway reports whether the operation is a revocation, which nothing stops.
func (r *replacing) takesAway() bool {
	if r.entry != nil {
		return r.entry.Kind == kindRevoke
	}
	if r.sess == nil {
		return false
	}
	change := r.sess.Pending()
	return change != nil && change.OpHash == r.stuck.Hash() && takesAway(change)
}

// findSessions finds the sessions whose root the operation changes.
func (r *replacing) findSessions(ctx context.Context) error {
	setsRoot := r.setsRoot()
	switch {
	case !setsRoot && r.s.changing != nil:
		return fmt.Errorf("%w: OfSessions does not apply here: operation %s sets no session root", ErrConfig, r.stuck.Hash())
	case !setsRoot && r.s.has(replaceRoot):
		return fmt.Errorf("%w: ReplaceRoot does not apply here: operation %s sets no session root", ErrConfig, r.stuck.Hash())
	case !setsRoot:
		return nil
	case r.s.changing != nil:
		if r.entry != nil {
			if err := r.keeps(r.s.changing.Store(), "changes"); err != nil {
				return err
			}
		}
		r.sess = r.s.changing
	case r.store != nil:
		sess, err := session.Open(ctx, r.store, r.account.Ref())
		if err != nil && !errors.Is(err, session.ErrNotFound) {
			return err
		}
		if err == nil && sess.Pending() != nil && sess.Pending().Nonce == r.stuck.Operation().Nonce {
			r.sess = sess
		}
	}
	if r.sess != nil {
		r.sess = r.sess.On(r.client)
	}
	return nil
}

// replace replaces an operation by what the draft of its calls makes.
func (a *Account) replace(ctx context.Context, stuck *userop.Pending, opts []Option, draft func(context.Context, []Call, *settings) (*userop.Draft, error)) (*userop.Pending, error) {
	r, err := a.replacing(ctx, stuck, opts)
	if err != nil {
		return nil, err
	}
	if r.entry != nil && r.entry.State != outbox.StateOpen {
		return r.pending(r.entry), nil
	}
	if err := r.findSessions(ctx); err != nil {
		return nil, err
	}
	if over, err := r.over(ctx); over || err != nil {
		return r.settledStuck(), err
	}
	if r.takesAway() {
		s := *r.s
		s.always, r.s = true, &s
	}
	made, err := r.draft(ctx, draft)
	if err != nil {
		return nil, err
	}
	tx, err := r.send(ctx, made)
	if err == nil || userop.MayBeAccepted(err) && r.entry == nil {
		return tx, err
	}
	// What is replaced may have landed while that was made, and have been in its way.
	if over, unknown := r.over(ctx); over && unknown == nil {
		return r.settledStuck(), nil
	}
	return nil, err
}

// over reports whether the chain has ended the operation, by its landing or by another one with its nonce.
func (r *replacing) over(ctx context.Context) (bool, error) {
	is, err := r.stuck.Look(ctx)
	switch {
	case errors.Is(err, userop.ErrNotFound):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("what became of operation %s: %w", r.stuck.Hash(), err)
	}
	return is.Receipt != nil || is.Ended.By != common.Hash{}, nil // one whose time is over leaves its nonce
}

// settledStuck is the operation that was to be replaced, with its key.
func (r *replacing) settledStuck() *userop.Pending {
	if r.entry != nil {
		return r.settling(r.stuck, r.entry)
	}
	return r.stuck
}

// draft is the draft of the operation's calls, with its nonce.
func (r *replacing) draft(ctx context.Context, of func(context.Context, []Call, *settings) (*userop.Draft, error)) (*userop.Draft, error) {
	op := r.stuck.Operation()
	switch module := contracts.SignatureModule(op.Signature); {
	case r.s.namesSigner():
	case module == r.client.contracts.Session.Manager, module == r.client.contracts.Session.Router:
		return nil, fmt.Errorf("%w: a session signed operation %s, and signs what takes its place; choose it with WithSession or WithLeafOf", ErrConfig, r.stuck.Hash())
	}
	s, calls := *r.s, r.calls
	s.nonce = op.Nonce.Clone()
	s.batch = contracts.IsBatch(op.CallData)
	if s.approval != nil {
		if calls = r.withoutApproval(op); len(calls) < len(r.calls) {
			s.batch = len(calls) > 1
		}
	}
	draft, err := of(ctx, calls, &s)
	if err != nil {
		return nil, err
	}
	draft.Replaces = r.stuck
	return draft, r.changesRoot(draft)
}

// withoutApproval are the calls without those that approved the fee of an operation that was paid for in a
// token.
func (r *replacing) withoutApproval(op *userop.Operation) []Call {
	paymaster := r.client.contracts.TokenPaymaster
	terms, err := contracts.DecodeTokenPaymasterData(op.PaymasterAndData)
	if err != nil || terms.Paymaster != paymaster {
		return r.calls
	}
	calls := r.calls
	for len(calls) > 1 && calls[0].To == terms.Token && contracts.IsApprovalOf(calls[0].Data, paymaster) {
		calls = calls[1:]
	}
	return calls
}

// changesRoot has a draft that sets a session root checked as the change that its sessions wait for, and
// carried on by them.
func (r *replacing) changesRoot(draft *userop.Draft) error {
	switch {
	case !r.setsRoot():
		return nil
	case r.sess == nil:
		return fmt.Errorf("%w: operation %s sets a session root, and which sessions wait for it is not known: give them with OfSessions", ErrConfig, r.stuck.Hash())
	}
	draft.Checks = append(draft.Checks, func(ctx context.Context) error {
		if err := r.sess.Refresh(ctx); err != nil {
			return err
		}
		if err := r.grantsRevoked(); err != nil || r.s.has(replaceRoot) {
			return err
		}
		return r.sess.Confirm(ctx, identified{r.client}, 0)
	})
	draft.Guard = each(draft.Guard, func(ctx context.Context, op *userop.Operation) error {
		if err := r.sess.Refresh(ctx); err != nil {
			return err
		}
		hash := r.client.hash(op)
		if pending := r.sess.Pending(); pending == nil || pending.OpHash != hash {
			return fmt.Errorf("%w: the sessions of %s do not wait for operation %s", session.ErrConflict, r.sess.Ref(), hash)
		}
		return r.grantsRevoked()
	})
	if r.entry != nil && changesRoot(r.entry.Kind) {
		return nil // what writes the operation down carries the change on
	}
	hook := draft.BeforeSend
	draft.BeforeSend = func(ctx context.Context, op *userop.Operation, hash common.Hash) error {
		if hook != nil {
			if err := hook(ctx, op, hash); err != nil {
				return err
			}
		}
		return r.sess.CarryBy(ctx, op, hash)
	}
	return nil
}

// grantsRevoked returns an error if a session that the change grants was revoked since: it would stand on
// chain.
func (r *replacing) grantsRevoked() error {
	pending := r.sess.Pending()
	if pending == nil {
		return fmt.Errorf("%w: no change of the session root of %s waits for the chain", session.ErrConflict, r.sess.Ref())
	}
	for _, leaf := range r.sess.Leaves() {
		if leaf.Status == session.StatusRevoked && slices.Contains(pending.Add, leaf.ID) {
			return fmt.Errorf("%w: session %q of %s was, which the operation grants; Cancel takes its place by nothing", session.ErrRevoked, leaf.ID, r.sess.Ref())
		}
	}
	return nil
}

// send sends the draft, written down under the key where the operation was.
func (r *replacing) send(ctx context.Context, draft *userop.Draft) (*userop.Pending, error) {
	if r.entry == nil && r.client.writesDown(r.s) { // what it replaces was sent before there were budgets
		k, err := r.client.once(r.account.address, r.s, kindSend, askedCalls(r.calls), nil)
		if err != nil {
			return nil, err
		}
		return k.hand(ctx, draft)
	}
	if r.entry == nil {
		return r.client.sender.Send(ctx, *draft)
	}
	k := &keyed{writer: r.writer, ref: r.account.Ref(), send: r.entry.Send, s: r.s, entry: r.entry}
	_, err := k.markGiven(ctx)
	var tx *userop.Pending
	if err == nil {
		tx, err = k.hand(ctx, draft)
	}
	if err == nil || !errors.Is(err, outbox.ErrConflict) && !errors.Is(err, outbox.ErrSettled) {
		return tx, err
	}
	// Another process was quicker: what it signed, or saw, is what counts.
	now, unknown := r.reread(ctx, r.entry)
	if unknown == nil && (now.State != outbox.StateOpen || len(now.Attempts) > len(r.entry.Attempts)) {
		return r.pending(now), nil
	}
	return nil, k.kept(err)
}

// cancel puts an operation that calls nothing in the place of one that is stuck.
func (o *OwnedAccount) cancel(ctx context.Context, stuck *userop.Pending, opts []Option) (*userop.Pending, error) {
	r, err := o.Account.replacing(ctx, stuck, opts)
	switch {
	case err != nil:
		return nil, err
	case r.s.namesSigner():
		return nil, fmt.Errorf("%w: the owner cancels: a session's policy allows its calls only. Without the owner Replace sends the same calls with higher fees, or the operation is waited out", ErrConfig)
	case r.s.approval != nil, r.s.has(replaceRoot):
		return nil, fmt.Errorf("%w: ApproveExact, ApproveUpTo, ApproveUnlimited and ReplaceRoot do not apply here: a cancellation makes no call", ErrConfig)
	}
	if err := r.findSessions(ctx); err != nil {
		return nil, err
	}
	if err := r.cancelable(ctx); err != nil {
		return nil, err
	}
	s, err := o.signedByOwner(r.s)
	if err != nil {
		return nil, err
	}
	s.nonce, s.always = r.stuck.Operation().Nonce.Clone(), true
	draft := o.client.baseDraft(o.address, nil, s)
	if s.quote != nil {
		if err := o.client.payWithToken(draft, nil, s); err != nil {
			return nil, err
		}
	}
	o.forOwner(draft, s)
	draft.Replaces, draft.Cancels = r.stuck, true
	tx, err := o.client.sender.Send(ctx, *draft)
	if err != nil {
		if landed := r.cancelable(ctx); errors.Is(landed, ErrLanded) {
			return nil, landed
		}
		return nil, err
	}
	return tx.Settling(func(ctx context.Context, is userop.Outcome) (userop.Outcome, error) {
		r.settleCanceled(ctx, is.Receipt)
		return is, nil
	}), nil
}

// cancelable returns an error if there is nothing to cancel any more.
func (r *replacing) cancelable(ctx context.Context) error {
	is, err := userop.Outcome{}, error(nil)
	if r.entry != nil && r.entry.State != outbox.StateOpen {
		is = ending(r.entry)
	} else if is, err = r.stuck.Look(ctx); errors.Is(err, userop.ErrNotFound) {
		return nil
	}
	switch {
	case err != nil:
		return fmt.Errorf("what became of operation %s: %w", r.stuck.Hash(), err)
	case is.Receipt != nil:
		return fmt.Errorf("%w: operation %s is in transaction %s, and nothing was cancelled", ErrLanded, is.Receipt.UserOpHash, is.Receipt.TransactionHash)
	}
	return fmt.Errorf("nothing is left to cancel: %w", is.Ended)
}

// settleCanceledChange takes the change back whose operation a cancellation took the place of, also beside a
// root of another service.
func (r *replacing) settleCanceledChange(ctx context.Context, nonce *uint256.Int) error {
	err := r.sess.Reconcile(ctx)
	if pending := r.sess.Pending(); errors.Is(err, session.ErrRootMismatch) && pending != nil && pending.Nonce == *nonce {
		return r.sess.Abandon(ctx)
	}
	return err
}

// settleCanceled writes down what the cancellation that landed ended: the key's send, and the change of the
// session root. What fails here is found out by whoever asks next: the chain shows it.
func (r *replacing) settleCanceled(ctx context.Context, landed *userop.Receipt) {
	if landed == nil {
		return
	}
	op := r.stuck.Operation()
	ended := &userop.EndedError{
		Hash: r.stuck.Hash(), Sender: op.Sender, Nonce: op.Nonce, By: landed.UserOpHash, Transaction: landed.TransactionHash,
	}
	var err error
	if r.entry != nil {
		_, err = r.settle(ctx, r.entry, userop.Outcome{Ended: ended})
	}
	if r.sess != nil {
		err = errors.Join(err, r.settleCanceledChange(ctx, &op.Nonce))
	}
	if err != nil {
		r.client.observer.Tell(ctx, observe.Trouble, observe.Moment{Account: r.account.address, Detail: "settle what was cancelled", Err: err})
	}
}
