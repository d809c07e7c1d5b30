package account_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/policy"
)

func ExampleOwnedAccount_Grant() {
	w := exampleWorld()
	store := memstore.New() // filestore.Open or pgstore.Open in earnest
	key, err := store.NewKey(w.ctx, w.owner.Ref())
	if err != nil {
		fmt.Println(err)
		return
	}
	sess, tx, err := w.owner.Grant(w.ctx, store, []policy.Policy{session.Named("minting", policy.ABI{
		Key:      key,
		Contract: w.chain.Contracts.NFT,
		Function: "safeMint(address to)",
		Rules:    []policy.Rule{policy.Arg("to", policy.Equal, w.owner.Address())},
		Window:   policy.Until(time.Now().Add(24 * time.Hour)),
	})}, account.Sponsored())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(sess.Leaves()[0].ID, "is", sess.Leaves()[0].Status)
	if _, err := sess.Activate(w.ctx, tx); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(sess.Leaves()[0].ID, "is", sess.Leaves()[0].Status)

	// The dapp knows the account by its address, and acts with the session.
	user := w.client.Account(w.owner.Address())
	mint, err := abi.Pack("function safeMint(address to)", user.Address())
	if err != nil {
		fmt.Println(err)
		return
	}
	tx, err = user.Send(w.ctx, []account.Call{{To: w.chain.Contracts.NFT, Data: mint}},
		account.WithSession(sess.ByID("minting")), account.Sponsored())
	if err != nil {
		fmt.Println(err)
		return
	}
	receipt, err := tx.Wait(w.ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("minted:", receipt.Success)
	// Output:
	// minting is pending
	// minting is active
	// minted: true
}

// A process that ends between a grant or a revocation and Activate leaves a pending change behind. The next
// one settles it by the chain.
func ExampleOwnedAccount_Revoke() {
	w := exampleWorld()
	store := memstore.New()
	key, err := store.NewKey(w.ctx, w.owner.Ref())
	if err != nil {
		fmt.Println(err)
		return
	}
	sess, tx, err := w.owner.Grant(w.ctx, store, []policy.Policy{session.Named("minting", policy.ABI{
		Key: key, Contract: w.chain.Contracts.NFT, Function: "safeMint(address to)",
		Window: policy.Until(time.Now().Add(24 * time.Hour)),
	})}, account.Sponsored())
	if err == nil {
		_, err = sess.Activate(w.ctx, tx)
	}
	if err == nil {
		_, err = w.owner.Revoke(w.ctx, sess, "minting", account.Sponsored())
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(sess.Leaves()[0].Status, "here; the chain is still to be told")

	// The process ends, and another one opens the store.
	sess, err = session.Open(w.ctx, store, w.owner.Ref(), session.WithChain(w.client))
	if err != nil {
		fmt.Println(err)
		return
	}
	if err = sess.Reconcile(w.ctx); errors.Is(err, session.ErrPending) { // the operation is on its way
		_, err = sess.Activate(w.ctx, w.client.Sender().Watch(sess.Pending().OpHash))
	}
	fmt.Println(sess.Root(), err)
	// Output:
	// revoked here; the chain is still to be told
	// 0x0000000000000000000000000000000000000000000000000000000000000000 <nil>
}
