package account

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/internal/ability"
	"github.com/go-sesame/sesame/internal/observe"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
	"github.com/go-sesame/sesame/userop/outbox"
)

// keyed is one send under a key; see [Once].
type keyed struct {
	*writer
	ref  session.Ref
	send outbox.Send
	s    *settings
	// draft makes the draft of the first operation under the key, and again that of one more with the same
	// nonce.
	draft func(context.Context) (*userop.Draft, error)
	again func(context.Context, *outbox.Entry) (*userop.Draft, error)
	// root is the change of the session root that the send makes, nil for none.
	root *rootSend

	entry *outbox.Entry
	// unsure says that it is open whether the entry was written down.
	unsure bool
	// reserved is what was reserved of budgets for what is being signed, and is no entry's yet.
	reserved uint64
	// ahead is what was reserved before, for the first operation under the key; nil or 0 for nothing.
	ahead *uint64
}

// once is a send under the key of the settings, whose draft is made as said.
func (c *Client) once(account common.Address, s *settings, kind string, asked []string, draft func(context.Context) (*userop.Draft, error)) (*keyed, error) {
	if c.writes.store == nil {
		return nil, fmt.Errorf("%w: Once without Config.Outbox, where sends are written down; the stores of packages pgstore and filestore have one", ErrConfig)
	}
	return &keyed{
		writer: &c.writes,
		ref:    session.Ref{ChainID: c.chainID, Account: account},
		send: outbox.Send{
			ChainID: c.chainID, Account: account, EntryPoint: c.contracts.EntryPoint,
			Key: s.key, Kind: kind, Asked: describeAsked(asked),
		},
		s:     s,
		draft: draft,
		again: func(ctx context.Context, _ *outbox.Entry) (*userop.Draft, error) { return draft(ctx) },
	}, nil
}

// sendOnce sends what the draft makes once, under the key of the settings.
func (c *Client) sendOnce(ctx context.Context, account common.Address, s *settings, kind string, asked []string, draft func(context.Context) (*userop.Draft, error)) (*userop.Pending, error) {
	k, err := c.once(account, s, kind, asked, draft)
	if err != nil {
		return nil, err
	}
	return k.run(ctx)
}

// run sends under the key, or goes on with what was sent under it.
func (k *keyed) run(ctx context.Context) (tx *userop.Pending, err error) {
	ctx, sending := k.client.beginSend(ctx, k.ref.Account)
	defer func() { sending.End(ctx, observe.SendEnd(tx, err)) }()
	for try := 1; ; try++ {
		found, missing := k.find(ctx)
		k.s.taken = found.Nonces
		switch k.entry, k.unsure = found.Entry, false; {
		case missing == nil:
			tx, err = k.goOn(ctx)
		case errors.Is(missing, outbox.ErrNotFound):
			tx, err = k.sendFirst(ctx)
		default:
			return nil, &unreadError{fmt.Errorf("look for key %q of %s: %w; whether something was sent under it is open: send under it again", k.send.Key, k.ref, missing)}
		}
		if !k.overtaken(err) || try == maxOnceTries {
			return tx, err
		}
	}
}

// find looks for what was sent under the key.
func (k *keyed) find(ctx context.Context) (outbox.Found, error) {
	within, loading := k.client.observer.Begin(ctx, observe.Load, observe.About{Account: k.ref.Account})
	defer loading.Left(within)
	found, err := k.box.Find(within, k.send.ChainID, k.send.Account, k.send.Key)
	loading.End(within, observe.Result{Err: unlessNotFound(err)})
	return found, err
}

// unreadError is a failure to read what was sent under a key, if anything was.
type unreadError struct{ error }

func (e *unreadError) Unwrap() error { return e.error }

// MayBeAccepted reports true: an earlier send under the key may have been.
func (e *unreadError) MayBeAccepted() bool { return true }

