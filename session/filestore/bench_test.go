package filestore

import (
	"encoding/json"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/internal/durable"
)

// The benchmarks set this store beside one JSON file that is read and written as a whole, both with 10,000
// sessions of as many accounts.
const benchSessions = 10_000

func benchRef(n int) session.Ref {
	return session.Ref{ChainID: 80002, Account: common.BigToAddress(big.NewInt(int64(1 + n)))}
}

func benchStore(b *testing.B) *Store {
	b.Helper()
	store := testOpen(b, testDir(b), testSealer(b, 1))
	require.NoError(b, store.file.update(b.Context(), func(tx *bbolt.Tx) error {
		for n := range benchSessions {
			if err := apply(tx, benchRef(n), 0, &session.Change{Put: []session.Leaf{testLeaf(n)}}); err != nil {
				return err
			}
		}
		return nil
	}))
	return store
}

// jsonFile is the store to compare with.
type jsonFile struct {
	path   string
	states map[string]*session.State
}

func benchJSON(b *testing.B) *jsonFile {
	b.Helper()
	f := &jsonFile{path: filepath.Join(b.TempDir(), "sessions.json"), states: make(map[string]*session.State)}
	for n := range benchSessions {
		f.states[benchRef(n).String()] = &session.State{Version: 1, Leaves: []session.Leaf{testLeaf(n)}}
	}
	require.NoError(b, f.save())
	return f
}

func openJSON(path string) (*jsonFile, error) {
	f := &jsonFile{path: path, states: make(map[string]*session.State)}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return f, json.Unmarshal(content, &f.states)
}

// save is as durable as the store: it syncs the new file and its name.
func (f *jsonFile) save() error {
	content, err := json.Marshal(f.states)
	if err != nil {
		return err
	}
	file, err := os.Create(f.path + ".tmp")
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	return errors.Join(os.Rename(f.path+".tmp", f.path), durable.SyncDir(filepath.Dir(f.path)))
}

// BenchmarkOpen is from nothing to the first session read.
func BenchmarkOpen(b *testing.B) {
	b.Run("filestore", func(b *testing.B) {
		store := benchStore(b)
		require.NoError(b, store.Close())
		for b.Loop() {
			store, err := Open(store.dir, Config{Sealer: testSealer(b, 1)})
			require.NoError(b, err)
			_, err = store.Load(b.Context(), benchRef(1))
			require.NoError(b, err)
			require.NoError(b, store.Close())
		}
	})
	b.Run("JSON", func(b *testing.B) {
		path := benchJSON(b).path
		for b.Loop() {
			f, err := openJSON(path)
			require.NoError(b, err)
			require.NotNil(b, f.states[benchRef(1).String()])
		}
	})
}

// BenchmarkAdd adds a session durably.
func BenchmarkAdd(b *testing.B) {
	b.Run("filestore", func(b *testing.B) {
		store, n := benchStore(b), benchSessions
		for b.Loop() {
			n++
			_, err := store.Apply(b.Context(), benchRef(n), 0, &session.Change{Put: []session.Leaf{testLeaf(n)}})
			require.NoError(b, err)
		}
	})
	b.Run("JSON", func(b *testing.B) {
		f, n := benchJSON(b), benchSessions
		for b.Loop() {
			n++
			f.states[benchRef(n).String()] = &session.State{Version: 1, Leaves: []session.Leaf{testLeaf(n)}}
			require.NoError(b, f.save())
		}
	})
}

// BenchmarkRead reads one account's sessions from the open store.
func BenchmarkRead(b *testing.B) {
	b.Run("filestore", func(b *testing.B) {
		store := benchStore(b)
		for n := 0; b.Loop(); n++ {
			_, err := store.Load(b.Context(), benchRef(n%benchSessions))
			require.NoError(b, err)
		}
	})
	b.Run("filestore read-only", func(b *testing.B) {
		store, err := OpenReadOnly(benchStore(b).dir, Config{})
		require.NoError(b, err)
		defer store.Close()
		for n := 0; b.Loop(); n++ {
			_, err := store.Load(b.Context(), benchRef(n%benchSessions))
			require.NoError(b, err)
		}
	})
	b.Run("JSON", func(b *testing.B) { // in memory; a second process would have to read the file
		f := benchJSON(b)
		for n := 0; b.Loop(); n++ {
			_ = f.states[benchRef(n%benchSessions).String()].Clone()
		}
	})
}

// BenchmarkLargeAccount is of one account with 10,000 sessions.
func BenchmarkLargeAccount(b *testing.B) {
	store := testOpen(b, testDir(b), testSealer(b, 1))
	version, err := store.Apply(b.Context(), testRef, 0, &session.Change{Put: manyLeaves(benchSessions)})
	require.NoError(b, err)
	b.Run("load", func(b *testing.B) {
		for b.Loop() {
			_, err := store.Load(b.Context(), testRef)
			require.NoError(b, err)
		}
	})
	b.Run("add", func(b *testing.B) {
		for n := 0; b.Loop(); n++ {
			version, err = store.Apply(b.Context(), testRef, version, &session.Change{Put: []session.Leaf{testLeaf(n)}})
			require.NoError(b, err)
		}
	})
}

func BenchmarkSignDigest(b *testing.B) {
	store := benchStore(b)
	key, err := store.NewKey(b.Context(), testRef)
	require.NoError(b, err)
	for b.Loop() {
		_, err := store.SignDigest(b.Context(), session.SignRequest{Ref: testRef, Key: key})
		require.NoError(b, err)
	}
}

func manyLeaves(n int) (leaves []session.Leaf) {
	for i := range n {
		leaves = append(leaves, testLeaf(100_000+i))
	}
	return leaves
}
