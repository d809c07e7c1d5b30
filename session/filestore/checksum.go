package filestore

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/go-sesame/sesame/session"
)

// sumSize is how many bytes of a record are its checksum: the last ones.
const sumSize = 16

// withSum returns a record with its checksum, which binds the bucket and the place in it, so that no record
// passes for another.
func withSum(bucket, place, record []byte) []byte {
	var room []byte
	sum := sumOf(&room, bucket, place, record)
	return append(record[:len(record):len(record)], sum[:]...)
}

// sumOf works in room, which it leaves for the next.
func sumOf(room *[]byte, bucket, place, record []byte) [sumSize]byte {
	b := slices.Grow((*room)[:0], 3*8+len(bucket)+len(place)+len(record))
	for _, part := range [...][]byte{bucket, place, record} {
		b = append(binary.BigEndian.AppendUint64(b, uint64(len(part))), part...)
	}
	*room = b
	sum := sha256.Sum256(b)
	return [sumSize]byte(sum[:])
}

// checked returns a stored record without its checksum, or an error that names what it is.
func checked(bucket, place, stored []byte, what string, args ...any) ([]byte, error) {
	var room []byte
	record, ok := withoutSum(&room, bucket, place, stored)
	if !ok {
		return nil, changedElsewhere(what, args...)
	}
	return record, nil
}

// withoutSum returns a stored record without its checksum; false where that is another. It works in room,
// which it leaves for the next.
func withoutSum(room *[]byte, bucket, place, stored []byte) ([]byte, bool) {
	n := len(stored) - sumSize
	if n < 0 {
		return nil, false
	}
	sum := sumOf(room, bucket, place, stored[:n])
	return stored[:n], string(sum[:]) == string(stored[n:])
}

func changedElsewhere(what string, args ...any) error {
	return damaged("%s was changed by something else than this program", fmt.Sprintf(what, args...))
}

// census is how many records there are of what nothing else counts: a damaged page may have lost some.
type census struct{ accounts, keys, lanes uint64 }

var censusKey = []byte("census")

func censusOf(tx *bbolt.Tx) (census, error) {
	b, err := checked(metaBucket, censusKey, tx.Bucket(metaBucket).Get(censusKey), "the number of accounts")
	if err != nil || len(b) != 24 {
		return census{}, err
	}
	return census{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:]), binary.BigEndian.Uint64(b[16:])}, nil
}

func (c census) put(tx *bbolt.Tx) error {
	var b []byte
	for _, n := range []uint64{c.accounts, c.keys, c.lanes} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return tx.Bucket(metaBucket).Put(censusKey, withSum(metaBucket, censusKey, b))
}

// count notes that there are more accounts, keys or lanes, or fewer.
func count(tx *bbolt.Tx, change func(*census)) error {
	c, err := censusOf(tx)
	if err != nil {
		return err
	}
	change(&c)
	return c.put(tx)
}

// checkRecords reads all there is.
func checkRecords(tx *bbolt.Tx) error {
	want, err := censusOf(tx)
	if err != nil {
		return err
	}
	var have census
	if err := tx.Bucket(accountsBucket).ForEach(func(name, _ []byte) error {
		have.accounts++
		ref, err := parseRef(name)
		if err != nil {
			return err
		}
		if err := checkAccount(sessionsOf(tx, ref)); err != nil {
			return fmt.Errorf("%s: %w", ref, err)
		}
		return nil
	}); err != nil {
		return err
	}
	if have.keys, err = checkFlat(tx, keysBucket, "the record of a key"); err != nil {
		return err
	}
	if have.lanes, err = checkFlat(tx, lanesBucket, "the record of a lane"); err != nil {
		return err
	}
	if have != want {
		return damaged("there are %d accounts, %d keys and %d lanes, and should be %d, %d and %d", have.accounts, have.keys, have.lanes, want.accounts, want.keys, want.lanes)
	}
	if wrapped := tx.Bucket(metaBucket).Get(sealKey); wrapped != nil || have.keys > 0 {
		_, err = checked(metaBucket, sealKey, wrapped, "the data key")
	}
	_, stopsErr := stopsOf(tx)
	return cmp.Or(err, stopsErr, checkSends(tx), checkLedgers(tx))
}

func checkFlat(tx *bbolt.Tx, bucket []byte, what string) (n uint64, err error) {
	b := tx.Bucket(bucket)
	if b == nil {
		return 0, nil
	}
	return n, b.ForEach(func(name, stored []byte) error {
		n++
		_, err := checked(bucket, name, stored, "%s", what)
		return err
	})
}

func checkAccount(s *sessions) error {
	if s == nil {
		return damaged("an account that is none")
	}
	if _, err := s.load(); err != nil {
		return err
	}
	if _, err := s.recent(); err != nil {
		return err
	}
	n := 0
	err := s.each(0, func(i int, leaf *session.Leaf) (bool, error) {
		n++
		at, ok, err := s.position(leaf.ID)
		if err == nil && (!ok || at != i) {
			err = damaged("leaf %d is not found by its ID", i)
		}
		return true, err
	})
	if err != nil {
		return err
	}
	if ids := s.ids(); ids == nil || ids.Inspect().KeyN != n {
		return damaged("there are %d leaves and other IDs", n)
	}
	return nil
}
