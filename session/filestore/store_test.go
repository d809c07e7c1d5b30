package filestore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"go.etcd.io/bbolt"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/internal/filelock"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/session/seal"
	"github.com/go-sesame/sesame/session/storekit"
)

var testRef = session.Ref{ChainID: 80002, Account: common.HexToAddress("0xacc")}

func testSealer(t testing.TB, n byte) seal.AEAD {
	t.Helper()
	a, err := seal.NewKeyAEAD(bytes.Repeat([]byte{n}, 32))
	require.NoError(t, err)
	return a
}

func testOpen(t testing.TB, dir string, sealer seal.AEAD) *Store {
	t.Helper()
	store, err := Open(dir, Config{Sealer: sealer})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return store
}

func testDir(t testing.TB) string { return filepath.Join(t.TempDir(), "store") }

func testLeaf(n int) session.Leaf {
	return session.Leaf{
		ID: fmt.Sprint("leaf ", n), Status: session.StatusActive, InTree: true, Key: common.HexToAddress("0x02"),
		Compiled: policy.Compiled{
			ValidUntil: uint64(1900000000 + n), Module: common.HexToAddress("0x01"), Data: bytes.Repeat([]byte{byte(n)}, 150),
		},
	}
}

func testSign(store *Store, key common.Address) error {
	digest := crypto.Keccak256Hash([]byte("x"))
	sig, err := store.SignDigest(context.Background(), session.SignRequest{Ref: testRef, Key: key, Digest: digest})
	if err != nil {
		return err
	}
	err = storekit.CheckSignature(sig, digest, key)
	return err
}

func TestKeysAreSealedOnDisk(t *testing.T) {
	dir := testDir(t)
	store := testOpen(t, dir, testSealer(t, 1))
	private, err := crypto.GenerateKey()
	require.NoError(t, err)
	key, err := store.ImportKey(t.Context(), testRef, private)
	require.NoError(t, err)
	require.NoError(t, testSign(store, key))
	require.NoError(t, store.Close())

	secret := crypto.FromECDSA(private)
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		require.False(t, bytes.Contains(content, secret), path)
		require.False(t, bytes.Contains(content, []byte(fmt.Sprintf("%x", secret))), path)
		return err
	}))
}

// A sealed key copied to another row does not sign there.
func TestSealedKeysDoNotMove(t *testing.T) {
	dir := testDir(t)
	store := testOpen(t, dir, testSealer(t, 1))
	other := session.Ref{ChainID: 1, Account: testRef.Account}
	key, err := store.NewKey(t.Context(), testRef)
	require.NoError(t, err)
	victim, err := store.NewKey(t.Context(), testRef)
	require.NoError(t, err)
	change(t, store, func(tx *bbolt.Tx) error {
		keys := tx.Bucket(keysBucket)
		sealed := bytes.Clone(keys.Get(rowKey(testRef, key)))
		sealed = sealed[:len(sealed)-sumSize] // a checksum keeps out nobody who means it
		put := func(row []byte) error { return keys.Put(row, withSum(keysBucket, row, sealed)) }
		return errors.Join(put(rowKey(other, key)), put(rowKey(testRef, victim)), count(tx, func(c *census) { c.keys++ }))
	})

	_, err = store.SignDigest(t.Context(), session.SignRequest{Ref: other, Key: key})
	require.ErrorIs(t, err, seal.ErrOpen)
	require.ErrorIs(t, testSign(store, victim), seal.ErrOpen)
	require.NoError(t, testSign(store, key))
	err = store.Rotate(t.Context(), testSealer(t, 2))
	require.ErrorIs(t, err, session.ErrDamaged, "a rotation does not pass over a key that it cannot open")
	require.NoError(t, testSign(store, key))
}

func change(t *testing.T, store *Store, change func(tx *bbolt.Tx) error) {
	t.Helper()
	require.NoError(t, store.file.update(t.Context(), change))
}

