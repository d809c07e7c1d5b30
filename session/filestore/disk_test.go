//go:build linux || darwin

package filestore

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/go-sesame/sesame/internal/testutil/smalldisk"
	"github.com/go-sesame/sesame/session"
)

func TestDiskFull(t *testing.T) {
	if !smalldisk.Alone(t) {
		return
	}
	dir := testDir(t)
	store := testOpen(t, dir, testSealer(t, 1))
	key, err := store.NewKey(t.Context(), testRef)
	require.NoError(t, err)
	var leaves []session.Leaf
	var ids []string
	for n := range 2000 {
		leaves = append(leaves, testLeaf(n))
		ids = append(ids, leaves[n].ID)
	}
	// Used and freed pages, so that one change can fail amid its pages and another at growing the file.
	_, err = store.Apply(t.Context(), testRef, 0, &session.Change{Put: leaves})
	require.NoError(t, err)
	version, err := store.Apply(t.Context(), testRef, 1, &session.Change{Delete: ids[10:]})
	require.NoError(t, err)
	before, err := store.Load(t.Context(), testRef)
	require.NoError(t, err)
	info, err := os.Stat(filepath.Join(dir, dataName))
	require.NoError(t, err)

	for name, test := range map[string]struct {
		limit uint64
		put   []session.Leaf
		want  string
	}{
		"amid the pages": {uint64(info.Size()) / 3, leaves, "write "},
		"growing":        {uint64(info.Size()), manyLeaves(8000), "file resize error: truncate "},
	} {
		t.Run(name, func(t *testing.T) {
			restore := smalldisk.Limit(t, test.limit)
			_, err := store.Apply(t.Context(), testRef, version, &session.Change{Put: test.put})
			after, loaded := store.Load(t.Context(), testRef)
			restore()

			path := filepath.Join(dir, dataName)
			require.EqualError(t, err, "session store in "+dir+": write the change, which is stored wholly or not at all: "+test.want+path+": file too large")
			require.NoError(t, loaded)
			require.Equal(t, before, after)
			require.NoError(t, testSign(store, key))
		})
	}
	require.NoError(t, store.Close())
	store = testOpen(t, dir, testSealer(t, 1))
	_, err = store.Apply(t.Context(), testRef, version, &session.Change{Put: leaves})
	require.NoError(t, err, "with room on the disk, it goes on")
}

// A change for which the disk has no room takes none with it for which it has: it may be a kill switch.
func TestDiskFullForSeveral(t *testing.T) {
	if !smalldisk.Alone(t) {
		return
	}
	c := newCrowd(t)
	info, err := os.Stat(filepath.Join(c.store.dir, dataName))
	require.NoError(t, err)
	c.come(func() error {
		_, err := c.store.Apply(t.Context(), benchRef(2), 0, &session.Change{Put: manyLeaves(8000)})
		return err
	})
	c.come(func() error {
		_, err := c.store.Stop(t.Context(), session.Stop{Name: "all", Who: "on call", Why: "an incident"})
		return err
	})
	restore := smalldisk.Limit(t, uint64(info.Size()))
	errs := c.let()
	restore()
	require.ErrorContains(t, errs[0], "write the change, which is stored wholly or not at all: ")
	require.ErrorContains(t, errs[0], "file too large")
	require.NoError(t, errs[1])
	stops, err := c.store.Stops(t.Context())
	require.NoError(t, err)
	require.Len(t, stops, 1)
	c.requireStored()
}

func TestPermissionDenied(t *testing.T) {
	store := testOpen(t, testDir(t), testSealer(t, 1))
	key, err := store.NewKey(t.Context(), testRef)
	require.NoError(t, err)
	version, err := store.Apply(t.Context(), testRef, 0, &session.Change{Put: []session.Leaf{testLeaf(0)}})
	require.NoError(t, err)

	require.NoError(t, store.Close())
	store = testOpen(t, store.dir, testSealer(t, 1)) // the first change opens the data for writing

	// Modes do not stop a test that runs as root, so the refusal is made here.
	w := store.file.(*writer)
	w.openFile = func(name string, flag int, mode os.FileMode) (*os.File, error) {
		if flag&os.O_RDWR != 0 {
			return nil, &os.PathError{Op: "open", Path: name, Err: syscall.EACCES}
		}
		return os.OpenFile(name, flag, mode)
	}
	_, err = store.Apply(t.Context(), testRef, version, &session.Change{})
	require.ErrorIs(t, err, os.ErrPermission)
	require.EqualError(t, err, "session store in "+store.dir+": open session data: open "+filepath.Join(store.dir, dataName)+": permission denied")
	require.NoError(t, testSign(store, key), "reading goes on")

	w.openFile = os.OpenFile
	state, err := store.Load(t.Context(), testRef)
	require.NoError(t, err)
	require.Equal(t, version, state.Version)
	_, err = store.Apply(t.Context(), testRef, version, &session.Change{})
	require.NoError(t, err)
}

