//go:build e2e

package e2e

import (
	"context"
	"testing"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/userop"
)

// What needs neither a fault nor a clock, in one world.
func TestSessions(t *testing.T) {
	t.Parallel()
	w := Start(t)
	client := w.client(t, nil)
	t.Run("granted, used and revoked", func(t *testing.T) { t.Parallel(); testGrantedUsedRevoked(t, w.actor(t, client)) })
	t.Run("paid by the account", func(t *testing.T) { t.Parallel(); testPaidByTheAccount(t, w.actor(t, client)) })
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
