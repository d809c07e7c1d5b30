package account_test

import (
	"context"
	"fmt"
	"time"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
)

// A process ended after it had written its grant down, and before it sent it.
func ExampleClient_ReconcileAll() {
	w := exampleWorld()
	crashing, err := account.NewClient(withBundler(w.config, deadBundler{}))
	if err != nil {
		fmt.Println(err)
		return
	}
	minting := policy.ABI{Key: w.key, Contract: w.chain.Contracts.NFT, Function: "safeMint(address to)", Window: policy.Forever()}
	_, _, err = crashing.OwnedAccount(w.owner.Owner()).Grant(w.ctx, w.store, []policy.Policy{session.Named("minting", minting)}, account.Sponsored())
	fmt.Println("granted:", err == nil)

	// The next one finishes it when it starts, without the owner.
	ctx, cancel := context.WithTimeout(w.ctx, time.Minute)
	defer cancel()
	if err := w.client.ReconcileAll(ctx, w.store); err != nil {
		fmt.Println(err) // one line for each account that is open still
		return
	}
	sess, err := session.Open(ctx, w.store, w.user.Ref(), session.WithChain(w.client))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("minting is", sess.Leaves()[0].Status)
	// Output:
	// granted: false
	// minting is active
}
