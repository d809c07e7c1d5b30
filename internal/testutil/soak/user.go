package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
)

// user is an account that a process sends for. Of one of them in each part the process also plays the owner,
// who grants sessions and takes them back.
type user struct {
	worker  *worker
	account *account.Account
	owned   *account.OwnedAccount
	home    bool // this process plays the owner
	// lane is held by who uses the account's first lane; nil where sends take lanes of their own.
	lane *lane

	mu   sync.Mutex
	sess *session.Sessions
}

// lane is the first lane of an account: of two operations with one nonce one is in vain.
type lane struct{ mu sync.Mutex }

// acquire waits for the lane and returns what gives it back. There is nothing to wait for where there is no
// lane.
func (l *lane) acquire() (release func()) {
	if l == nil {
		return func() {}
	}
	l.mu.Lock()
	return sync.OnceFunc(l.mu.Unlock)
}

// sessions opens the user's sessions once.
func (u *user) sessions(ctx context.Context) (*session.Sessions, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.sess != nil {
		return u.sess, nil
	}
	sess, err := session.Open(ctx, u.worker.store, u.account.Ref(), session.WithKeyring(watchedKeys{u.worker.store, u.worker}))
	u.sess = sess
	return sess, err
}

// canSend reports whether the user has a session.
func (u *user) canSend(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	sess, err := u.sessions(ctx)
	return err == nil && sess.Refresh(ctx) == nil && slices.ContainsFunc(sess.Leaves(), inForce)
}

// watchedKeys is a keyring that notes each signature when it is asked for.
type watchedKeys struct {
	session.Keyring
	worker *worker
}

func (k watchedKeys) SignDigest(ctx context.Context, request session.SignRequest) ([]byte, error) {
	if err := k.worker.note(event{Kind: signing, User: request.Ref.Account, Key: request.Key, Hash: request.UserOpHash}); err != nil {
		return nil, err
	}
	return k.Keyring.SignDigest(ctx, request)
}

// ensure grants a session unless the user has one that can sign.
func (u *user) ensure(ctx context.Context) error {
	sess, err := session.OpenOrNew(ctx, u.worker.store, u.account.Ref(), session.WithChain(u.worker.client))
	if err != nil {
		return err
	}
	if sess.Pending() != nil {
		return u.account.Reconcile(ctx, u.worker.store)
	}
	if slices.ContainsFunc(sess.Leaves(), inForce) {
		return nil
	}
	return u.grant(ctx)
}

func inForce(leaf session.Leaf) bool { return leaf.Status == session.StatusActive && leaf.InTree }

// grant grants a further session.
func (u *user) grant(ctx context.Context) error {
	defer u.lane.acquire()()
	secret, err := u.worker.wallet.newKey(ctx)
	if err != nil {
		return err
	}
	key, err := u.worker.store.ImportKey(ctx, u.account.Ref(), secret)
	if err != nil {
		return err
	}
	if err := u.note(event{Kind: granting, Key: key}); err != nil {
		return err
	}
	sess, tx, err := u.owned.Grant(ctx, u.worker.store, []policy.Policy{session.Named(key.Hex(), policy.ABI{
		Key:      key,
		Contract: u.worker.Token,
		Function: mint,
		Rules:    []policy.Rule{policy.Arg("to", policy.Equal, u.account.Address())},
		Window:   policy.Until(time.Now().Add(24 * time.Hour)),
	})}, account.Sponsored())
	if err != nil {
		return err
	}
	if _, err := sess.Activate(ctx, tx); err != nil {
		return err
	}
	return u.note(event{Kind: granted, Key: key})
}

// change grants one more session, or stops one: here alone, or on chain as well.
func (u *user) change(ctx context.Context, dice *rand.Rand) error {
	sess, err := session.Open(ctx, u.worker.store, u.account.Ref(), session.WithChain(u.worker.client))
	if err != nil {
		return err
	}
	leaves := slices.DeleteFunc(sess.Leaves(), func(leaf session.Leaf) bool { return !inForce(leaf) })
	if len(leaves) == 0 {
		return nil
	}
	leaf := leaves[dice.IntN(len(leaves))]
	switch dice.IntN(3) {
	case 0:
		return u.grant(ctx)
	case 1:
		err := sess.Suspend(ctx, leaf.ID)
		return errors.Join(err, u.noteStopped(ctx, leaf.ID, suspended))
	}
	defer u.lane.acquire()()
	tx, err := u.owned.Revoke(ctx, sess, leaf.ID, account.Sponsored())
	if failed := u.noteStopped(ctx, leaf.ID, suspended); failed != nil || err != nil {
		return errors.Join(err, failed)
	}
	if _, err := sess.Activate(ctx, tx); err != nil {
		return err
	}
	return u.note(event{Kind: revoked, Key: leaf.Key})
}

// noteStopped notes the tombstone of a session, if the store has one, with a time after it was stored.
func (u *user) noteStopped(ctx context.Context, id string, as kind) error {
	state, err := u.worker.store.Load(ctx, u.account.Ref())
	if err != nil {
		return err
	}
	at := time.Now()
	for i := range state.Leaves {
		if leaf := &state.Leaves[i]; leaf.ID == id && leaf.Status == session.StatusRevoked {
			return u.note(event{Kind: as, At: at, Key: leaf.Key})
		}
	}
	return nil
}

// settle ends what waits for the chain, and notes whether store and chain agree.
func (u *user) settle(ctx context.Context) error {
	for {
		trying, cancel := context.WithTimeout(ctx, u.worker.Patience)
		err := u.account.Reconcile(trying, u.worker.store)
		cancel()
		switch {
		case err == nil:
			return u.note(event{Kind: settled})
		case !pause(ctx, time.Second):
			return u.note(event{Kind: unsettled, Text: err.Error()})
		}
		if err := u.note(event{Kind: unsettled, Text: err.Error()}); err != nil {
			return err
		}
	}
}

func (u *user) note(e event) error {
	e.User = u.account.Address()
	return u.worker.note(e)
}
