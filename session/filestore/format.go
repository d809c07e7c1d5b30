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
//	3  an account has the last change that landed, and sends are written down beside the accounts
//	4  there are stops, which a program of before would not ask for, and what accounts spent
const formatNow = 4

// upgrades are the steps from each format to the next.
var upgrades = [formatNow - 1]func(tx *bbolt.Tx) error{upgrade1, upgrade2, upgrade3}

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

// oldFormatError means that the data is of an earlier format.
type oldFormatError struct{ format int }

func (e *oldFormatError) Error() string {
	return fmt.Sprintf("the data has an earlier format, %d: open it once with Open, which brings it to format %d", e.format, formatNow)
}

// checkFormat looks whether the data is a session store's of the format of now, and all there.
func checkFormat(tx *bbolt.Tx) error {
	format, err := formatOf(tx)
	if err == nil && format < formatNow {
		err = &oldFormatError{format}
	}
	return err
}

// formatOf returns the format of a session store's data, which is not beyond that of now.
func formatOf(tx *bbolt.Tx) (int, error) {
	info, err := os.Stat(tx.DB().Path())
	if err != nil {
		return 0, err
	}
	if have, want := info.Size(), tx.Size(); have < want {
		return 0, damaged("%s has %d bytes, the data %d", tx.DB().Path(), have, want)
	}
	meta := tx.Bucket(metaBucket)
	if meta == nil || tx.Bucket(refsBucket) == nil || tx.Bucket(keysBucket) == nil {
		return 0, damaged("the file has not the parts of a session store")
	}
	stored := meta.Get(formatKey)
	if bytes.Equal(stored, []byte{1}) {
		return 1, nil
	}
	if len(stored) != 1 || stored[0] <= formatNow {
		if stored, err = checked(metaBucket, formatKey, stored, "the format"); err != nil {
			return 0, err
		}
	}
	switch {
	case len(stored) != 1 || stored[0] > formatNow:
		return 0, fmt.Errorf("the data has format %x, this program knows up to %d; update the program", stored, formatNow)
	case stored[0] < 2 || tx.Bucket(accountsBucket) == nil:
		return 0, damaged("the file has not the parts of a session store")
	}
	return int(stored[0]), nil
}

// checkAll looks whether the data is as it was written. The first format has no checksums that would tell.
func checkAll(tx *bbolt.Tx) error {
	format, err := formatOf(tx)
	if err != nil || format == 1 {
		return err
	}
	return checkRecords(tx)
}

// upgrade brings the data to the format of now, in one change and forward only.
func upgrade(ctx context.Context, f file) error {
	err := f.view(ctx, checkFormat)
	if _, old := errors.AsType[*oldFormatError](err); !old {
		return err
	}
	if updated := f.update(ctx, upgradeAll); !errors.Is(updated, ErrReadOnly) {
		return updated
	}
	return err
}

// upgradeAll takes the steps that are still to be taken.
func upgradeAll(tx *bbolt.Tx) error {
	format, err := formatOf(tx)
	if err != nil {
		return err
	}
	for _, step := range upgrades[format-1:] {
		if err := step(tx); err != nil {
			return fmt.Errorf("bring the data to format %d: %w", formatNow, err)
		}
	}
	return putFormat(tx)
}

// upgrade2 turns format 2 into 3, which only has more to say of an account, and buckets that the first send
// makes.
func upgrade2(*bbolt.Tx) error { return nil }

// upgrade3 turns format 3 into 4, which only has a record and a bucket more, made by the first of each.
func upgrade3(*bbolt.Tx) error { return nil }

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
			return err
		}
		if err := upgradeAccount1(&sessions{accounts.Bucket(name), name}); err != nil {
			return fmt.Errorf("account %x: %w", name, err)
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
	return c.put(tx)
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
