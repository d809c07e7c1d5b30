package filestore

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"

	"go.etcd.io/bbolt"
)

// formatNow is the format that this package writes. What changes in a format:
//
//	2  accounts are kept in a bucket of another name, a pending change has its operation and its end, and
//	   records have checksums and are counted
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
	return errors.Join(census{}.put(tx), putFormat(tx))
}

func putFormat(tx *bbolt.Tx) error {
	return tx.Bucket(metaBucket).Put(formatKey, withSum(metaBucket, formatKey, []byte{formatNow}))
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
	stored := meta.Get(formatKey)
	if bytes.Equal(stored, []byte{1}) {
		return fmt.Errorf("%w, 1: open it once with Open, which brings it to format %d", errOldFormat, formatNow)
	}
	if len(stored) != 1 || stored[0] <= formatNow {
		if stored, err = checked(metaBucket, formatKey, stored, "the format"); err != nil {
			return err
		}
	}
	switch {
	case !bytes.Equal(stored, []byte{formatNow}):
		return fmt.Errorf("the data has format %x, this program knows up to %d; update the program", stored, formatNow)
	case tx.Bucket(accountsBucket) == nil:
		return damaged("the file has not the parts of a session store")
	}
	return nil
}

// checkAll looks whether the data is as it was written, unless it is of an earlier format, which has no
// checksums.
func checkAll(tx *bbolt.Tx) error {
	if err := checkFormat(tx); err != nil {
		return err
	}
	return checkRecords(tx)
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
	c := census{accounts: uint64(len(names))}
	for _, name := range names {
		if err := refs.MoveBucket(name, accounts); err != nil {
			return fmt.Errorf("bring the data to format 2: %w", err)
		}
		if err := upgradeAccount1(&sessions{accounts.Bucket(name), name}); err != nil {
			return fmt.Errorf("bring the data to format 2: account %x: %w", name, err)
		}
	}
	if c.keys, err = addSums(tx.Bucket(keysBucket), keysBucket, nil); err != nil {
		return err
	}
	if c.lanes, err = addSums(tx.Bucket(lanesBucket), lanesBucket, nil); err != nil {
		return err
	}
	if wrapped := slices.Clone(tx.Bucket(metaBucket).Get(sealKey)); wrapped != nil {
		if err := putWrappedKey(tx, wrapped); err != nil {
			return err
		}
	}
	return errors.Join(c.put(tx), putFormat(tx))
}

// upgradeAccount1 counts the leaves of an account of format 1, and gives its records their checksums.
func upgradeAccount1(s *sessions) error {
	leaves, ids, old := s.leaves(), s.ids(), slices.Clone(s.Get(headKey))
	if leaves == nil || ids == nil || len(old) < 8 {
		return damaged("an account without leaves or version")
	}
	for _, b := range []struct {
		bucket *bbolt.Bucket
		name   []byte
	}{{leaves, leavesBucket}, {ids, idsBucket}} {
		if _, err := addSums(b.bucket, b.name, s.ref); err != nil {
			return err
		}
	}
	if err := s.putHead(head{binary.BigEndian.Uint64(old), countOf(leaves), old[8:]}); err != nil {
		return err
	}
	return checkAccount(s)
}

// addSums gives records their checksums, and returns how many there are.
func addSums(b *bbolt.Bucket, name, ref []byte) (n uint64, err error) {
	if b == nil {
		return 0, nil
	}
	var records [][2][]byte
	if err := b.ForEach(func(key, record []byte) error {
		records = append(records, [2][]byte{slices.Clone(key), slices.Clone(record)})
		return nil
	}); err != nil {
		return 0, err
	}
	for _, r := range records { // not while they are iterated over
		if err := b.Put(r[0], withSum(name, append(slices.Clone(ref), r[0]...), r[1])); err != nil {
			return 0, err
		}
	}
	return uint64(len(records)), nil
}
