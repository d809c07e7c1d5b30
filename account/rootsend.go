package account

import (
	"context"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/userop"
	"github.com/go-sesame/sesame/userop/outbox"
)

// rootSend is a change of the session root that is sent under a key.
type rootSend struct {
	sess *session.Sessions
	plan *session.RootChange
	hash common.Hash // of the operation that it was begun for
}

// begin stores the change as pending and writes its operation down, both or neither.
func (r *rootSend) begin(ctx context.Context, store Outbox, recording outbox.Recording) (entry *outbox.Entry, err error) {
	r.hash = recording.Attempt.Hash
	err = r.plan.BeginBy(ctx, recording.Attempt.Operation, recording.Attempt.Hash, func(ctx context.Context, ref session.Ref, version uint64, change *session.Change) (err error) {
		_, entry, err = store.ApplyRecording(ctx, ref, version, change, recording)
		return err
	})
	return entry, err
}

// undo takes the change back.
func (r *rootSend) undo(ctx context.Context) error { return undoChange(ctx, r.sess, r.plan, r.hash) }

// carryBy has the sessions wait for another operation of the same change.
func carryBy(ctx context.Context, store Outbox, client *Client, ref session.Ref, op *userop.Operation, hash common.Hash) error {
	sess, err := session.Open(ctx, store, ref)
	if err != nil {
		return err
	}
	return sess.On(client).CarryBy(ctx, op, hash)
}

// rootPlan decides on the next root of an account's sessions, and on the calls that go before it.
type rootPlan func(ctx context.Context) (*session.Sessions, *session.RootChange, []Call, error)

// sendRootOnce sends the operation that sets the root of a plan once, under the key of the settings. The
// sessions are those of the plan, or as they are stored where the send was made before.
func (o *OwnedAccount) sendRootOnce(ctx context.Context, store session.Store, s *settings, kind string, asked []string, decide rootPlan) (*session.Sessions, *userop.Pending, error) {
	var root rootSend
	k, err := o.client.once(o.address, s, kind, asked, func(ctx context.Context) (*userop.Draft, error) {
		sess, plan, calls, err := decide(ctx)
		if err != nil {
			return nil, err
		}
		root = rootSend{sess: sess, plan: plan}
		return o.rootDraft(ctx, plan, calls, s)
	})
	if err != nil {
		return nil, nil, err
	}
	if err := k.keeps(store, "changes"); err != nil {
		return nil, nil, err
	}
	k.root, k.again = &root, func(ctx context.Context, e *outbox.Entry) (*userop.Draft, error) { return o.rootAgain(e, s) }
	tx, err := k.run(ctx)
	if err != nil {
		return nil, nil, err
	}
	if root.sess != nil && k.entry.Attempt(tx.Hash()) == k.entry.Latest() && len(k.entry.Attempts) == 1 {
		return root.sess, tx, nil
	}
	sess, err := session.Open(ctx, store, o.Ref())
	if err != nil {
		return nil, nil, &unreadError{fmt.Errorf("open the sessions of a change that was sent under key %q: %w; send under it again", s.key, err)}
	}
	return sess.On(o.client), tx, nil
}

// rootAgain is the draft of another operation of a change of the root: the calls are those of before, since
// the sessions wait for their root.
func (o *OwnedAccount) rootAgain(e *outbox.Entry, s *settings) (*userop.Draft, error) {
	if s.quote != nil || s.approval != nil {
		return nil, fmt.Errorf("%w: the change of the session root cannot be signed anew with a fee in tokens", errors.ErrUnsupported)
	}
	s, err := o.signedByOwner(s)
	if err != nil {
		return nil, err
	}
	draft := o.client.baseDraft(o.address, e.Latest().Operation.CallData, s)
	o.forOwner(draft, s)
	return draft, nil
}
