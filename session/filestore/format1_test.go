package filestore

import (
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
func copyOfFormat1(t *testing.T) string {
	t.Helper()
	dir := testDir(t)
	require.NoError(t, os.MkdirAll(dir, 0o700))
	data, err := os.ReadFile("testdata/format1/sessions.db")
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
	require.EqualError(t, err, "open session store in "+dir+": the data has an earlier format, 1: open it once with Open, which brings it to format 2")
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

	change(t, store, func(tx *bbolt.Tx) error { return tx.Bucket(metaBucket).Put(formatKey, []byte{3}) })
	err = reader.Hold(t.Context(), testRef, func(uint64) error { t.Error("held"); return nil })
	require.ErrorContains(t, err, "the data has format 03, this program knows up to 2; update the program")
}

// TestAnUpgradeThatFailsChangesNothing has the change be given up at its end.
func TestAnUpgradeThatFailsChangesNothing(t *testing.T) {
	dir := copyOfFormat1(t)
	w, err := openWriter(dir)
	require.NoError(t, err)
	require.ErrorIs(t, w.update(context.Background(), func(tx *bbolt.Tx) error {
		require.NoError(t, upgrade1(tx))
		return os.ErrInvalid
	}), os.ErrInvalid)
	require.NoError(t, w.close())
	require.EqualValues(t, 2, versionIn1(t, dir, storefixture.Ref(storefixture.OtherChain, 1)))
	store, err := Open(dir, Config{})
	require.NoError(t, err)
	require.NoError(t, store.Close())
}
