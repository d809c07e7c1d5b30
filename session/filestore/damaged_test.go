package filestore

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	"github.com/go-sesame/sesame/internal/testutil/storefixture"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/internal/filelock"
)

// flips is how many bytes of a file are changed, one after the other.
const flips = 2000

// smallStore returns the directory of a closed store with sessions, keys and a lane, and its data.
func smallStore(t *testing.T) (dir string, data []byte) {
	t.Helper()
	dir = testDir(t)
	store, err := Open(dir, Config{Sealer: testSealer(t, 1)})
	require.NoError(t, err)
	_, err = store.LeaseLane(t.Context(), storefixture.Ref(storefixture.Chain, 1), "worker", time.Hour)
	require.NoError(t, err)
	require.NoError(t, storefixture.Write(t.Context(), store, 0)) // last, to see the state before it come back
	require.NoError(t, store.Close())
	data, err = os.ReadFile(filepath.Join(dir, dataName))
	require.NoError(t, err)
	return dir, data
}

// offsets returns places in data to change: three of four in what is not zero, as most of a small file is.
func offsets(data []byte, n int) (at []int) {
	random := rand.New(rand.NewPCG(1, 2))
	var filled []int
	for i, b := range data {
		if b != 0 {
			filled = append(filled, i)
		}
	}
	for i := range pageHead + metaSize { // which of two states is read
		at = append(at, i, os.Getpagesize()+i)
	}
	for i := range n {
		if i%4 == 0 {
			at = append(at, random.IntN(len(data)))
		} else {
			at = append(at, filled[(i*len(filled)/n+random.IntN(7))%len(filled)])
		}
	}
	return at
}

// flipped returns data with a byte changed: to its opposite, by one bit, or to zero.
func flipped(data []byte, at, n int) []byte {
	data = bytes.Clone(data)
	switch n % 3 {
	case 0:
		data[at] ^= 0xff
	case 1:
		data[at] ^= 1 << (n / 3 % 8)
	default:
		data[at] -= max(data[at], 1)
	}
	return data
}

// requireWhole wants all that the store holds to be as it was written, or an error that says it is damaged.
func requireWhole(t *testing.T, store *Store, at any) (damaged bool) {
	t.Helper()
	leaves := 0
	for _, account := range storefixture.Accounts(storefixture.Form) {
		leaves += len(account.State.Leaves)
		state, err := store.Load(t.Context(), account.Ref)
		if err != nil {
			require.ErrorIs(t, err, session.ErrDamaged, at)
			return true
		}
		account.State.Version = 2
		require.Equal(t, &account.State, state, at)
	}
	page, err := store.List(t.Context(), session.Query{})
	if err == nil {
		require.Len(t, page.Items, leaves, at)
		err = storefixture.Require(t.Context(), store, storefixture.Form, 0)
	}
	if err != nil {
		require.ErrorContains(t, err, session.ErrDamaged.Error(), at)
		return true
	}
	return false
}

// TestFlippedBytes opens data with one byte changed, once for writing and once to read along.
func TestFlippedBytes(t *testing.T) {
	dir, data := smallStore(t)
	path, found := filepath.Join(dir, dataName), 0
	for n, at := range offsets(data, flips) {
		require.NoError(t, os.WriteFile(path, flipped(data, at, n), 0o600))
		open := Open
		if n%2 == 0 {
			open = OpenReadOnly
		}
		store, err := open(dir, Config{Sealer: testSealer(t, 1)})
		if err != nil {
			require.ErrorIs(t, err, session.ErrDamaged, at)
			found++
			continue
		}
		require.False(t, requireWhole(t, store, at), "%d: open goes through all", at)
		require.NoError(t, store.Close())
	}
	require.Greater(t, found, flips/4)
}

// TestPagesInACircle has a page of a tree name itself as the one below: whoever follows that never comes
// back.
func TestPagesInACircle(t *testing.T) {
	dir := testDir(t)
	store := testOpen(t, dir, nil)
	_, err := store.Apply(t.Context(), testRef, 0, &session.Change{Put: manyLeaves(1000)})
	require.NoError(t, err)
	require.NoError(t, store.Close())
	path, size, changed := filepath.Join(dir, dataName), os.Getpagesize(), 0
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	for id := 2; id < len(data)/size; id++ {
		page := data[id*size:]
		if order.Uint64(page) == uint64(id) && order.Uint16(page[8:]) == branchPage {
			order.PutUint64(page[pageHead+8:], uint64(id))
			changed++
		}
	}
	require.Positive(t, changed)
	require.NoError(t, os.WriteFile(path, data, 0o600))
	_, err = Open(dir, Config{})
	require.ErrorIs(t, err, session.ErrDamaged)
}

