//go:build e2e

package e2e

import (
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// A chain that goes back, and one that takes its time, in one world.
func TestBlocks(t *testing.T) {
	t.Parallel()
	w := Start(t)
	require.NoError(t, w.Anvil.MineEvery(t.Context(), 1)) // Alto looks after its bundles when a block is made
	client := w.client(t, nil)
	for _, story := range []struct {
		name string
		run  func(*testing.T, *actor)
	}{
		{"a grant is taken back", testGrantTakenBack},
		{"a use is taken back", testUseTakenBack},
		{"a use is taken back while its confirmations are counted", testTakenBackWhileCounting},
		{"a block in two seconds", testSlowBlocks}, // the last: the chain keeps its pace
	} {
		if !t.Run(story.name, func(t *testing.T) { story.run(t, w.actor(t, client)) }) {
			return // the world is not as the next one wants it
		}
	}
}

// testGrantTakenBack takes back a grant that deployed the account, and one on top of another. Until then a
// send says what is wrong; Reconcile brings the grant back.
func testGrantTakenBack(t *testing.T, a *actor) {
	for n, id := range []string{"first", "second"} {
		sess, tx, err := a.owner.Grant(soon(t), a.store, []policy.Policy{session.Named(id, a.mayMintUntil(time.Duration(n+1)*time.Hour))}, account.Sponsored())
		require.NoError(t, err)
		receipt, err := sess.Activate(soon(t), tx)
		require.NoError(t, err)
		granted := sess.Root()
		require.NoError(t, a.world.Anvil.TakeBack(t.Context(), receipt.BlockNumber))
		root, err := a.client.SessionRoot(t.Context(), a.user.Address())
		require.NoError(t, err)
		require.NotEqual(t, granted, root)

		use := []account.Option{account.WithSession(sess.ByID(id)), account.Sponsored()}
		_, err = a.user.Send(soon(t), []account.Call{a.mint(t)}, use...)
		require.Error(t, err)
		require.ErrorContains(t, err, "Reconcile")
		require.False(t, userop.MayBeAccepted(err))

		require.NoError(t, a.user.Reconcile(soon(t), a.store))
		a.requireRoot(t, granted)
		tx, err = a.user.Send(soon(t), []account.Call{a.mint(t)}, use...)
		require.NoError(t, err)
		requireDone(t, tx)
		a.requireMinted(t, uint64(n+1))
	}
}

// testUseTakenBack takes back what a wait told to be done. The same bytes land once more, though the bundler
// has a receipt from before.
func testUseTakenBack(t *testing.T, a *actor) {
	sess := a.grant(t, account.Sponsored())
	tx := a.send(t, sess)
	first := requireDone(t, tx)
	require.NoError(t, a.world.Anvil.TakeBack(t.Context(), first.BlockNumber))
	a.requireMinted(t, 0)

	again, err := a.user.Resend(soon(t), sess, stored(t, tx.Operation()))
	require.NoError(t, err)
	receipt := requireDone(t, again)
	require.Greater(t, receipt.BlockNumber, first.BlockNumber)
	a.requireMinted(t, 1)
}

// testTakenBackWhileCounting takes a use back while a wait counts its confirmations: the wait itself sends it
// again, and tells of the block that stays.
func testTakenBackWhileCounting(t *testing.T, a *actor) {
	anvil := a.world.Anvil
	sess := a.grant(t, account.Sponsored())
	tx := a.send(t, sess)
	first := requireDone(t, tx)
	waited := make(chan *userop.Receipt, 1)
	go func() {
		receipt, err := tx.Wait(soon(t), userop.Confirmations(5))
		if err != nil {
			t.Errorf("wait: %v", err)
		}
		waited <- receipt
	}()
	time.Sleep(2 * time.Second) // it has seen the inclusion, and counts
	require.NoError(t, anvil.TakeBack(t.Context(), first.BlockNumber))
	a.requireMinted(t, 0)
	receipt := <-waited
	require.NotNil(t, receipt)
	require.Greater(t, receipt.BlockNumber, first.BlockNumber)
	a.requireConfirmed(t, receipt, 5)
	a.requireMinted(t, 1)
}

// requireConfirmed wants the chain to have a receipt's transaction in its block, and n blocks from there.
func (a *actor) requireConfirmed(t *testing.T, receipt *userop.Receipt, n uint64) {
	t.Helper()
	node := a.world.Anvil.Node
	head, err := node.BlockNumber(t.Context())
	require.NoError(t, err)
	require.GreaterOrEqual(t, head, receipt.BlockNumber+n-1)
	block, err := node.BlockByNumber(t.Context(), new(big.Int).SetUint64(receipt.BlockNumber))
	require.NoError(t, err)
	require.NotNil(t, block.Transaction(receipt.TransactionHash))
}

// testSlowBlocks has a block made every two seconds: what is told with n confirmations has n blocks.
func testSlowBlocks(t *testing.T, a *actor) {
	anvil := a.world.Anvil
	require.NoError(t, anvil.MineEvery(t.Context(), 2))
	client := a.world.client(t, func(cfg *account.Config) { cfg.Confirmations = 2 })
	a.client, a.user = client, client.Account(a.user.Address())
	sess, tx, err := a.owner.Grant(soon(t), a.store, []policy.Policy{a.mayMint()}, account.Sponsored())
	require.NoError(t, err)
	receipt, err := sess.Activate(soon(t), tx, userop.Confirmations(3))
	require.NoError(t, err)
	a.requireConfirmed(t, receipt, 3)
	a.requireRoot(t, sess.Root())

	for asked, want := range map[uint64]uint64{0: 2, 1: 1, 3: 3} { // two are the client's own number
		receipt, err := a.send(t, sess).Wait(soon(t), userop.Confirmations(asked))
		require.NoError(t, err)
		a.requireConfirmed(t, receipt, want)
	}
	a.requireMinted(t, 3)
}
