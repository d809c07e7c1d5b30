package account_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
	"github.com/go-sesame/sesame/userop/outbox"
)

// Sends, replacements, cancellations, crashes and whims of the bundler in any order: each purpose happens at
// most once, and keys and sessions end as the chain shows.
func TestReplaceAndCancelInAnyOrder(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			newDisorder(t, seed).run()
		})
	}
}

// disorder is a world in which everything happens in any order.
type disorder struct {
	*world
	t      *testing.T
	door   *gate
	random *rand.Rand
	sess   *session.Sessions // of the key that sends
	sent   []string          // keys
	log    []string
}

func newDisorder(t *testing.T, seed uint64) *disorder {
	w, door := onceWorld(t, nil)
	sess := w.grant(t, []policy.Policy{session.Named("sender", w.nftPolicy())})
	return &disorder{world: w, t: t, door: door, random: rand.New(rand.NewPCG(seed, 13)), sess: sess}
}

const disorderlySteps = 30

func (d *disorder) run() {
	for range disorderlySteps {
		d.step()
	}
	d.door.set(nil)
	d.bundler.Resume()
	d.settle()
	if d.t.Failed() {
		for _, line := range d.log {
			d.t.Log(line)
		}
	}
}

// step does one thing. What fails in it is part of the disorder.
func (d *disorder) step() {
	ctx, cancel := context.WithTimeout(d.t.Context(), 10*time.Second)
	defer cancel()
	kind, key := d.random.IntN(10), ""
	if len(d.sent) == 0 {
		kind = 0
	} else {
		key = d.sent[d.random.IntN(len(d.sent))]
	}
	var what string
	var err error
	switch kind {
	case 0:
		what, key = "send", fmt.Sprint("key ", len(d.sent))
		d.sent = append(d.sent, key)
		err = d.send(ctx, key)
	case 1:
		what, err = "send again", d.send(ctx, key)
	case 2, 3:
		what = "replace"
		_, err = d.user.Replace(ctx, nil, account.Once(key), account.WithLeafOf(d.sess))
	case 4:
		what = "cancel"
		var tx *userop.Pending
		if tx, err = d.owner.Cancel(ctx, nil, account.Once(key)); err == nil && d.random.IntN(2) == 0 {
			waiting, cancel := context.WithTimeout(ctx, time.Second)
			_, err = tx.Wait(waiting)
			cancel()
		}
	case 5:
		what, err = "change the root", d.changeRoot(ctx)
	case 6:
		what = "replace the change"
		_, err = d.owner.Replace(ctx, nil, account.OfSessions(d.sess))
	case 7:
		what = "cancel the change"
		_, err = d.owner.Cancel(ctx, nil, account.OfSessions(d.sess))
	case 8:
		what = "another process"
		d.restart(d.t)
		d.sess, err = session.Open(ctx, d.store, d.owner.Ref())
		d.sess = d.sess.On(d.client)
	default:
		what = "whims " + d.whims()
	}
	d.log = append(d.log, fmt.Sprintf("%s %s: %v", what, key, err))
}

func (d *disorder) send(ctx context.Context, key string) error {
	_, err := d.user.Send(ctx, []account.Call{d.mint(d.t, d.owner.Address())}, account.WithSession(d.sess.ByID("sender")), account.Sponsored(), account.Once(key))
	return err
}

// changeRoot grants another session, or revokes one that was.
func (d *disorder) changeRoot(ctx context.Context) error {
	if leaves := d.sess.Leaves(); len(leaves) > 1 && d.random.IntN(2) == 0 {
		_, err := d.owner.Revoke(ctx, d.sess, leaves[1].ID, account.Sponsored())
		return err
	}
	_, _, err := d.owner.Grant(ctx, d.store, []policy.Policy{d.nftPolicy()}, account.Sponsored())
	return err
}

// whims changes how the bundler behaves.
func (d *disorder) whims() string {
	kind := d.random.IntN(5)
	entryPoint := d.client.Contracts().EntryPoint
	switch kind {
	case 0:
		d.bundler.Pause()
		return "paused"
	case 1:
		d.bundler.Resume()
		return "resumed"
	case 2:
		d.door.set(nil)
		return "none"
	}
	d.door.set(func(_ context.Context, op *userop.Operation, handOver func() (common.Hash, error)) (common.Hash, error) {
		if kind == 3 {
			return op.Hash(entryPoint, d.chain.ChainID()), nil // and loses it
		}
		hash, err := handOver()
		if err == nil {
			err = errFeeTooLow // a lie
		}
		return hash, err
	})
	return [...]string{3: "loses", 4: "lies"}[kind]
}

// settle ends all that is open, and holds it against the chain.
func (d *disorder) settle() {
	ctx, t := d.t.Context(), d.t
	landed := uint64(0)
	for _, key := range d.sent {
		require.Eventually(t, func() bool {
			e := d.entry(t, key)
			if e == nil || e.State != outbox.StateOpen {
				return true
			}
			trying, cancel := context.WithTimeout(ctx, 10*time.Second)
			defer cancel()
			tx, err := d.user.Send(trying, []account.Call{d.mint(t, d.owner.Address())}, account.WithLeafOf(d.sess), account.Sponsored(), account.Once(key))
			if err == nil {
				_, err = tx.Wait(trying)
			}
			d.log = append(d.log, fmt.Sprintf("settle %s: %v", key, err))
			return false
		}, 60*time.Second, 50*time.Millisecond, "%s is never settled: %v", key, d.log)
		e := d.entry(t, key)
		if e == nil {
			continue
		}
		included := 0
		for i := range e.Attempts {
			is, err := d.client.Sender().WatchOperation(e.Attempts[i].Operation).Look(ctx)
			require.NoError(t, err)
			if is.Receipt != nil && is.Receipt.UserOpHash == e.Attempts[i].Hash {
				included++
				require.Equal(t, e.Outcome.Hash, e.Attempts[i].Hash)
			}
		}
		switch e.State {
		case outbox.StateLanded:
			landed++
			require.Equal(t, 1, included, key)
		case outbox.StateEnded:
			require.Zero(t, included, key)
		default:
			require.Fail(t, "it reverted", "%s: %v", key, e)
		}
	}
	require.Equal(t, landed, d.nfts(t), "%v", d.log)

	require.Eventually(t, func() bool {
		err := d.client.Account(d.owner.Address()).Reconcile(ctx, d.store)
		d.log = append(d.log, fmt.Sprintf("reconcile: %v", err))
		return err == nil || !errors.Is(err, session.ErrPending)
	}, 60*time.Second, 50*time.Millisecond, "the sessions are never settled: %v", d.log)
	sess, err := session.Open(ctx, d.store, d.owner.Ref())
	require.NoError(t, err)
	require.NoError(t, sess.Confirm(ctx, d.client, 0), "%v", d.log)
	root, err := d.client.SessionRoot(ctx, d.owner.Address())
	require.NoError(t, err)
	require.Equal(t, root, sess.Root())
	require.Nil(t, sess.Pending())
}
