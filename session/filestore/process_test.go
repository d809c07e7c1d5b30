package filestore_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/filestore"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/session/seal"
	"github.com/go-sesame/sesame/session/storekit"
)

var ref = session.Ref{ChainID: 80002, Account: common.HexToAddress("0xacc")}

func leaf(n int) session.Leaf {
	return session.Leaf{
		ID: fmt.Sprint("leaf ", n), Status: session.StatusActive, InTree: true, Key: common.HexToAddress("0x02"),
		Compiled: policy.Compiled{
			ValidUntil: uint64(1900000000 + n), Module: common.HexToAddress("0x01"), Data: make([]byte, 150),
		},
	}
}

func leaves(n int) (all []session.Leaf) {
	for i := range n {
		all = append(all, leaf(i))
	}
	return all
}

func read(t *testing.T, dir string, n byte) *filestore.Store {
	t.Helper()
	store, err := filestore.OpenReadOnly(dir, filestore.Config{Sealer: sealer(n)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return store
}

func sign(store *filestore.Store, key common.Address) error {
	digest := crypto.Keccak256Hash([]byte("x"))
	sig, err := store.SignDigest(context.Background(), session.SignRequest{Ref: ref, Key: key, Digest: digest})
	if err != nil {
		return err
	}
	err = storekit.CheckSignature(sig, digest, key)
	return err
}

func TestOneWriter(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o700))
	store := open(t, dir)
	_, err := filestore.Open(dir, filestore.Config{})
	require.ErrorIs(t, err, filestore.ErrInUse)
	require.EqualError(t, err, "session store is in use: this process has "+dir+" open for writing, and one process at a time may; close it there, or use OpenReadOnly")

	require.NoError(t, store.Close())
	again := open(t, dir)
	require.NoError(t, again.Close())
}

const holdDir = "SESAME_FILESTORE_HOLD_DIR"

// Another process has the store open: the error names it.
func TestWriterElsewhere(t *testing.T) {
	if dir := os.Getenv(holdDir); dir != "" {
		open(t, dir)
		fmt.Println("open")
		time.Sleep(time.Hour) // until it is killed
	}
	dir := filepath.Join(t.TempDir(), "store")
	cmd := exec.Command(os.Args[0], "-test.run=^TestWriterElsewhere$")
	cmd.Env = append(os.Environ(), holdDir+"="+dir)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	_, err = out.Read(make([]byte, 4))
	require.NoError(t, err)

	_, err = filestore.Open(dir, filestore.Config{Sealer: sealer(1)})
	require.ErrorIs(t, err, filestore.ErrInUse)
	require.ErrorContains(t, err, fmt.Sprintf("process %d has %s open for writing", cmd.Process.Pid, dir))
	beside, err := filestore.OpenReadOnly(dir, filestore.Config{Sealer: sealer(1)})
	require.NoError(t, err)
	_, err = beside.Load(t.Context(), ref)
	require.ErrorIs(t, err, session.ErrNotFound)
	require.NoError(t, beside.Close())

	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())
	open(t, dir) // the lock went with the process
}

func TestReaderSeesEveryCommit(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	_, err := filestore.OpenReadOnly(dir, filestore.Config{})
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, "no session store in "+dir+"; check the directory, or make a store there with Open: ")
	_, err = filestore.Open("", filestore.Config{})
	require.EqualError(t, err, "invalid input: open session store without a directory; Default opens that of the user")
	store := open(t, dir)
	reader := read(t, dir, 1)

	var version uint64
	for n := range 5 {
		version, err = store.Apply(t.Context(), ref, version, &session.Change{Put: []session.Leaf{leaf(n)}})
		require.NoError(t, err)
		want, err := store.Load(t.Context(), ref)
		require.NoError(t, err)
		have, err := reader.Load(t.Context(), ref)
		require.NoError(t, err)
		require.Equal(t, want, have)
	}
	key, err := store.NewKey(t.Context(), ref)
	require.NoError(t, err)
	require.NoError(t, sign(reader, key))
	require.NoError(t, store.RemoveKey(t.Context(), ref, key))
	require.ErrorIs(t, sign(reader, key), session.ErrNoKey, "a key that was removed elsewhere signs no more")

	_, err = reader.Apply(t.Context(), ref, version, &session.Change{})
	require.ErrorIs(t, err, filestore.ErrReadOnly)
	_, err = reader.NewKey(t.Context(), ref)
	require.ErrorIs(t, err, filestore.ErrReadOnly)
	require.ErrorIs(t, reader.RemoveKey(t.Context(), ref, key), filestore.ErrReadOnly)
	require.ErrorIs(t, reader.Rotate(t.Context(), sealer(2)), filestore.ErrReadOnly)

	require.NoError(t, reader.Close())
	_, err = reader.Load(t.Context(), ref)
	require.ErrorIs(t, err, session.ErrClosed)
	require.ErrorIs(t, sign(reader, key), session.ErrClosed)
}

