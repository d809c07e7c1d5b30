package main

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"os"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/filestore"
	"github.com/go-sesame/sesame/session/pgstore"
	"github.com/go-sesame/sesame/session/seal"
)

// keeper keeps sessions and their keys, and the sends that are made with them.
type keeper interface {
	account.Outbox
	session.Keyring
	session.Lister
	session.Pinger
	io.Closer
}

// openStore opens the store that the options name, with its keys sealed.
func openStore(ctx context.Context, o *options) (keeper, error) {
	if o.store == "" {
		return openTemporary()
	}
	sealer, err := seal.NewPassphrase([]byte(o.passphrase), seal.Cost{})
	if err != nil {
		return nil, err
	}
	if o.database() {
		return pgstore.Open(ctx, o.store, pgstore.Config{Sealer: sealer})
	}
	return filestore.Open(o.store, filestore.Config{Sealer: sealer})
}

// temporary is a store that is gone when it is closed.
type temporary struct {
	*filestore.Store
	dir string
}

func openTemporary() (keeper, error) {
	key := make([]byte, seal.KeySize)
	defer clear(key)
	if _, err := rand.Read(key); err != nil {
		return nil, err
	}
	sealer, err := seal.NewKeyAEAD(key)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "sesame-backend-")
	if err != nil {
		return nil, err
	}
	store, err := filestore.Open(dir, filestore.Config{Sealer: sealer})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return temporary{store, dir}, nil
}

func (t temporary) Close() error { return errors.Join(t.Store.Close(), os.RemoveAll(t.dir)) }
