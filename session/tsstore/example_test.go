package tsstore_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/policy"
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

// Look at what the SDK left behind before relying on it.
func ExampleStore_Inspect() {
	store, remove := copyOf("testdata/sdk-spoilt")
	defer remove()
	report, err := store.Inspect(context.Background(), ref)
	if err != nil {
		log.Fatal(err)
	}
	for _, finding := range report.Findings {
		if finding.Severity == policy.SeverityDanger && finding.Leaf != tsstore.NoLeaf {
			fmt.Println(finding)
		}
	}
	// Output:
	// leafNodes[1].sessionKeyData.rules[0] (session 33f0601aec): danger: its reference value has length 1, since the SDK pads no raw one, and the module reads other rules than were meant, or fails; revoke it and grant it anew with 32 bytes (bad-data)
	// leafNodes[3].sessionKeyData (session bbdddb052a): danger: the value limit of 65382379416196861936597850812142596144 wei spells "1000000000000000": the SDK writes a text by its characters; revoke it and grant it anew with a bigint (number-as-text)
	// leafNodes[4].sessionKeyData.rules[0] (session 64c5d83796): danger: the offset 13106 spells "32": the SDK writes a text by its characters, and the rule looks elsewhere; revoke it and grant it anew with a number (number-as-text)
}

// Move from the SDK's files to a store that seals keys. Here the SDK has revoked a session, which it can do
// only in name.
func ExampleTransfer() {
	ctx := context.Background()
	from, remove := copyOf("testdata/sdk-revoked")
	defer remove()
	to := memstore.New() // a filestore or pgstore in earnest
	_, _, err := tsstore.Transfer(ctx, from, ref, to, nil)
	fmt.Println(errors.Is(err, session.ErrRootMismatch))

	sess, _, err := tsstore.Transfer(ctx, from, ref, to, nil, tsstore.RepeatLeaves())
	if err != nil {
		log.Fatal(err)
	}
	for _, leaf := range sess.Leaves() {
		fmt.Println(leaf.ID, leaf.Status)
	}
	// Output:
	// true
	// 948fa8de1f pending
	// 33f0601aec pending
	// b1973e1c20 revoked
	// bbdddb052a pending
	// 948fa8de1f' revoked
	// 33f0601aec' revoked
	// bbdddb052a' revoked
}

// copyOf opens a copy of a directory and returns how to remove it.
func copyOf(files string) (store *tsstore.Store, remove func()) {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	if err := os.CopyFS(dir, os.DirFS(files)); err != nil {
		log.Fatal(err)
	}
	store, err = tsstore.OpenPlaintext(dir, ref.ChainID)
	if err != nil {
		log.Fatal(err)
	}
	return store, func() { os.RemoveAll(dir) }
}
