package memstore_test

import (
	"context"
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
)

// A store makes session keys and keeps them, with the sessions of many accounts.
func Example() {
	ctx, store := context.Background(), memstore.New()
	defer store.Close()
	ref := session.Ref{ChainID: 80002, Account: common.HexToAddress("0x1111111111111111111111111111111111111111")}
	key, err := store.NewKey(ctx, ref) // to be named in a policy, and granted
	if err != nil {
		fmt.Println(err)
		return
	}
	keys, err := store.Keys(ctx, ref)
	fmt.Println("kept:", len(keys) == 1 && keys[0] == key, err)
	_, err = session.Open(ctx, store, ref)
	fmt.Println(err)
	// Output:
	// kept: true <nil>
	// open sessions: no session stored for account 0x1111111111111111111111111111111111111111 on chain 80002; grant or import one first
}
