package session_test

import (
	"context"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/policy"
)

func ExampleLister() {
	ctx, store := context.Background(), memstore.New()
	ref := session.Ref{ChainID: 80002, Account: common.HexToAddress("0xaa")}
	var leaves []session.Leaf
	for n := range uint64(5) {
		leaves = append(leaves, session.Leaf{
			ID: fmt.Sprint("session ", n), Status: session.StatusActive, Key: common.HexToAddress("0x02"),
			Compiled: policy.Compiled{
				ValidUntil: 1900000000 + n, Module: common.HexToAddress("0x01"),
			},
		})
	}
	if _, err := store.Apply(ctx, ref, 0, &session.Change{Put: leaves}); err != nil {
		panic(err)
	}

	// What ends soon, two at a time.
	query := session.Query{ExpiresBefore: time.Unix(1900000003, 0), Limit: 2}
	for {
		page, err := store.List(ctx, query)
		if err != nil {
			panic(err)
		}
		for _, item := range page.Items {
			fmt.Println(item.Ref, item.Position, item.Leaf.ID)
		}
		if query.Cursor = page.Next; query.Cursor == "" {
			break
		}
		fmt.Println("next page")
	}
	// Output:
	// account 0x00000000000000000000000000000000000000AA on chain 80002 0 session 0
	// account 0x00000000000000000000000000000000000000AA on chain 80002 1 session 1
	// next page
	// account 0x00000000000000000000000000000000000000AA on chain 80002 2 session 2
}
