package account_test

import (
	"context"
	"errors"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
	"github.com/go-sesame/sesame/userop/outbox"
)

// stuckKind is a kind of operation that gets stuck.
type stuckKind struct {
	batches, undeployed bool
	send                func(w *world, t *testing.T, sess *session.Sessions, opts ...account.Option) (*userop.Pending, error)
	replace             func(w *world, t *testing.T, sess *session.Sessions, stuck *userop.Pending, opts ...account.Option) (*userop.Pending, error)
	// done reports how often the purpose happened.
	done func(w *world, t *testing.T) uint64
	root bool
}

func byOwner(w *world, t *testing.T, _ *session.Sessions, stuck *userop.Pending, opts ...account.Option) (*userop.Pending, error) {
	return w.owner.Replace(t.Context(), stuck, opts...)
}

func bySession(w *world, t *testing.T, sess *session.Sessions, stuck *userop.Pending, opts ...account.Option) (*userop.Pending, error) {
	return w.user.Replace(t.Context(), stuck, append(opts, account.WithLeafOf(sess))...)
}

func ofChange(w *world, t *testing.T, sess *session.Sessions, stuck *userop.Pending, opts ...account.Option) (*userop.Pending, error) {
	return w.owner.Replace(t.Context(), stuck, append(opts, account.OfSessions(sess))...)
}

func (w *world) standing(t *testing.T) uint64 {
	root, err := w.client.SessionRoot(t.Context(), w.owner.Address())
	require.NoError(t, err)
	if root == (common.Hash{}) {
		return 0
	}
	return 1
}

func stuckKinds() map[string]stuckKind {
	minted := func(w *world, t *testing.T) uint64 { return w.nfts(t) }
	return map[string]stuckKind{
		"session call": {
			send: func(w *world, t *testing.T, sess *session.Sessions, opts ...account.Option) (*userop.Pending, error) {
				return w.user.Send(t.Context(), []account.Call{w.mint(t, w.owner.Address())}, append(opts, account.WithLeafOf(sess))...)
			},
			replace: bySession, done: minted,
		},
		"session batch": {
			batches: true,
			send: func(w *world, t *testing.T, sess *session.Sessions, opts ...account.Option) (*userop.Pending, error) {
				return w.user.Send(t.Context(), []account.Call{w.mint(t, w.owner.Address()), w.mint(t, w.owner.Address())}, append(opts, account.WithLeafOf(sess))...)
			},
			replace: bySession, done: func(w *world, t *testing.T) uint64 { return w.nfts(t) / 2 },
		},
		"owner call": {
			undeployed: true,
			send: func(w *world, t *testing.T, _ *session.Sessions, opts ...account.Option) (*userop.Pending, error) {
				return w.owner.Send(t.Context(), []account.Call{w.mint(t, w.owner.Address())}, opts...)
			},
			replace: byOwner, done: minted,
		},
		"deployment": {
			undeployed: true,
			send: func(w *world, t *testing.T, _ *session.Sessions, opts ...account.Option) (*userop.Pending, error) {
				return w.owner.Deploy(t.Context(), opts...)
			},
			replace: byOwner,
			done: func(w *world, t *testing.T) uint64 {
				if deployed, err := w.owner.Deployed(t.Context()); err != nil || !deployed {
					return 0
				}
				return 1
			},
		},
		"grant": {
			undeployed: true, root: true,
			send: func(w *world, t *testing.T, _ *session.Sessions, opts ...account.Option) (*userop.Pending, error) {
				_, tx, err := w.owner.Grant(t.Context(), w.store, []policy.Policy{w.nftPolicy()}, opts...)
				return tx, err
			},
			replace: ofChange, done: (*world).standing,
		},
		"revocation": {
			root: true,
			send: func(w *world, t *testing.T, sess *session.Sessions, opts ...account.Option) (*userop.Pending, error) {
				return w.owner.RevokeAll(t.Context(), sess, opts...)
			},
			replace: ofChange, done: func(w *world, t *testing.T) uint64 { return 1 - w.standing(t) },
		},
	}
}

// stuckHow is how an operation got stuck.
type stuckHow int

const (
	stuckInMempool stuckHow = iota
	refusedForFees
	landedMeanwhile
	lostByMempool
)

var stuckHows = map[string]stuckHow{
	"in a mempool": stuckInMempool, "refused for its fees": refusedForFees, "landed meanwhile": landedMeanwhile, "lost by the mempool": lostByMempool,
}

// newStuckWorld is a world with an operation of that kind that is stuck.
func newStuckWorld(t *testing.T, kind stuckKind, how stuckHow, opts ...account.Option) (*world, *gate, *session.Sessions, *userop.Pending) {
	w, door := onceWorld(t, nil)
	var sess *session.Sessions
	if !kind.undeployed {
		var grant []account.Option
		if kind.batches {
			grant = append(grant, account.ForBatches())
		}
		sess = w.grant(t, []policy.Policy{w.nftPolicy()}, grant...)
	}
	w.bundler.Pause()
	door.set(func(_ context.Context, op *userop.Operation, handOver func() (common.Hash, error)) (common.Hash, error) {
		switch how {
		case refusedForFees:
			return common.Hash{}, errFeeTooLow
		case lostByMempool:
			return op.Hash(w.client.Contracts().EntryPoint, w.chain.ChainID()), nil
		}
		return handOver()
	})
	tx, err := kind.send(w, t, sess, append(opts, account.Sponsored())...)
	if how == refusedForFees {
		failed, ok := errors.AsType[*userop.Error](err)
		require.True(t, ok, "%v", err)
		require.True(t, userop.MayBeAccepted(err), "%v", err)
		tx, err = w.client.Sender().WatchOperation(failed.Operation), nil
	}
	require.NoError(t, err)
	if kind.undeployed && kind.root {
		sess, err = session.Open(t.Context(), w.store, w.owner.Ref())
		require.NoError(t, err)
		sess = sess.On(w.client)
	}
	if how == landedMeanwhile {
		w.bundler.Resume()
		_, err := tx.Wait(t.Context())
		require.NoError(t, err)
	}
	door.set(nil)
	return w, door, sess, tx
}

