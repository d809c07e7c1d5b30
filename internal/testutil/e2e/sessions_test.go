//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"testing"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// What needs neither a fault nor a clock, in one world.
func TestSessions(t *testing.T) {
	t.Parallel()
	w := Start(t)
	client := w.client(t, nil)
	t.Run("group", func(t *testing.T) {
		t.Run("granted, used and revoked", func(t *testing.T) { t.Parallel(); testGrantedUsedRevoked(t, w.actor(t, client)) })
		t.Run("paid by the account", func(t *testing.T) { t.Parallel(); testPaidByTheAccount(t, w.actor(t, client)) })
	})
	t.Run("64 in flight", func(t *testing.T) { testManyInFlight(t, w, client) })
}

func testGrantedUsedRevoked(t *testing.T, a *actor) {
	ctx := soon(t)
	sess := a.grant(t, account.Sponsored(), account.ForBatches()) // deploys the account
	code, err := a.world.Anvil.Node.CodeAt(ctx, a.user.Address(), nil)
	require.NoError(t, err)
	require.NotEmpty(t, code)

	receipt := requireDone(t, a.send(t, sess))
	require.Equal(t, accounttest.WellKnownContracts().Paymaster, receipt.Paymaster)
	a.requireMinted(t, 1)

	calls := []account.Call{a.mint(t), a.mint(t)}
	tx, err := a.user.Send(ctx, calls, account.WithSession(sess.Leaf(0), sess.Leaf(0)), account.Sponsored())
	require.NoError(t, err)
	requireDone(t, tx)
	a.requireMinted(t, 3)

	// One that is signed, and not sent.
	lane := uint256.NewInt(7)
	late, err := a.user.Build(ctx, calls[:1], account.WithSession(sess.Leaf(0)), account.Sponsored(), account.WithLane(lane))
	require.NoError(t, err)

	leaf, err := sess.Leaf(0).Leaf()
	require.NoError(t, err)
	tx, err = a.owner.Revoke(ctx, sess, leaf.ID, account.Sponsored())
	require.NoError(t, err)
	_, err = sess.Activate(ctx, tx)
	require.NoError(t, err)
	a.requireRoot(t, sess.Root())

	_, err = a.user.Send(ctx, calls[:1], account.WithSession(sess.ByID(leaf.ID)), account.Sponsored())
	require.ErrorIs(t, err, session.ErrRevoked)
	none := func(context.Context, *userop.Operation) error { return nil }
	_, err = a.client.Sender().ResendGuarded(ctx, late, none) // past every check of ours
	require.ErrorContains(t, err, "SessionNotApproved")
	a.requireMinted(t, 3)
}

func testPaidByTheAccount(t *testing.T, a *actor) {
	ctx := soon(t)
	a.fund(t, ether(1))
	sess := a.grant(t)
	tx, err := a.user.Send(ctx, []account.Call{a.mint(t)}, account.WithSession(sess.Leaf(0)))
	require.NoError(t, err)
	receipt := requireDone(t, tx)
	require.Zero(t, receipt.Paymaster)
	a.requireMinted(t, 1)
	balance, err := a.world.Anvil.Node.BalanceAt(ctx, a.user.Address(), nil)
	require.NoError(t, err)
	require.Negative(t, balance.Cmp(ether(1)))
}

// 64 operations of eight accounts, each account's in eight lanes, all in the bundler's pool before the first
// is put into a bundle.
func testManyInFlight(t *testing.T, w *World, client *account.Client) {
	const accounts, lanes = 8, 8
	ctx := soon(t)
	inLanes := client.NewLanes(account.LanesConfig{Size: lanes})
	t.Cleanup(func() { require.NoError(t, inLanes.Close(context.Background())) })
	actors := make([]*actor, accounts)
	granted := make([]*session.Sessions, accounts)
	var group errgroup.Group
	for i := range actors {
		a := w.actor(t, client)
		actors[i] = a
		group.Go(func() error {
			sess, tx, err := a.owner.Grant(ctx, a.store, []policy.Policy{a.mayMint()}, account.Sponsored())
			if err == nil {
				_, err = sess.Activate(ctx, tx)
			}
			granted[i] = sess
			return err
		})
	}
	require.NoError(t, group.Wait())

	require.NoError(t, w.Alto.Hold(ctx, true))
	sent := make([]*userop.Pending, accounts*lanes)
	for i := range sent {
		a, sess := actors[i%accounts], granted[i%accounts]
		call := a.mint(t)
		group.Go(func() (err error) {
			sent[i], err = a.user.Send(ctx, []account.Call{call}, account.WithSession(sess.Leaf(0)), account.Sponsored(), account.InLane(inLanes))
			return err
		})
	}
	require.NoError(t, group.Wait())
	for _, a := range actors {
		a.requireMinted(t, 0)
	}
	require.NoError(t, w.Alto.Hold(ctx, false))
	for _, tx := range sent {
		group.Go(func() error {
			receipt, err := tx.Wait(ctx)
			if err == nil && !receipt.Confirmed {
				err = fmt.Errorf("%s is not confirmed", tx.Hash())
			}
			return err
		})
	}
	require.NoError(t, group.Wait())
	for _, a := range actors {
		a.requireMinted(t, lanes)
	}
}
