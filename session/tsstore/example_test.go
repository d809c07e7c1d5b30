package tsstore_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/tsstore"
)

// Take over what a TypeScript program stored, or work beside it.
func ExampleOpenPlaintext() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.CopyFS(dir, os.DirFS("testdata/sdk")); err != nil {
		log.Fatal(err)
	}

	const polygonAmoy = 80002 // the files do not say
	store, err := tsstore.OpenPlaintext(dir, polygonAmoy)
	if err != nil {
		log.Fatal(err)
	}
	account := common.HexToAddress("0x9F0685Bd516F66Fd00dC05a7aC9D5B89c2CC31f9")
	state, err := store.Load(context.Background(), session.Ref{ChainID: polygonAmoy, Account: account})
	if err != nil {
		log.Fatal(err)
	}
	for _, leaf := range state.Leaves {
		fmt.Println(leaf.ID, leaf.Status, leaf.Window())
	}
	// Output:
	// 2e86829388 active until 2030-03-17T17:46:40Z
	// 46921cb70b pending from 1970-01-01T00:00:01Z, without end
	// mine pending from 1970-01-01T00:00:02Z until 2030-03-17T17:46:42Z
}