// A reader that holds an account's sessions keeps the writer waiting, and can read and sign meanwhile.
func TestReaderHolds(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	store := open(t, dir)
	key, err := store.NewKey(t.Context(), ref)
	require.NoError(t, err)
	version, err := store.Apply(t.Context(), ref, 0, &session.Change{Put: leaves(1)})
	require.NoError(t, err)
	reader := read(t, dir, 1)

	var released atomic.Bool
	committed := make(chan error)
	err = reader.Hold(t.Context(), ref, func(held uint64) error {
		require.Equal(t, version, held)
		go func() {
			_, err := store.Apply(context.Background(), ref, version, &session.Change{Put: []session.Leaf{leaf(1)}})
			if !released.Load() {
				err = fmt.Errorf("committed while the reader held the session: %w", err)
			}
			committed <- err
		}()
		time.Sleep(20 * time.Millisecond) // lets the writer come to its wait
		require.NoError(t, sign(reader, key))
		state, err := reader.Load(t.Context(), ref)
		require.NoError(t, err)
		require.Equal(t, version, state.Version)
		released.Store(true)
		return nil
	})
	require.NoError(t, err)
	require.NoError(t, <-committed)

	// A writer that gives up waiting has changed nothing.
	err = reader.Hold(t.Context(), ref, func(held uint64) error {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		_, err := store.Apply(ctx, ref, held, &session.Change{})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		return nil
	})
	require.NoError(t, err)
}

// Signers of a reading process that follow each other without a gap do not keep a change waiting.
func TestReadersDoNotStarveWriter(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	store := open(t, dir)
	key, err := store.NewKey(t.Context(), ref)
	require.NoError(t, err)
	reader := read(t, dir, 1)
	for name, use := range map[string]func() error{
		"signing": func() error {
			return reader.Hold(t.Context(), ref, func(uint64) error {
				time.Sleep(5 * time.Millisecond) // as a remote signer takes
				return sign(reader, key)
			})
		},
		"reading": func() error { return sign(reader, key) },
	} {
		t.Run(name, func(t *testing.T) {
			var done atomic.Bool
			var group errgroup.Group
			for range 16 {
				group.Go(func() error {
					for !done.Load() {
						if err := use(); err != nil {
							return err
						}
					}
					return nil
				})
			}
			group.Go(func() error {
				defer done.Store(true)
				for range 10 {
					version, err := store.Version(t.Context(), ref)
					if err == nil {
						_, err = store.Apply(t.Context(), ref, version, &session.Change{})
					}
					if err != nil {
						return err
					}
				}
				return nil
			})
			require.NoError(t, group.Wait())
		})
	}
}

// A store that is closed lets no other process write before those are done that hold a session.
func TestCloseWaitsForHolders(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	store := open(t, dir)
	key, err := store.NewKey(t.Context(), ref)
	require.NoError(t, err)
	closed := make(chan error)
	require.NoError(t, store.Hold(t.Context(), ref, func(uint64) error {
		go func() { closed <- store.Close() }()
		time.Sleep(20 * time.Millisecond) // lets it come to its wait
		_, err := filestore.Open(dir, filestore.Config{Sealer: sealer(1)})
		require.ErrorIs(t, err, filestore.ErrInUse)
		return sign(store, key)
	}))
	require.NoError(t, <-closed)
	open(t, dir)
}

// Readers and a writer at full speed: each reader sees states that were committed, never one between.
func TestReadersBesideWriter(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	store := open(t, dir)
	_, err := store.Apply(t.Context(), ref, 0, &session.Change{Put: leaves(1)})
	require.NoError(t, err)
	var done atomic.Bool
	var group errgroup.Group
	for range 3 {
		reader := read(t, dir, 1)
		group.Go(func() error {
			for !done.Load() {
				state, err := reader.Load(t.Context(), ref)
				if err != nil {
					return err
				}
				if int(state.Version) != len(state.Leaves) {
					return fmt.Errorf("version %d with %d leaves", state.Version, len(state.Leaves))
				}
			}
			return nil
		})
	}
	group.Go(func() error {
		defer done.Store(true)
		for n := range uint64(30) {
			if _, err := store.Apply(t.Context(), ref, n+1, &session.Change{Put: []session.Leaf{leaf(int(n + 1))}}); err != nil {
				return err
			}
		}
		return nil
	})
	require.NoError(t, group.Wait())
}

func TestReaderAfterRotation(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	store := open(t, dir)
	key, err := store.NewKey(t.Context(), ref)
	require.NoError(t, err)
	old := read(t, dir, 1)
	both, err := filestore.OpenReadOnly(dir, filestore.Config{Sealer: seal.Any{sealer(1), sealer(2)}})
	require.NoError(t, err)
	defer both.Close()
	require.NoError(t, sign(old, key))
	require.NoError(t, sign(both, key))

	require.NoError(t, store.Rotate(t.Context(), sealer(2)))
	require.NoError(t, sign(store, key))
	require.NoError(t, sign(both, key))
	err = sign(old, key)
	require.ErrorIs(t, err, seal.ErrOpen)
	require.True(t, strings.HasPrefix(err.Error(), "session store in "+dir+": sealed data does not open: the keys were sealed by another passphrase or keyset, use that"), err)
}
