package accounttest_test

import (
	"context"
	"fmt"
	"time"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// An owner grants a session, and a day later it has ended on chain.
func Example() {
	ctx := context.Background()
	devnet, err := accounttest.StartDevnet(ctx, accounttest.DevnetConfig{}) // in a test: accounttest.NewDevnet(t, …)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer devnet.Close()
	owner := devnet.Client.OwnedAccount(account.KeyOwner(devnet.Owner))
	store := memstore.New()
	key, err := store.NewKey(ctx, owner.Ref())
	if err != nil {
		fmt.Println(err)
		return
	}
	sess, tx, err := owner.Grant(ctx, store, []policy.Policy{policy.ABI{
		Key:      key,
		Contract: devnet.Chain.Contracts.NFT,
		Function: "safeMint(address to)",
		Window:   policy.Until(time.Now().Add(time.Hour)),
	}}, account.Sponsored())
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := sess.Activate(ctx, tx); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(sess.Leaves()[0].Status)

	if err := devnet.Chain.AdjustTime(24 * time.Hour); err != nil {
		fmt.Println(err)
		return
	}
	now, err := devnet.Chain.Now(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(sess.Leaves()[0].StatusAt(now))
	// Output:
	// active
	// expired
}

// Two services on a chain of one's own, and what is missing where the contracts are not installed.
func ExampleStartChain() {
	chain, err := accounttest.StartChain(accounttest.ChainConfig{ChainID: 137})
	if err != nil {
		fmt.Println(err) // says how to install the contracts
		return
	}
	defer chain.Close()
	bundler, err := accounttest.StartBundler(accounttest.BundlerConfig{Chain: chain})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer bundler.Close()
	fmt.Println(chain.ChainID(), bundler.Bundles())
	// Output: 137 0
}

// A day on which the bundler is down, in a unit test: what the application makes of it.
func ExampleModelBundler_Fail() {
	ctx, model := context.Background(), accounttest.NewModel(accounttest.ModelConfig{})
	owner, err := model.NewOwner(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	model.Bundler.Fail(&bundler.TransportError{HTTPStatus: 503})
	_, err = owner.Deploy(ctx, account.Sponsored())
	fmt.Println("down:", err != nil, userop.MayBeAccepted(err))

	model.Bundler.Fail(nil)
	tx, err := owner.Deploy(ctx, account.Sponsored())
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = tx.Wait(ctx)
	fmt.Println("up:", err)
	// Output:
	// down: true false
	// up: <nil>
}
