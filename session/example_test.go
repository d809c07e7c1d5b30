package session_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/policy"
)

// Granting goes in two phases: what is about to be sent is stored, and it counts once the chain shows it. An
// account.OwnedAccount does both; here is what happens within.
func Example() {
	ctx := context.Background()
	ref := session.Ref{ChainID: 80002, Account: common.HexToAddress("0x1111111111111111111111111111111111111111")}
	store := memstore.New()
	key, err := store.NewKey(ctx, ref)
	if err != nil {
		log.Fatal(err)
	}
	chain := new(ledger) // *account.Client in a program
	sess, err := session.OpenOrNew(ctx, store, ref, session.WithChain(chain))
	if err != nil {
		log.Fatal(err)
	}
	change, err := sess.PlanGrant(policy.Modules{}, session.Named("mint", policy.ABI{
		Key:      key,
		Contract: common.HexToAddress("0x2222222222222222222222222222222222222222"),
		Function: "safeMint(address to)",
		Rules:    []policy.Rule{policy.Arg("to", policy.Equal, ref.Account)},
		Window:   policy.Until(time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)),
	}))
	if err != nil {
		log.Fatal(err)
	}
	signed := carrying(change.Root(), 1) // the operation that sets it
	op := sent{hash: hashOf(signed)}
	if err := change.Begin(ctx, signed, op.Hash()); err != nil {
		log.Fatal(err)
	}
	fmt.Println("before:", sess.Leaves()[0].Status)
	chain.root = change.Root()
	if _, err := sess.Activate(ctx, op); err != nil {
		log.Fatal(err)
	}
	fmt.Println("after:", sess.Leaves()[0].Status)
	fmt.Println(sess.Leaves()[0].Describe(policy.Modules{}))
	// Output:
	// before: pending
	// after: active
	// may call safeMint(address) on 0x2222222222222222222222222222222222222222 with to = 0x1111111111111111111111111111111111111111, no value, until 2100-01-01T00:00:00Z
}

// A session of another backend is taken over with its document.
func ExampleImport() {
	document, err := session.ParseDocument([]byte(`{
		"sesame": 1,
		"chainID": 80002,
		"account": "0x1111111111111111111111111111111111111111",
		"root": "0x0000000000000000000000000000000000000000000000000000000000000000",
		"leaves": []
	}`))
	if err != nil {
		log.Fatal(err)
	}
	sess, err := session.Import(context.Background(), memstore.New(), document)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(sess.Ref(), sess.Len())
	// Output: account 0x1111111111111111111111111111111111111111 on chain 80002 0
}