// TestBytesFlippedInUse changes a byte while the store is open. A change of an account, the other accounts
// and what is read afterwards are whole, or damaged.
func TestBytesFlippedInUse(t *testing.T) {
	dir, data := smallStore(t)
	path, ref := filepath.Join(dir, dataName), storefixture.Ref(storefixture.OtherChain, 1)
	for n, at := range offsets(data, flips/8) {
		require.NoError(t, os.WriteFile(path, data, 0o600))
		open := Open
		if n%2 == 0 {
			open = OpenReadOnly
		}
		store, err := open(dir, Config{Sealer: testSealer(t, 1)})
		require.NoError(t, err)
		require.False(t, requireWhole(t, store, at))
		file, err := os.OpenFile(path, os.O_RDWR, 0)
		require.NoError(t, err)
		_, err = file.WriteAt(flipped(data, at, n)[at:at+1], int64(at))
		require.NoError(t, errors.Join(err, file.Close()))

		if !requireWhole(t, store, at) && n%2 == 1 {
			_, err := store.Apply(t.Context(), ref, 2, &session.Change{Put: []session.Leaf{testLeaf(1)}})
			require.NoError(t, err)
		}
		require.NoError(t, store.Close())
	}
}

// TestCutInUse cuts the file under a store that has it in memory.
func TestCutInUse(t *testing.T) {
	for name, open := range map[string]func(string, Config) (*Store, error){"writer": Open, "reader": OpenReadOnly} {
		t.Run(name, func(t *testing.T) {
			dir, data := smallStore(t)
			for size := 0; size < len(data); size += 2048 {
				path := filepath.Join(dir, dataName)
				require.NoError(t, os.WriteFile(path, data, 0o600))
				store, err := open(dir, Config{Sealer: testSealer(t, 1)})
				require.NoError(t, err)
				require.NoError(t, os.Truncate(path, int64(size)))
				requireWhole(t, store, size)
				require.NoError(t, store.Close())
			}
		})
	}
}

// TestFaultInAReading has the file end amid a reading: a fault of the machine, which is an error here.
func TestFaultInAReading(t *testing.T) {
	dir, _ := smallStore(t)
	store := testOpen(t, dir, nil)
	err := store.file.view(t.Context(), func(tx *bbolt.Tx) error {
		require.NoError(t, os.Truncate(filepath.Join(dir, dataName), 0))
		_, err := sessionsOf(tx, storefixture.Ref(storefixture.Chain, 1)).load()
		return err
	})
	require.ErrorIs(t, err, session.ErrDamaged)
	_, err = store.Load(t.Context(), storefixture.Ref(storefixture.Chain, 1))
	require.ErrorIs(t, err, session.ErrDamaged)
	_, err = store.Apply(t.Context(), storefixture.Ref(storefixture.Chain, 1), 2, &session.Change{})
	require.ErrorIs(t, err, session.ErrDamaged)
}

// TestPanicInAChange has bbolt panic while it writes: the store says so and, once it is closed, opens again.
func TestPanicInAChange(t *testing.T) {
	dir, _ := smallStore(t)
	store := testOpen(t, dir, nil)
	require.ErrorIs(t, store.file.update(t.Context(), func(*bbolt.Tx) error { panic("assertion failed") }), session.ErrDamaged)
	_, err := store.Load(t.Context(), storefixture.Ref(storefixture.Chain, 1))
	require.NoError(t, err)
	require.NoError(t, store.Close())
	require.False(t, requireWhole(t, testOpen(t, dir, testSealer(t, 1)), "afterwards"))
}

// TestDeletedInUse deletes or replaces files under a running writer.
func TestDeletedInUse(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // deletes no file that is open
	}
	for name, test := range map[string]struct {
		path    string
		replace bool
	}{
		"data": {dataName, false}, "data replaced": {dataName, true},
		"writer's lock": {useLockName, false}, "lock of the data": {dataLockName, false}, "its gate": {dataLockName + filelock.GateSuffix, false},
		"lock replaced": {dataLockName, true},
	} {
		t.Run(name, func(t *testing.T) {
			dir, data := smallStore(t)
			store := testOpen(t, dir, testSealer(t, 1))
			ref, path := storefixture.Ref(storefixture.Chain, 1), filepath.Join(dir, test.path)
			require.NoError(t, os.Remove(path))
			if test.replace {
				require.NoError(t, os.WriteFile(path, data, 0o600))
			}
			_, err := store.Apply(t.Context(), ref, 2, &session.Change{})
			require.ErrorIs(t, err, session.ErrDamaged)
			require.ErrorContains(t, err, path+" was deleted or replaced; close the store in all processes, put back what was there, and open it again")
			if test.path == dataName {
				_, err = store.Load(t.Context(), ref)
				require.ErrorIs(t, err, session.ErrDamaged)
			}
			_, err = Open(dir, Config{})
			require.ErrorIs(t, err, ErrInUse, "no second writer")
			require.NoError(t, store.Close())

			store, err = Open(dir, Config{Sealer: testSealer(t, 1)})
			if test.path == dataName && !test.replace {
				require.ErrorIs(t, err, session.ErrDamaged)
				require.ErrorContains(t, err, path+" is gone, but ")
				require.NoFileExists(t, path)
				return
			}
			require.NoError(t, err)
			require.False(t, requireWhole(t, store, name))
			require.NoError(t, store.Close())
		})
	}
}