// overtaken reports whether another process was quicker, so that looking again tells more. Nothing was sent.
func (k *keyed) overtaken(err error) bool {
	return errors.Is(err, outbox.ErrExists) || errors.Is(err, outbox.ErrConflict) ||
		errors.Is(err, outbox.ErrNonceTaken) && k.s.nonce == nil || k.passed(err) ||
		k.root != nil && k.entry == nil && (errors.Is(err, session.ErrConflict) || errors.Is(err, session.ErrPending))
}

// passed reports whether a service refused what was made under the key, before anything was written down, for
// what landed since it was begun: an operation with its nonce, or the account's deployment.
func (k *keyed) passed(err error) bool {
	refused, ok := errors.AsType[*userop.AAError](err)
	return ok && (refused.Code == "AA25" || refused.Code == "AA10") && k.entry == nil && !k.unsure && k.s.nonce == nil
}

// sendFirst sends the first operation under the key.
func (k *keyed) sendFirst(ctx context.Context) (*userop.Pending, error) {
	draft, err := k.draft(ctx)
	if err != nil {
		return nil, err
	}
	return k.hand(ctx, draft)
}

// goOn goes on with what was sent under the key: it is resent as it was signed, and where a service refuses
// it as it is, or its time is over, it is signed anew for the same nonce.
func (k *keyed) goOn(ctx context.Context) (*userop.Pending, error) {
	e := k.entry
	if difference := differs(&e.Send, &k.send); difference != "" {
		return nil, &KeyReusedError{Ref: k.ref, Key: e.Key, Difference: difference}
	}
	if e.State != outbox.StateOpen {
		return k.pending(e), nil
	}
	e, err := k.markGiven(ctx)
	if err != nil {
		return nil, k.kept(err)
	}
	var held error
	guard := k.guard(e)
	tx, err := k.client.sender.ResendGuarded(ctx, e.Latest().Operation, func(ctx context.Context, op *userop.Operation) error {
		if guard != nil {
			held = guard(ctx, op)
		}
		return held
	})
	switch {
	case err == nil:
		return k.settling(tx, e), nil
	case errors.Is(held, session.ErrRevoked), errors.Is(held, session.ErrStopped), errors.Is(held, session.ErrNoLeaf), errors.Is(held, session.ErrConflict):
		return k.pending(e), nil // it is not handed out again, and may land all the same
	case held != nil: // nobody knows yet
		return nil, k.kept(err)
	}
	failed, _ := errors.AsType[*userop.Error](err)
	ended, over := errors.AsType[*userop.EndedError](err)
	switch {
	case over && ended.By != common.Hash{}:
		return k.ended(ctx, ended)
	case !over && (failed == nil || !failed.Refused):
		return nil, k.kept(err)
	}
	asked := *k.s
	defer func() { *k.s = asked }()
	k.s.nonce, k.s.lane, k.s.lanes = e.Nonce.Clone(), nil, nil
	draft, again := k.again(ctx, e)
	if again != nil {
		return nil, k.kept(errors.Join(err, again))
	}
	return k.hand(ctx, draft)
}

// markGiven has the entry kept by who recorded it, which may be about to find that no service got it.
func (k *keyed) markGiven(ctx context.Context) (*outbox.Entry, error) {
	if k.entry.Given {
		return k.entry, nil
	}
	given, err := k.box.MarkGiven(ctx, k.entry.ID, k.entry.Version)
	switch {
	case errors.Is(err, outbox.ErrNotFound):
		return nil, fmt.Errorf("%w: %w", outbox.ErrConflict, err)
	case err != nil:
		return nil, fmt.Errorf("go on with key %q: %w", k.send.Key, err)
	}
	k.entry = given
	return given, nil
}

// ended writes down that the chain ended an operation, and returns the pending operation of the entry.
func (k *keyed) ended(ctx context.Context, ended *userop.EndedError) (*userop.Pending, error) {
	is, err := k.settle(ctx, k.entry, userop.Outcome{Ended: ended})
	if err != nil {
		return nil, k.kept(err)
	}
	op := k.entry.Latest().Operation
	if is.Receipt != nil {
		if included := k.entry.Attempt(is.Receipt.UserOpHash); included != nil {
			op = included.Operation
		}
	}
	return k.client.sender.Settled(op, is), nil
}

