package pgstore_test

import (
	"context"
	"log"
	"os"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/pgstore"
	"github.com/go-sesame/sesame/session/seal"
)

func ExampleOpen() {
	ctx := context.Background()
	passphrase, err := seal.NewPassphrase([]byte(os.Getenv("SESAME_PASSPHRASE")), seal.Cost{})
	if err != nil {
		log.Fatal(err)
	}
	store, err := pgstore.Open(ctx, os.Getenv("DATABASE_URL"), pgstore.Config{Sealer: passphrase})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()

	sess, err := session.Open(ctx, store, session.Ref{ChainID: 80002, Account: testRef.Account})
	if err != nil {
		log.Fatal(err)
	}
	log.Println(sess.Len(), "sessions")
}

// A keyset in a KMS takes over from a passphrase, while all replicas run.
func ExampleStore_Rotate() {
	var kms seal.AEAD // of Tink, for example
	passphrase, err := seal.NewPassphrase([]byte(os.Getenv("SESAME_PASSPHRASE")), seal.Cost{})
	if err != nil {
		log.Fatal(err)
	}
	// First, every replica is started so that it opens what either of them sealed.
	ctx := context.Background()
	store, err := pgstore.Open(ctx, os.Getenv("DATABASE_URL"), pgstore.Config{Sealer: seal.Any{passphrase, kms}})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	// Then one of them rotates. After that, they need the passphrase no more.
	if err := store.Rotate(ctx, kms); err != nil {
		log.Fatal(err)
	}
}
