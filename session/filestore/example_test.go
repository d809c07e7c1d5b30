package filestore_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/filestore"
	"github.com/go-sesame/sesame/session/seal"
)

func Example() {
	base, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(base)

	passphrase, err := seal.NewPassphrase([]byte("correct horse battery staple"), seal.Cost{})
	if err != nil {
		log.Fatal(err)
	}
	defer passphrase.Wipe()
	store, err := filestore.Open(filepath.Join(base, "sessions"), filestore.Config{Sealer: passphrase})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()

	ctx := context.Background()
	ref := session.Ref{ChainID: 80002, Account: common.HexToAddress("0x9F0685Bd516F66Fd00dC05a7aC9D5B89c2CC31f9")}
	key, err := store.NewKey(ctx, ref) // for the policies to grant
	if err != nil {
		log.Fatal(err)
	}
	sig, err := store.SignDigest(ctx, session.SignRequest{Ref: ref, Key: key, Digest: common.HexToHash("0x01")})
	fmt.Println(len(sig), err)
	// Output: 65 <nil>
}

// Change the passphrase, or go from one to a KMS.
func ExampleStore_Rotate() {
	base, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(base)
	store, err := filestore.Open(filepath.Join(base, "sessions"), filestore.Config{Sealer: sealer(1)})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()

	fmt.Println(store.Rotate(context.Background(), sealer(2)))
	// Output: <nil>
}