// hand sends what the draft makes, written down before.
func (k *keyed) hand(ctx context.Context, draft *userop.Draft) (*userop.Pending, error) {
	if signer, ok := ability.Find[*session.Signer](draft.Signer); ok {
		if err := k.writer.keeps(signer.Sessions().Store(), "acts with"); err != nil {
			return nil, err
		}
	}
	nonce := new(keyedNonce)
	if reserve := draft.Reserve; reserve != nil {
		draft.Reserve = func(ctx context.Context) (userop.Reservation, error) {
			var err error
			nonce.Reservation, err = reserve(ctx)
			return nonce, err
		}
	}
	hook := draft.BeforeSend
	draft.BeforeSend = func(ctx context.Context, op *userop.Operation, hash common.Hash) error {
		if hook != nil {
			if err := hook(ctx, op, hash); err != nil {
				return err
			}
		}
		return k.write(ctx, op, hash)
	}
	if renew := draft.Renew; renew != nil {
		draft.Renew = func(ctx context.Context, op *userop.Operation, refusal error) (bool, error) {
			if errors.Is(refusal, userop.ErrReplaced) && k.entry != nil {
				return false, refusal // another nonce would be another send
			}
			return renew(ctx, op, refusal)
		}
	}
	if forget := draft.Forget; forget != nil {
		draft.Forget = func(_ userop.Reservation, refusal error, nonceStays bool) bool {
			// Another nonce would be another send.
			return k.root == nil && (nonceStays || k.entry == nil) && forget(nonce.Reservation, refusal, nonceStays)
		}
	}
	if k.client.budgets != nil {
		draft.Signer = &reserving{draft.Signer, k}
	}
	tx, err := k.client.sender.Send(ctx, *draft)
	k.giveBack(ctx)
	if err == nil {
		k.client.tellLeft(ctx, k.ref.Account, draft.Signer)
		nonce.settled(true)
		return k.settling(tx, k.entry), nil
	}
	tx, err = k.failed(ctx, err)
	nonce.settled(k.entry == nil)
	if k.entry != nil && k.entry.State == outbox.StateOpen {
		nonce.keep(userop.Doubt{Operation: k.entry.Latest().Operation, Guard: k.guard(k.entry)})
	}
	return tx, err
}

// write writes a signed operation down before it is sent.
func (k *keyed) write(ctx context.Context, op *userop.Operation, hash common.Hash) (err error) {
	attempt := outbox.Attempt{Operation: op, Hash: hash, Until: k.client.contracts.operationEnd(op), Reserved: k.reserved}
	if k.entry == nil {
		recording := outbox.Recording{Send: k.send, Attempt: attempt, Lease: k.lease}
		k.unsure = true
		if k.root == nil {
			k.entry, err = k.box.Record(ctx, recording)
		} else {
			k.entry, err = k.root.begin(ctx, k.store, recording)
		}
		k.unsure = err != nil && !surelyNotWritten(err)
		if err == nil {
			k.reserved = 0
		}
		return err
	}
	if known := k.entry.Attempt(hash); known == nil || !slices.Equal(known.Operation.Signature, op.Signature) {
		next, err := k.box.AddAttempt(ctx, k.entry.ID, k.entry.Version, attempt, k.lease)
		if err != nil {
			return err
		}
		k.entry, k.reserved = next, 0
	}
	if changesRoot(k.entry.Kind) {
		return carryBy(ctx, k.store, k.client, k.ref, op, hash)
	}
	return nil
}