// Between changes the data stays open with a reader's lock. What a program changes that knows no lock is not
// written over by what is remembered of free pages, not even where the file's time and size tell nothing.
func TestOvertaken(t *testing.T) {
	store := testOpen(t, testDir(t), nil)
	var version uint64
	for range 3 { // the last of which leave pages free
		var err error
		version, err = store.Apply(t.Context(), testRef, version, &session.Change{Put: manyLeaves(200)})
		require.NoError(t, err)
	}
	path := filepath.Join(store.dir, dataName)
	_, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Nanosecond})
	require.ErrorIs(t, err, berrors.ErrTimeout, "there is a lock")

	before, err := os.Stat(path)
	require.NoError(t, err)
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	other := filepath.Join(t.TempDir(), dataName)
	require.NoError(t, os.WriteFile(other, data, 0o600))
	db, err := openData(other, toWrite, os.OpenFile)
	require.NoError(t, err)
	require.NoError(t, db.Update(func(tx *bbolt.Tx) error {
		return apply(tx, testRef, version, &session.Change{Put: manyLeaves(1)})
	}))
	require.NoError(t, db.Close())
	data, err = os.ReadFile(other)
	require.NoError(t, err)
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	require.NoError(t, err)
	require.Equal(t, before.Size(), int64(len(data)))
	_, err = file.WriteAt(data, 0)
	require.NoError(t, errors.Join(err, file.Close(), os.Chtimes(path, before.ModTime(), before.ModTime())))

	version, err = store.Apply(t.Context(), testRef, version+1, &session.Change{Put: manyLeaves(300)})
	require.NoError(t, err)
	require.NoError(t, store.Close())
	require.NoError(t, checkData(path, os.OpenFile))
	state, err := testOpen(t, store.dir, nil).Load(t.Context(), testRef)
	require.NoError(t, err)
	require.Equal(t, version, state.Version)
	require.Len(t, state.Leaves, 300)
}

// A process that reads along keeps the data in memory without its lock, and sees what becomes of the file: a
// change, one by which it grows, that it is cut, and that another one has its place.
func TestReaderThatKeepsTheData(t *testing.T) {
	dir, ref := testDir(t), testRef
	writer := testOpen(t, dir, testSealer(t, 1))
	version, err := writer.Apply(t.Context(), ref, 0, &session.Change{Put: []session.Leaf{testLeaf(0)}})
	require.NoError(t, err)
	reader, err := OpenReadOnly(dir, Config{Sealer: testSealer(t, 1)})
	require.NoError(t, err)
	defer func() { require.NoError(t, reader.Close()) }()
	path := filepath.Join(dir, dataName)
	size := func() int64 {
		info, err := os.Stat(path)
		require.NoError(t, err)
		return info.Size()
	}
	sees := func(leaves int) {
		t.Helper()
		for range 2 {
			state, err := reader.Load(t.Context(), ref)
			require.NoError(t, err)
			require.Len(t, state.Leaves, leaves)
		}
	}
	sees(1)

	begun := size()
	version, err = writer.Apply(t.Context(), ref, version, &session.Change{Put: []session.Leaf{testLeaf(1)}})
	require.NoError(t, err)
	sees(2)

	many := make([]session.Leaf, 3000)
	for i := range many {
		many[i] = testLeaf(i)
	}
	_, err = writer.Apply(t.Context(), ref, version, &session.Change{Put: many})
	require.NoError(t, err)
	require.Greater(t, size(), begun)
	sees(len(many))

	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, writer.Close())
	require.NoError(t, os.Truncate(path, size()/2))
	_, err = reader.Load(t.Context(), ref)
	require.ErrorIs(t, err, session.ErrDamaged)

	fresh := path + ".fresh"
	require.NoError(t, os.WriteFile(fresh, whole, 0o600))
	require.NoError(t, os.Rename(fresh, path))
	sees(len(many))
}