func TestWrongSealer(t *testing.T) {
	dir := testDir(t)
	right, err := seal.NewPassphrase([]byte("correct horse"), seal.Cost{Time: 1, MemoryKiB: 64, Threads: 1})
	require.NoError(t, err)
	wrong, err := seal.NewPassphrase([]byte("battery staple"), seal.Cost{})
	require.NoError(t, err)
	store := testOpen(t, dir, right)
	key, err := store.NewKey(t.Context(), testRef)
	require.NoError(t, err)
	require.NoError(t, store.Close())

	_, err = Open(dir, Config{Sealer: wrong})
	require.EqualError(t, err, "open session store in "+dir+": sealed data does not open: the keys were sealed by another passphrase or keyset, use that: sealed data does not open: wrong passphrase, or it was changed or moved")
	require.ErrorIs(t, err, seal.ErrOpen)
	require.NoError(t, testSign(testOpen(t, dir, right), key), "and the lock is free again")
}

func TestWithoutSealer(t *testing.T) {
	dir := testDir(t)
	store := testOpen(t, dir, nil)
	_, err := store.NewKey(t.Context(), testRef)
	require.ErrorIs(t, err, seal.ErrNoSealer)
	require.ErrorIs(t, store.Rotate(t.Context(), testSealer(t, 1)), seal.ErrNoSealer)
	_, err = store.Apply(t.Context(), testRef, 0, &session.Change{Put: []session.Leaf{testLeaf(0)}})
	require.NoError(t, err, "sessions are kept all the same")
	require.NoError(t, store.Close())

	store = testOpen(t, dir, testSealer(t, 1))
	key, err := store.NewKey(t.Context(), testRef)
	require.NoError(t, err)
	require.NoError(t, store.Close())
	store = testOpen(t, dir, nil)
	require.ErrorIs(t, testSign(store, key), seal.ErrNoSealer)
	keys, err := store.Keys(t.Context(), testRef)
	require.NoError(t, err)
	require.Equal(t, []common.Address{key}, keys)
}

func TestRotate(t *testing.T) {
	dir := testDir(t)
	store := testOpen(t, dir, testSealer(t, 1))
	var keys []common.Address
	for range 5 {
		key, err := store.NewKey(t.Context(), testRef)
		require.NoError(t, err)
		keys = append(keys, key)
	}
	require.NoError(t, testSign(store, keys[0]))
	requireAll := func() {
		for _, key := range keys {
			require.NoError(t, testSign(store, key))
		}
	}

	require.ErrorIs(t, store.Rotate(t.Context(), nil), policy.ErrInvalid)

	// Interrupted or failed, it has not happened.
	ctx, cancel := context.WithCancel(t.Context())
	stop := &stopping{AEAD: testSealer(t, 2), stop: cancel}
	require.ErrorIs(t, store.Rotate(ctx, stop), context.Canceled)
	down := errors.New("kms: connection refused")
	require.ErrorIs(t, store.Rotate(t.Context(), failing{down}), down)
	requireAll()
	require.NoError(t, store.Close())
	store = testOpen(t, dir, testSealer(t, 1))

	require.NoError(t, store.Rotate(t.Context(), testSealer(t, 2)))
	requireAll()
	fresh, err := store.NewKey(t.Context(), testRef)
	require.NoError(t, err)
	keys = append(keys, fresh)
	require.NoError(t, store.Close())
	_, err = Open(dir, Config{Sealer: testSealer(t, 1)})
	require.ErrorIs(t, err, seal.ErrOpen, "the old sealer opens nothing any more")
	store = testOpen(t, dir, testSealer(t, 2))
	requireAll()
}

