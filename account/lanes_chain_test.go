package account_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/bundler/bundlertest"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

func TestTwoHundredSendsOfOneAccountAtOnce(t *testing.T) {
	const sends, size = 200, 40
	w := newWorld(t)
	sess := w.grant(t, []policy.Policy{w.nftPolicy()})
	config := w.config
	config.Freshness = 0
	client, err := account.NewClient(config)
	require.NoError(t, err)
	lanes := client.NewLanes(account.LanesConfig{Size: size})
	calls := []account.Call{w.mint(t, w.user.Address())}
	opts := []account.Option{account.WithSession(sess.Leaf(0)), account.Sponsored(), account.InLane(lanes)}
	user := client.Account(w.user.Address())

	model, err := user.Send(t.Context(), calls, opts...)
	require.NoError(t, err)
	_, err = model.Wait(t.Context())
	require.NoError(t, err)
	bundles := w.bundler.Bundles()

	opts = append(opts, account.WithGas(model.Operation().Gas())) // estimated once
	sent := make([]*userop.Pending, sends)
	group, ctx := errgroup.WithContext(t.Context())
	for i := range sends {
		group.Go(func() (err error) {
			if sent[i], err = user.Send(ctx, calls, opts...); err != nil || i%4 > 0 {
				return err // most do not even wait: the lanes look for themselves
			}
			_, err = sent[i].Wait(ctx)
			return err
		})
	}
	require.NoError(t, group.Wait())
	require.NoError(t, lanes.Close(t.Context()))
	require.Eventually(t, func() bool { return w.nfts(t) == sends+1 }, time.Minute, 20*time.Millisecond, "all land")
	bundles = w.bundler.Bundles() - bundles
	require.LessOrEqual(t, bundles, size)

	nonces, used := make(map[uint256.Int]bool), make(map[uint256.Int]bool)
	for _, tx := range sent {
		nonces[tx.Operation().Nonce], used[laneOf(tx)] = true, true
	}
	require.Len(t, nonces, sends)
	require.LessOrEqual(t, len(used), size)
	t.Logf("%d operations in %d lanes and %d transactions", sends, len(used), bundles)
}

func TestADroppedOperationsLaneHealsOnChain(t *testing.T) {
	w := newWorld(t)
	vendor := accounttest.NewBundler(t, accounttest.BundlerConfig{Chain: w.chain, Vendor: bundlertest.Pimlico})
	config := w.config
	service := bundler.New(vendor.URL())
	config.Bundler = service
	client, err := account.NewClient(config)
	require.NoError(t, err)
	minting := w.nftPolicy()
	minting.Window = policy.Until(w.now().Add(24 * time.Hour))
	sess := w.grant(t, []policy.Policy{minting})
	lanes := client.NewLanes(account.LanesConfig{Size: 1, Leaser: w.store})
	opts := []account.Option{account.WithSession(sess.Leaf(0)), account.Sponsored(), account.InLane(lanes)}
	calls := []account.Call{w.mint(t, w.user.Address())}
	user := client.Account(w.user.Address())

	vendor.Pause()
	dropped, err := user.Send(t.Context(), calls, opts...)
	require.NoError(t, err)
	require.NoError(t, w.chain.AdjustTime(2*time.Hour)) // the sponsorship is over
	vendor.Resume()
	eventually(t, "the bundler has dropped it", func() bool {
		gone, err := service.UserOperationDropped(t.Context(), dropped.Hash())
		require.NoError(t, err)
		return gone
	})
	next, err := user.Send(t.Context(), calls, opts...)
	require.NoError(t, err)
	require.Equal(t, dropped.Operation().Nonce, next.Operation().Nonce)
	_, err = next.Wait(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1, w.nfts(t))
	require.NoError(t, lanes.Close(t.Context()))
}

func ExampleLanes() {
	w := exampleWorld()
	tx, err := w.owner.Deploy(w.ctx, account.Sponsored())
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := tx.Wait(w.ctx); err != nil {
		fmt.Println(err)
		return
	}

	lanes := w.client.NewLanes(account.LanesConfig{Leaser: w.store}) // other processes lease from the same store
	var group errgroup.Group
	for range 5 {
		group.Go(func() error {
			tx, err := w.owner.Send(w.ctx, []account.Call{{To: stranger}}, account.Sponsored(), account.InLane(lanes))
			if err != nil {
				return err
			}
			receipt, err := tx.Wait(w.ctx)
			if err == nil {
				fmt.Println("included:", receipt.Success)
			}
			return err
		})
	}
	fmt.Println("all sent:", group.Wait() == nil)
	fmt.Println("closed:", lanes.Close(w.ctx) == nil)
	// Unordered output:
	// included: true
	// included: true
	// included: true
	// included: true
	// included: true
	// all sent: true
	// closed: true
}
