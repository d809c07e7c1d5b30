package filestore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"go.etcd.io/bbolt"
)

// formatNow is the format that this package writes. What changes in a format:
//
//	2  accounts are kept in a bucket of another name, and a pending change has its operation and its end
const formatNow = 2

// refsBucket is where format 1 had the accounts. It stays, empty: a program of that format that reads along
// finds no sessions any more to sign with, and refuses to open the data anew.
var refsBucket = []byte("refs")

// format makes the buckets of a new store.
func format(tx *bbolt.Tx) error {
	for _, name := range [][]byte{metaBucket, refsBucket, accountsBucket, keysBucket} {
		if _, err := tx.CreateBucket(name); err != nil {
			return err
		}
	}
	return tx.Bucket(metaBucket).Put(formatKey, []byte{formatNow})
}

// errOldFormat means that the data is of an earlier format.
var errOldFormat = errors.New("the data has an earlier format")

// checkFormat looks whether the data is a session store's of the format of now, and all there.
func checkFormat(tx *bbolt.Tx) error {
	info, err := os.Stat(tx.DB().Path())
	if err != nil {
		return err
	}
	if have, want := info.Size(), tx.Size(); have < want {
		return damaged("%s has %d bytes, the data %d", tx.DB().Path(), have, want)
	}
	meta := tx.Bucket(metaBucket)
	if meta == nil || tx.Bucket(refsBucket) == nil || tx.Bucket(keysBucket) == nil {
		return damaged("the file has not the parts of a session store")
	}
	switch have := meta.Get(formatKey); {
	case bytes.Equal(have, []byte{1}):
		return fmt.Errorf("%w, 1: open it once with Open, which brings it to format %d", errOldFormat, formatNow)
	case !bytes.Equal(have, []byte{formatNow}):
		return fmt.Errorf("the data has format %x, this program knows up to %d; update the program", have, formatNow)
	case tx.Bucket(accountsBucket) == nil:
		return damaged("the file has not the parts of a session store")
	}
	return nil
}

// upgrade brings the data to the format of now, in one change and forward only.
func upgrade(ctx context.Context, f file) error {
	err := f.view(ctx, checkFormat)
	if !errors.Is(err, errOldFormat) {
		return err
	}
	if updated := f.update(ctx, upgrade1); !errors.Is(updated, ErrReadOnly) {
		return updated
	}
	return err
}

// upgrade1 turns format 1 into 2.
func upgrade1(tx *bbolt.Tx) error {
	refs := tx.Bucket(refsBucket)
	accounts, err := tx.CreateBucket(accountsBucket)
	if err != nil {
		return err
	}
	var names [][]byte
	if err := refs.ForEachBucket(func(name []byte) error {
		names = append(names, slices.Clone(name))
		return nil
	}); err != nil {
		return err
	}
	for _, name := range names {
		if err := refs.MoveBucket(name, accounts); err != nil {
			return fmt.Errorf("bring the data to format 2: %w", err)
		}
	}
	return tx.Bucket(metaBucket).Put(formatKey, []byte{2})
}