// A change that reports an error may be stored all the same, as when the disk fails at its last sync. The
// keys open by whichever sealer has sealed them then.
func TestRotateOfUnknownEnd(t *testing.T) {
	for name, happens := range map[string]bool{"not stored": false, "stored": true} {
		t.Run(name, func(t *testing.T) {
			store := testOpen(t, testDir(t), testSealer(t, 1))
			key, err := store.NewKey(t.Context(), testRef)
			require.NoError(t, err)
			lost := errors.New("input/output error")
			data := store.file
			store.file = &losing{data, happens, lost}
			require.ErrorIs(t, store.Rotate(t.Context(), testSealer(t, 2)), lost)
			store.file = data
			require.NoError(t, testSign(store, key))
			fresh, err := store.NewKey(t.Context(), testRef)
			require.NoError(t, err)
			require.NoError(t, store.Rotate(t.Context(), testSealer(t, 2)))
			require.NoError(t, testSign(store, key))
			require.NoError(t, testSign(store, fresh))
			_, err = OpenReadOnly(store.dir, Config{Sealer: testSealer(t, 1)})
			require.ErrorIs(t, err, seal.ErrOpen)
		})
	}
}

// losing reports an error for every change, which happens or not.
type losing struct {
	file
	happens bool
	err     error
}

func (l *losing) update(ctx context.Context, change func(tx *bbolt.Tx) error) error {
	if !l.happens {
		return l.err
	}
	return errors.Join(l.file.update(ctx, change), l.err)
}

func TestRotationsWaitForEachOther(t *testing.T) {
	store := testOpen(t, testDir(t), testSealer(t, 1))
	ctx, cancel := context.WithCancel(t.Context())
	var inside error
	require.NoError(t, store.Rotate(t.Context(), &stopping{AEAD: testSealer(t, 2), stop: func() {
		cancel()
		inside = store.Rotate(ctx, testSealer(t, 3))
	}}))
	require.ErrorIs(t, inside, context.Canceled)
}

// stopping interrupts after it sealed.
type stopping struct {
	seal.AEAD
	stop func()
}

func (s *stopping) Encrypt(plaintext, associatedData []byte) ([]byte, error) {
	defer s.stop()
	return s.AEAD.Encrypt(plaintext, associatedData)
}

type failing struct{ err error }

func (f failing) Encrypt(_, _ []byte) ([]byte, error) { return nil, f.err }
func (f failing) Decrypt(_, _ []byte) ([]byte, error) { return nil, f.err }

func TestTinkKeyset(t *testing.T) {
	manager := keyset.NewManager()
	primitive := func() seal.AEAD {
		id, err := manager.Add(aead.AES256GCMKeyTemplate())
		require.NoError(t, err)
		require.NoError(t, manager.SetPrimary(id))
		handle, err := manager.Handle()
		require.NoError(t, err)
		a, err := aead.New(handle)
		require.NoError(t, err)
		return a
	}
	dir := testDir(t)
	store := testOpen(t, dir, primitive())
	key, err := store.NewKey(t.Context(), testRef)
	require.NoError(t, err)
	require.NoError(t, store.Close())

	rotated := primitive() // with a new primary key beside the old one
	store = testOpen(t, dir, rotated)
	require.NoError(t, testSign(store, key))
	require.NoError(t, store.Rotate(t.Context(), rotated))
	require.NoError(t, testSign(store, key))
}

func TestCloseWipes(t *testing.T) {
	store := testOpen(t, testDir(t), testSealer(t, 1))
	key, err := store.NewKey(t.Context(), testRef)
	require.NoError(t, err)
	require.NoError(t, testSign(store, key))
	data, held := store.keys.data, store.keys.opened[string(rowKey(testRef, key))].key
	require.NoError(t, store.Close())
	_, err = data.Encrypt(nil, nil)
	require.ErrorIs(t, err, seal.ErrWiped)
	_, err = held.Sign(common.Hash{})
	require.ErrorIs(t, err, seal.ErrWiped)
}