// What is stuck lands once, by itself or by what replaced it, whoever goes on.
func TestReplace(t *testing.T) {
	for name, kind := range stuckKinds() {
		for howName, how := range stuckHows {
			for _, who := range []string{"the process", "after a restart", "by its key"} {
				t.Run(name+" "+howName+", "+who, func(t *testing.T) {
					t.Parallel()
					testReplace(t, kind, how, who)
				})
			}
		}
	}
}

func testReplace(t *testing.T, kind stuckKind, how stuckHow, who string) {
	var opts []account.Option
	if who == "by its key" {
		opts = append(opts, account.Once("k"))
	}
	w, door, sess, stuck := newStuckWorld(t, kind, how, opts...)
	op, given := stuck.Operation(), stuck
	switch who {
	case "after a restart":
		w.restart(t)
		given = w.client.Sender().WatchOperation(op)
	case "by its key":
		w.restart(t)
		given = nil
	}
	handed := len(door.handed())
	tx, err := kind.replace(w, t, sess, given, opts...)
	require.NoError(t, err)
	if how == landedMeanwhile {
		require.Len(t, door.handed(), handed, "nothing was sent")
		require.Equal(t, stuck.Hash(), tx.Hash())
	} else {
		made := tx.Operation()
		require.Equal(t, op.Nonce, made.Nonce)
		require.Equal(t, op.CallData, made.CallData)
		require.Equal(t, op.InitCode, made.InitCode)
		require.NotEmpty(t, made.PaymasterAndData, "sponsored again")
		requireOutbids(t, made, op)
	}
	w.bundler.Resume()
	receipt, err := tx.Wait(t.Context())
	require.NoError(t, err)
	if how != landedMeanwhile {
		require.Equal(t, tx.Hash(), receipt.UserOpHash)
	}
	require.EqualValues(t, 1, kind.done(w, t))
	if kind.root {
		_, err := sess.Activate(t.Context(), tx)
		require.NoError(t, err)
		require.Nil(t, sess.Pending())
	}
	if who == "by its key" {
		entry := w.entry(t, "k")
		require.Equal(t, outbox.StateLanded, entry.State)
		require.Equal(t, receipt.UserOpHash, entry.Outcome.Hash)
	}
	// A wait for what was stuck tells the same.
	if who == "the process" {
		same, err := stuck.Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, receipt.UserOpHash, same.UserOpHash)
	}
}

func requireOutbids(t *testing.T, op, before *userop.Operation) {
	t.Helper()
	for _, fee := range [][2]*uint256.Int{{&op.MaxFeePerGas, &before.MaxFeePerGas}, {&op.MaxPriorityFeePerGas, &before.MaxPriorityFeePerGas}} {
		least := new(uint256.Int).Mul(fee[1], uint256.NewInt(11))
		is := new(uint256.Int).Mul(fee[0], uint256.NewInt(10))
		require.False(t, is.Lt(least), "%s after %s", fee[0].Dec(), fee[1].Dec())
	}
}

// An owner's no-op takes the place of anything.
func TestCancel(t *testing.T) {
	for name, kind := range stuckKinds() {
		for howName, how := range stuckHows {
			for _, who := range []string{"the process", "after a restart", "by its key"} {
				t.Run(name+" "+howName+", "+who, func(t *testing.T) {
					t.Parallel()
					testCancel(t, kind, how, who)
				})
			}
		}
	}
}

func testCancel(t *testing.T, kind stuckKind, how stuckHow, who string) {
	var opts []account.Option
	if who == "by its key" {
		opts = append(opts, account.Once("k"))
	}
	w, door, sess, stuck := newStuckWorld(t, kind, how, opts...)
	before, given := kind.done(w, t), stuck
	switch who {
	case "after a restart":
		w.restart(t)
		given = w.client.Sender().WatchOperation(stuck.Operation())
	case "by its key":
		w.restart(t)
		given = nil
	}
	if kind.root {
		opts = append(opts, account.OfSessions(sess))
	}
	handed := len(door.handed())
	tx, err := w.owner.Cancel(t.Context(), given, opts...)
	if how == landedMeanwhile {
		require.ErrorIs(t, err, account.ErrLanded)
		require.ErrorContains(t, err, stuck.Hash().Hex())
		require.Len(t, door.handed(), handed, "nothing was sent")
		return
	}
	require.NoError(t, err)
	require.Empty(t, tx.Operation().CallData)
	requireOutbids(t, tx.Operation(), stuck.Operation())
	w.bundler.Resume()
	receipt, err := tx.Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, tx.Hash(), receipt.UserOpHash)
	if !kind.undeployed || kind.root {
		require.Equal(t, before, kind.done(w, t))
	}
	if kind.root {
		require.NoError(t, sess.Refresh(t.Context()))
		require.Nil(t, sess.Pending(), "taken back")
	}
	if who == "by its key" {
		entry := w.entry(t, "k")
		require.Equal(t, outbox.StateEnded, entry.State)
		require.Equal(t, tx.Hash(), entry.Outcome.By)
		return
	}
	is, err := stuck.Look(t.Context())
	require.NoError(t, err)
	require.ErrorIs(t, is.Ended, userop.ErrReplaced)
	require.Equal(t, tx.Hash(), is.Ended.By)
}
