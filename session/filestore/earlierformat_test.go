package filestore

import (
	"bytes"
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	"github.com/go-sesame/sesame/internal/testutil/storefixture"
	"github.com/go-sesame/sesame/session"
)

// copyOfFormat1 returns a directory with the fixture of the first format.
func copyOfFormat1(t *testing.T) string { return copyOf(t, "format1") }

// copyOf returns a directory with a fixture.
func copyOf(t *testing.T, format string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "store")
	require.NoError(t, os.MkdirAll(dir, 0o700))
	data, err := os.ReadFile(filepath.Join("testdata", format, "sessions.db"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, dataName), data, 0o600))
	return dir
}

// versionIn1 is how a program of the first format reads an account's version, which it does before it signs.
func versionIn1(t *testing.T, dir string, ref session.Ref) (version uint64) {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(dir, dataName), 0o600, &bbolt.Options{ReadOnly: true})
	require.NoError(t, err)
	defer db.Close()
	require.NoError(t, db.View(func(tx *bbolt.Tx) error {
		if b := tx.Bucket([]byte("refs")).Bucket(refKey(ref)); b != nil {
			version = binary.BigEndian.Uint64(b.Get([]byte("head")))
		}
		return nil
	}))
	return version
}

// TestAProgramOfTheFirstFormatStops has one read along while another process brings the data up to date: it
// finds no version any more that it has sessions of, nor sessions to read.
func TestAProgramOfTheFirstFormatStops(t *testing.T) {
	dir, ref := copyOfFormat1(t), storefixture.Ref(storefixture.OtherChain, 1)
	require.EqualValues(t, 2, versionIn1(t, dir, ref))

	_, err := OpenReadOnly(dir, Config{})
	require.EqualError(t, err, "open session store in "+dir+": the data has an earlier format, 1: open it once with Open, which brings it to format 4")
	require.EqualValues(t, 2, versionIn1(t, dir, ref), "reading changes nothing")

	store, err := Open(dir, Config{})
	require.NoError(t, err)
	defer store.Close()
	sess, err := session.Open(t.Context(), store, ref)
	require.NoError(t, err)
	require.NoError(t, sess.Suspend(t.Context(), "a"))
	require.Zero(t, versionIn1(t, dir, ref))

	reader, err := OpenReadOnly(dir, Config{})
	require.NoError(t, err)
	defer reader.Close()
	state, err := reader.Load(t.Context(), ref)
	require.NoError(t, err)
	require.Equal(t, session.StatusRevoked, state.Leaves[0].Status)
}

// TestAProgramOfTheSecondFormatStops has data of the second format brought up to date: where a program of
// that format looks, before it signs, for whether it may read on, it finds a later one. Damage is found
// before.
func TestAProgramOfTheSecondFormatStops(t *testing.T) {
	dir := copyOf(t, "format2")
	formatIn2 := func() (format byte) {
		db, err := bbolt.Open(filepath.Join(dir, dataName), 0o600, &bbolt.Options{ReadOnly: true})
		require.NoError(t, err)
		defer db.Close()
		require.NoError(t, db.View(func(tx *bbolt.Tx) error {
			stored, err := checked(metaBucket, formatKey, tx.Bucket(metaBucket).Get(formatKey), "the format")
			format = stored[0]
			return err
		}))
		return format
	}
	_, err := OpenReadOnly(dir, Config{})
	require.EqualError(t, err, "open session store in "+dir+": the data has an earlier format, 2: open it once with Open, which brings it to format 4")
	require.EqualValues(t, 2, formatIn2(), "reading changes nothing")
	store, err := Open(dir, Config{})
	require.NoError(t, err)
	require.NoError(t, store.Close())
	require.EqualValues(t, 4, formatIn2())

	spoilt := copyOf(t, "format2")
	data, err := os.ReadFile(filepath.Join(spoilt, dataName))
	require.NoError(t, err)
	at := bytes.Index(data, []byte("minting"))
	require.Positive(t, at)
	data[at]++
	require.NoError(t, os.WriteFile(filepath.Join(spoilt, dataName), data, 0o600))
	_, err = Open(spoilt, Config{})
	require.ErrorIs(t, err, session.ErrDamaged)
}