func TestLooseModes(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // has no modes
	}
	for name, mode := range map[string]fs.FileMode{".": 0o750, dataName: 0o640, dataLockName: 0o620, dataLockName + filelock.GateSuffix: 0o602, useLockName: 0o604, useNoteName: 0o644} {
		t.Run(name, func(t *testing.T) {
			dir := testDir(t)
			require.NoError(t, testOpen(t, dir, testSealer(t, 1)).Close())
			path := filepath.Join(dir, name)
			tight, err := os.Stat(path)
			require.NoError(t, err)
			require.NoError(t, os.Chmod(path, mode))

			_, err = Open(dir, Config{})
			require.ErrorIs(t, err, ErrLooseMode)
			require.EqualError(t, err, fmt.Sprintf("session store is open to others: %s has mode %#o; see who could read it, then: chmod %o %s", path, mode, tight.Mode().Perm(), path))
			_, err = OpenReadOnly(dir, Config{})
			require.ErrorIs(t, err, ErrLooseMode)
			require.NoError(t, os.Chmod(path, tight.Mode()))
			require.NoError(t, testOpen(t, dir, nil).Close())
		})
	}
}

func TestModes(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // has no modes
	}
	dir := testDir(t)
	store := testOpen(t, dir, testSealer(t, 1))
	_, err := store.Apply(t.Context(), testRef, 0, &session.Change{})
	require.NoError(t, err)
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := entry.Info()
		require.NoError(t, err)
		want := fs.FileMode(0o600)
		if entry.IsDir() {
			want = 0o700
		}
		require.Equal(t, want, info.Mode().Perm(), path)
		return nil
	}))
}

func TestOpenFails(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err := Open(file, Config{})
	require.ErrorContains(t, err, "open session store: mkdir "+file)
	_, err = Open(filepath.Join(file, "below"), Config{})
	require.ErrorContains(t, err, "open session store: mkdir "+file)

	for name, content := range map[string][]byte{"text": []byte("not a database"), "zeros": make([]byte, 1<<16)} {
		t.Run(name, func(t *testing.T) {
			dir := testDir(t)
			require.NoError(t, os.Mkdir(dir, 0o700))
			require.NoError(t, os.WriteFile(filepath.Join(dir, dataName), content, 0o600))
			_, err := Open(dir, Config{})
			require.ErrorIs(t, err, session.ErrDamaged)
			require.EqualError(t, err, "open session store in "+dir+": session store is damaged: "+filepath.Join(dir, dataName)+": invalid database; restore the file from a backup")
			_, err = Open(dir, Config{})
			require.NotErrorIs(t, err, ErrInUse, "the lock is free again")
		})
	}
}

// Half a file would be read beyond its end, which ends the process.
func TestCutFile(t *testing.T) {
	dir := testDir(t)
	store := testOpen(t, dir, nil)
	var leaves []session.Leaf
	for n := range 1000 {
		leaves = append(leaves, testLeaf(n))
	}
	_, err := store.Apply(t.Context(), testRef, 0, &session.Change{Put: leaves})
	require.NoError(t, err)
	require.NoError(t, store.Close())
	require.NoError(t, os.Truncate(filepath.Join(dir, dataName), 1<<16))
	_, err = Open(dir, Config{})
	require.ErrorIs(t, err, session.ErrDamaged)
	require.ErrorContains(t, err, "sessions.db has 65536 bytes, the data ")
}