// TestDirectoryMovedInUse puts another directory in the place of the one that a writer has open.
func TestDirectoryMovedInUse(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // moves no directory with open files
	}
	dir, _ := smallStore(t)
	store := testOpen(t, dir, nil)
	require.NoError(t, os.Rename(dir, dir+" moved"))
	_, err := store.Apply(t.Context(), storefixture.Ref(storefixture.Chain, 1), 2, &session.Change{})
	require.Error(t, err)
	require.NoError(t, os.Mkdir(dir, 0o700))
	_, err = store.Apply(t.Context(), storefixture.Ref(storefixture.Chain, 1), 2, &session.Change{})
	require.ErrorIs(t, err, session.ErrDamaged)
}

// TestHoldOfAReaderWhoseLockIsGone is one that a writer does not see.
func TestHoldOfAReaderWhoseLockIsGone(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // deletes no file that is open
	}
	dir, _ := smallStore(t)
	reader, err := OpenReadOnly(dir, Config{})
	require.NoError(t, err)
	defer reader.Close()
	ref := storefixture.Ref(storefixture.Chain, 1)
	err = reader.Hold(t.Context(), ref, func(uint64) error { return os.Remove(filepath.Join(dir, dataLockName)) })
	require.ErrorIs(t, err, session.ErrDamaged)
	require.ErrorContains(t, err, "were not held to the end: ")
	require.NoError(t, reader.Hold(t.Context(), ref, func(uint64) error { return nil }), "the next takes the new one")
}

// TestUnknownStatus stands in a leaf with a right checksum.
func TestUnknownStatus(t *testing.T) {
	for _, status := range []session.Status{0, session.StatusExpired, 9} {
		store := testOpen(t, testDir(t), nil)
		leaf := testLeaf(0)
		leaf.Status = status
		change(t, store, func(tx *bbolt.Tx) error { return apply(tx, testRef, 0, &session.Change{Put: []session.Leaf{leaf}}) })
		_, err := store.Load(t.Context(), testRef)
		require.ErrorIs(t, err, session.ErrDamaged)
		require.ErrorContains(t, err, "a leaf is stored with ")
	}
}

func TestAnotherOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Log("only root gives files away")
		return
	}
	for _, name := range []string{".", dataName} {
		dir, _ := smallStore(t)
		require.NoError(t, os.Chown(filepath.Join(dir, name), 12345, -1))
		for _, open := range []func(string, Config) (*Store, error){Open, OpenReadOnly} {
			_, err := open(dir, Config{})
			require.ErrorIs(t, err, ErrLooseMode)
			require.ErrorContains(t, err, " belongs to user 12345, and this process runs as 0; ")
		}
	}
}

// slowSealer is a service that answers when it is let.
type slowSealer struct {
	failing
	asked, answer chan struct{}
}

func (s *slowSealer) Decrypt(_, _ []byte) ([]byte, error) {
	close(s.asked)
	<-s.answer
	return nil, s.err
}

// TestSealerThatHangs has a key be opened by a service that hangs: nobody waits for it.
func TestSealerThatHangs(t *testing.T) {
	dir, _ := smallStore(t)
	store := testOpen(t, dir, testSealer(t, 1))
	sealer := &slowSealer{failing{context.DeadlineExceeded}, make(chan struct{}), make(chan struct{})}
	store.keys.mu.Lock()
	store.keys.sealer, store.keys.data = hide(sealer), nil
	store.keys.mu.Unlock()
	ref, signed := storefixture.Ref(storefixture.Chain, 1), make(chan error)
	go func() {
		keys, err := store.Keys(t.Context(), ref)
		if err == nil {
			_, err = store.SignDigest(t.Context(), session.SignRequest{Ref: ref, Key: keys[0]})
		}
		signed <- err
	}()
	<-sealer.asked
	_, err := store.Apply(t.Context(), ref, 2, &session.Change{})
	require.NoError(t, err)
	close(sealer.answer)
	require.ErrorIs(t, <-signed, context.DeadlineExceeded)
}