// TestAProgramOfTheThirdFormatStops has data of the third format brought up to date: a program of that
// format, which would sign what is stopped, finds a later one where it looks before it signs.
func TestAProgramOfTheThirdFormatStops(t *testing.T) {
	dir := copyOf(t, "format3")
	_, err := OpenReadOnly(dir, Config{})
	require.EqualError(t, err, "open session store in "+dir+": the data has an earlier format, 3: open it once with Open, which brings it to format 4")
	store, err := Open(dir, Config{})
	require.NoError(t, err)
	defer store.Close()
	ref := storefixture.Ref(storefixture.Chain, 1)
	_, err = store.Stop(t.Context(), session.Stop{Name: "x", Ref: ref, Who: "alice", Why: "a test"})
	require.NoError(t, err)
	reader, err := OpenReadOnly(dir, Config{})
	require.NoError(t, err)
	defer reader.Close()
	require.ErrorIs(t, reader.Hold(t.Context(), ref, func(uint64) error { return nil }), session.ErrStopped)
	_, err = reader.Stop(t.Context(), session.Stop{Name: "y", Who: "alice", Why: "a test"})
	require.ErrorIs(t, err, ErrReadOnly)
}

// TestThisProgramStopsAtTheNextFormat has a later program bring the data up to date while this one reads
// along.
func TestThisProgramStopsAtTheNextFormat(t *testing.T) {
	dir := testDir(t)
	store := testOpen(t, dir, nil)
	_, err := store.Apply(t.Context(), testRef, 0, &session.Change{Put: []session.Leaf{testLeaf(0)}})
	require.NoError(t, err)
	reader, err := OpenReadOnly(dir, Config{})
	require.NoError(t, err)
	defer reader.Close()
	require.NoError(t, reader.Hold(t.Context(), testRef, func(uint64) error { return nil }))

	change(t, store, func(tx *bbolt.Tx) error { return tx.Bucket(metaBucket).Put(formatKey, []byte{5}) })
	err = reader.Hold(t.Context(), testRef, func(uint64) error { t.Error("held"); return nil })
	require.ErrorContains(t, err, "the data has format 05, this program knows up to 4; update the program")
}

// TestAnUpgradeThatFailsChangesNothing has the change be given up at its end.
func TestAnUpgradeThatFailsChangesNothing(t *testing.T) {
	dir := copyOfFormat1(t)
	w, err := openWriter(dir)
	require.NoError(t, err)
	require.ErrorIs(t, w.update(context.Background(), func(tx *bbolt.Tx) error {
		require.NoError(t, upgradeAll(tx))
		return os.ErrInvalid
	}), os.ErrInvalid)
	require.NoError(t, w.close())
	require.EqualValues(t, 2, versionIn1(t, dir, storefixture.Ref(storefixture.OtherChain, 1)))
	store, err := Open(dir, Config{})
	require.NoError(t, err)
	require.NoError(t, store.Close())
}

// TestChangesByAProgramThatDoesNotNoteThem has one of before the store noted what changes touch make one: it
// is noticed, and all is to be read again. What is noted after it counts.
func TestChangesByAProgramThatDoesNotNoteThem(t *testing.T) {
	store := testOpen(t, testDir(t), nil)
	version := uint64(0)
	put := func() {
		change := &session.Change{Put: []session.Leaf{testLeaf(int(version))}}
		_, err := store.Apply(t.Context(), testRef, version, change)
		require.NoError(t, err)
		version++
	}
	requireKnown := func(since uint64, leaves int) {
		t.Helper()
		delta, err := store.ChangesSince(t.Context(), testRef, since)
		require.NoError(t, err)
		require.NotNil(t, delta)
		require.Len(t, delta.Leaves, leaves)
	}
	put()
	put()
	requireKnown(1, 1)
	change(t, store, func(tx *bbolt.Tx) error { // as that program changes a leaf
		w, err := newLeafWriter(tx, testRef)
		require.NoError(t, err)
		leaf := testLeaf(0)
		leaf.Status = session.StatusRevoked
		_, err = w.put([]session.Leaf{leaf})
		require.NoError(t, err)
		version++
		return w.putHead(head{version, w.end, []byte("{}")})
	})
	for since := range version {
		delta, err := store.ChangesSince(t.Context(), testRef, since)
		require.NoError(t, err)
		require.Nil(t, delta, since)
	}
	put()
	delta, err := store.ChangesSince(t.Context(), testRef, version-2)
	require.NoError(t, err)
	require.Nil(t, delta)
	put()
	requireKnown(version-1, 1)
}