func TestDamagedData(t *testing.T) {
	for name, test := range map[string]struct {
		damage func(tx *bbolt.Tx) error
		want   string
	}{
		"missing leaf": {func(tx *bbolt.Tx) error { return sessionsOf(tx, testRef).leaves().Delete(positionKey(1)) }, "session store is damaged: leaf 1 is missing; restore the file from a backup"},
		"leaf form": {func(tx *bbolt.Tx) error {
			s := sessionsOf(tx, testRef)
			return s.leaves().Put(positionKey(2), withSum(leavesBucket, s.at(positionKey(2)), []byte{9}))
		}, "leaf 2: session store is damaged: a leaf of unknown form; restore the file from a backup"},
		"moved leaf": {func(tx *bbolt.Tx) error {
			leaves := sessionsOf(tx, testRef).leaves()
			return leaves.Put(positionKey(2), bytes.Clone(leaves.Get(positionKey(1))))
		}, "session store is damaged: leaf 2 was changed by something else than this program; restore the file from a backup"},
		"last leaf": {func(tx *bbolt.Tx) error { return sessionsOf(tx, testRef).leaves().Delete(positionKey(2)) }, "session store is damaged: an account has not its 3 leaves; restore the file from a backup"},
		"short leaf": {func(tx *bbolt.Tx) error {
			s := sessionsOf(tx, testRef)
			return s.leaves().Put(positionKey(0), withSum(leavesBucket, s.at(positionKey(0)), []byte{leafForm, 1, 1, 7}))
		}, "leaf 0: session store is damaged: a leaf of 4 bytes that do not fit it; restore the file from a backup"},
		"head": {func(tx *bbolt.Tx) error { return sessionsOf(tx, testRef).Put(headKey, []byte{1}) }, "session store is damaged: the version of an account was changed by something else than this program; restore the file from a backup"},
		"short head": {func(tx *bbolt.Tx) error {
			return sessionsOf(tx, testRef).Put(headKey, withSum(headKey, refKey(testRef), []byte{1}))
		}, "session store is damaged: an account without a version; restore the file from a backup"},
		"header": {func(tx *bbolt.Tx) error { return sessionsOf(tx, testRef).putHead(head{1, 3, []byte{0}}) }, "session store is damaged: header: invalid character '\\x00' looking for beginning of value; restore the file from a backup"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := testDir(t)
			store := testOpen(t, dir, nil)
			_, err := store.Apply(t.Context(), testRef, 0, &session.Change{Put: []session.Leaf{testLeaf(0), testLeaf(1), testLeaf(2)}})
			require.NoError(t, err)
			change(t, store, test.damage)
			_, err = store.Load(t.Context(), testRef)
			require.ErrorIs(t, err, session.ErrDamaged)
			require.EqualError(t, err, "session store in "+dir+": "+test.want)
		})
	}
	dir := testDir(t)
	store := testOpen(t, dir, nil)
	change(t, store, func(tx *bbolt.Tx) error { return tx.Bucket(metaBucket).Put(formatKey, []byte{5}) })
	require.NoError(t, store.Close())
	_, err := Open(dir, Config{})
	require.EqualError(t, err, "open session store in "+dir+": the data has format 05, this program knows up to 4; update the program")
}

func TestDefaultDir(t *testing.T) {
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		return // asks the system
	}
	base := t.TempDir()
	t.Setenv("XDG_DATA_HOME", base)
	dir, err := DefaultDir()
	require.NoError(t, err)
	require.Equal(t, filepath.Join(base, "sesame"), dir)
	store, err := Default(Config{})
	require.NoError(t, err)
	require.Equal(t, "filestore.Store("+dir+")", store.String())
	require.NoError(t, store.Close())

	t.Setenv("XDG_DATA_HOME", "relative, which the specification has ignored")
	t.Setenv("HOME", base)
	dir, err = DefaultDir()
	require.NoError(t, err)
	require.Equal(t, filepath.Join(base, ".local", "share", "sesame"), dir)
}

func FuzzLeaf(f *testing.F) {
	leaf := testLeaf(1)
	leaf.Function = "function f()"
	f.Add(encodeLeaf(&leaf))
	f.Add([]byte{leafForm})
	f.Fuzz(func(t *testing.T, record []byte) {
		leaf, err := decodeLeaf(record)
		if err != nil {
			require.ErrorIs(t, err, session.ErrDamaged)
			return
		}
		again, err := decodeLeaf(encodeLeaf(leaf))
		require.NoError(t, err)
		require.Equal(t, leaf, again)
	})
}
