package session_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/policy"
)

// storeOf is a store with one session in force, as after a grant that landed.
func storeOf(ref session.Ref, id string) *memstore.Store {
	ctx, store := context.Background(), memstore.New()
	key, err := store.NewKey(ctx, ref)
	if err != nil {
		panic(err)
	}
	sess, err := session.OpenOrNew(ctx, store, ref)
	if err != nil {
		panic(err)
	}
	change, err := sess.PlanGrant(policy.Modules{}, session.Named(id, policy.ABI{
		Key: key, Contract: common.HexToAddress("0x22"), Function: "safeMint(address to)", Window: policy.Forever(),
	}))
	if err != nil {
		panic(err)
	}
	leaf := change.Added()[0]
	leaf.Status, leaf.InTree = session.StatusActive, true
	if _, err := store.Apply(ctx, ref, 0, &session.Change{Header: session.Header{Root: change.Root()}, Put: []session.Leaf{leaf}}); err != nil {
		panic(err)
	}
	return store
}

// A key is stopped by the store alone, whatever else is down. On chain its leaf stands until the owner's
// revocation lands.
func ExampleSuspend() {
	ctx := context.Background()
	ref := session.Ref{ChainID: 80002, Account: common.HexToAddress("0x1111111111111111111111111111111111111111")}
	store := storeOf(ref, "minting")
	if err := session.Suspend(ctx, store, ref, "minting"); err != nil {
		fmt.Println(err)
		return
	}
	sess, err := session.Open(ctx, store, ref)
	if err != nil {
		fmt.Println(err)
		return
	}
	signer, err := session.NewSigner(policy.Modules{}, sess.ByID("minting"))
	if err == nil {
		err = signer.Check()
	}
	fmt.Println("signs no more:", errors.Is(err, session.ErrRevoked))

	page, err := store.List(ctx, session.Query{Standing: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("left to revoke on chain:", page.Items[0].Leaf.ID)
	// Output:
	// signs no more: true
	// left to revoke on chain: minting
}

// A leaf is chosen by its place, by its ID, by its key, or by what it may call. A choice that does not exist
// says so when it is used.
func ExampleSessions_ByID() {
	ctx := context.Background()
	ref := session.Ref{ChainID: 80002, Account: common.HexToAddress("0x1111111111111111111111111111111111111111")}
	sess, err := session.Open(ctx, storeOf(ref, "minting"), ref)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, choice := range []session.LeafRef{sess.Leaf(0), sess.ByID("minting"), sess.ByKey(sess.Leaves()[0].Key), sess.ByID("trading")} {
		leaf, err := choice.Leaf()
		fmt.Println(leaf.ID, errors.Is(err, session.ErrNoLeaf))
	}
	// Output:
	// minting false
	// minting false
	// minting false
	//  true
}

// One service hands the sessions that it granted to another one, which imports them.
func ExampleSessions_Export() {
	ctx := context.Background()
	ref := session.Ref{ChainID: 80002, Account: common.HexToAddress("0x1111111111111111111111111111111111111111")}
	sess, err := session.Open(ctx, storeOf(ref, "minting"), ref)
	if err != nil {
		fmt.Println(err)
		return
	}
	document, err := sess.Export() // JSON; ExportWithKeys has the keys, too, sealed
	if err != nil {
		fmt.Println(err)
		return
	}
	imported, err := session.Import(ctx, memstore.New(), document)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(imported.Leaves()[0].ID, "is", imported.Leaves()[0].Status, "until the chain was seen to have its root")
	// Output: minting is pending until the chain was seen to have its root
}

// A grant that a browser was asked for and that nobody signed leaves a key behind.
func ExampleUnusedKeys() {
	ctx := context.Background()
	ref := session.Ref{ChainID: 80002, Account: common.HexToAddress("0x1111111111111111111111111111111111111111")}
	store := storeOf(ref, "minting")
	key, err := store.NewKey(ctx, ref)
	if err != nil {
		fmt.Println(err)
		return
	}
	unused, err := session.UnusedKeys(ctx, store, ref)
	fmt.Println(len(unused) == 1 && unused[0] == key, err)
	fmt.Println(store.RemoveKey(ctx, ref, key))
	// Output:
	// true <nil>
	// <nil>
}