// surelyNotWritten reports whether nothing was written down; after any other error something may be.
func surelyNotWritten(err error) bool {
	for _, told := range []error{outbox.ErrExists, outbox.ErrNonceTaken, outbox.ErrInvalid, outbox.ErrReadOnly, outbox.ErrReservation, session.ErrConflict, policy.ErrInvalid} {
		if errors.Is(err, told) {
			return true
		}
	}
	return false
}

// failed judges how a send failed: what was given to no service is as if it had never been. It leaves no
// entry behind then; otherwise the key keeps it, and the error says so.
func (k *keyed) failed(ctx context.Context, err error) (*userop.Pending, error) {
	switch {
	case k.entry == nil && (!k.unsure || k.overtaken(err)):
		return nil, err
	case k.entry == nil, k.overtaken(err):
		return nil, k.kept(err)
	}
	if ended, over := errors.AsType[*userop.EndedError](err); over {
		return k.ended(ctx, ended)
	}
	failed, ok := errors.AsType[*userop.Error](err)
	if !ok || failed.Given || k.entry.Given || len(k.entry.Attempts) > 1 {
		return nil, k.kept(err)
	}
	detached, cancel := afterwards(ctx)
	defer cancel()
	if free := k.box.Free(detached, k.entry.ID, k.entry.Version); free != nil {
		return nil, k.kept(errors.Join(err, free))
	}
	k.entry = nil
	if named(k.send.Key) {
		err = fmt.Errorf("%w; nothing was given to a service, and key %q is free again", err, k.send.Key)
	}
	if k.root != nil {
		err = errors.Join(err, k.root.undo(detached))
	}
	return nil, err
}

// kept is the error of a send whose key keeps what was signed under it.
func (k *keyed) kept(err error) error {
	failed := &userop.Error{Step: userop.StepSend, Sender: k.ref.Account, Given: true, Err: &keptError{key: k.send.Key, entry: k.entry, err: err}}
	if was, ok := errors.AsType[*userop.Error](err); ok {
		failed.Hash, failed.Operation = was.Hash, was.Operation
	}
	if k.entry != nil {
		failed.Hash, failed.Operation = k.entry.Latest().Hash, k.entry.Latest().Operation
	}
	return failed
}

// keptError is a failure that leaves open what becomes of what was signed under a key.
type keptError struct {
	key   string
	entry *outbox.Entry // nil where it is open whether it was written down
	err   error
}

func (e *keptError) Error() string {
	if !named(e.key) {
		return fmt.Sprintf("%v; what was signed, if it was written down, is kept, so that nothing is sent twice: have Run go on", e.err)
	}
	if e.entry == nil {
		return fmt.Sprintf("%v; whether key %q was written down is open: send under it again, or let Run go on", e.err, e.key)
	}
	return fmt.Sprintf("%v; key %q keeps nonce %s, so that nothing is sent twice: send under it again, or let Run go on", e.err, e.key, e.entry.Nonce.Hex())
}

func (e *keptError) Unwrap() error { return e.err }

// MayBeDelivered reports true: what a service said of it is a claim.
func (e *keptError) MayBeDelivered() bool { return true }

// Temporary reports false: see MayBeDelivered.
func (e *keptError) Temporary() bool { return false }

// keyedNonce is the nonce of a send under a key. While it is being sent nothing is released: a refusal is the
// word of a service.
type keyedNonce struct {
	userop.Reservation // nil where the nonce is the key's already
	sent               bool
	released, used     bool
}

// Release implements [userop.Reservation].
func (n *keyedNonce) Release(used bool) {
	if !n.sent {
		n.released, n.used = true, n.used || used
		return
	}
	if n.Reservation != nil {
		n.Reservation.Release(used)
	}
}

// settled ends the time of sending. What was released in it is, if release says so.
func (n *keyedNonce) settled(release bool) {
	n.sent = true
	if release && n.released {
		n.Release(n.used)
	}
}

// keep leaves the nonce to the operation that it was given to.
func (n *keyedNonce) keep(doubt userop.Doubt) {
	if n.released && n.Reservation != nil {
		n.Doubt(doubt)
	}
}
