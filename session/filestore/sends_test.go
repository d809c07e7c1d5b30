package filestore

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/userop"
	"github.com/go-sesame/sesame/userop/outbox"
)

// sendOf returns what records a key of the tests' account.
func sendOf(key string, nonce uint64) outbox.Recording {
	n, entryPoint := *uint256.NewInt(7), common.HexToAddress("0x5ff137d4b0fdcd49dca30c7cf57e578a026d2789")
	op := &userop.Operation{
		Sender: testRef.Account, Nonce: *uint256.NewInt(nonce), CallData: make([]byte, 300),
		CallGasLimit: n, VerificationGasLimit: n, PreVerificationGas: n, MaxFeePerGas: n, MaxPriorityFeePerGas: n,
		PaymasterAndData: make([]byte, 150), Signature: make([]byte, 600),
	}
	return outbox.Recording{
		Send:    outbox.Send{ChainID: testRef.ChainID, Account: testRef.Account, EntryPoint: entryPoint, Key: key, Kind: "session", Asked: "{}"},
		Attempt: outbox.Attempt{Operation: op, Hash: op.Hash(entryPoint, testRef.ChainID), Until: 1_900_000_000},
		Lease:   outbox.Lease{Holder: "worker 1", TTL: time.Minute},
	}
}

func landedOf(e *outbox.Entry) outbox.Outcome {
	return outbox.Outcome{State: outbox.StateLanded, Hash: e.Latest().Hash, Transaction: common.Hash{1}, BlockNumber: 2}
}

// Each record of the outbox is changed, removed, and put in another's place: the next start says so.
func TestDamagedSends(t *testing.T) {
	errUndo := errors.New("undo the damage")
	dir := testDir(t)
	store := testOpen(t, dir, testSealer(t, 1))
	for n, key := range []string{"a", "b", "c"} {
		entry, err := store.Outbox().Record(t.Context(), sendOf(key, uint64(n)))
		require.NoError(t, err)
		if n > 0 {
			_, err = store.Outbox().Settle(t.Context(), entry.ID, 1, landedOf(entry), outbox.Lease{})
			require.NoError(t, err)
		}
		if n > 1 {
			require.NoError(t, store.Outbox().MarkReported(t.Context(), entry.ID))
		}
	}
	require.NoError(t, store.file.view(t.Context(), checkAll))
	for _, damage := range sendDamages(t, store) {
		err := store.file.update(t.Context(), func(tx *bbolt.Tx) error {
			require.NoError(t, damage.do(tx))
			require.ErrorIs(t, checkAll(tx), session.ErrDamaged, damage.name)
			return errUndo
		})
		require.ErrorIs(t, err, errUndo)
	}
	require.NoError(t, store.file.view(t.Context(), checkAll))
}

type sendDamage struct {
	name string
	do   func(tx *bbolt.Tx) error
}

func sendDamages(t *testing.T, store *Store) (all []sendDamage) {
	t.Helper()
	require.NoError(t, store.file.view(t.Context(), func(tx *bbolt.Tx) error {
		for _, bucket := range [][]byte{sendsBucket, findsBucket} {
			var last []byte
			require.NoError(t, tx.Bucket(bucket).ForEach(func(name, stored []byte) error {
				name, stored = bytes.Clone(name), bytes.Clone(stored)
				all = append(all, damagesOf(bucket, name, stored, last)...)
				last = stored
				return nil
			}))
			all = append(all, sendDamage{"no " + string(bucket), func(tx *bbolt.Tx) error { return tx.DeleteBucket(bucket) }})
		}
		all = append(all, damagesOf(metaBucket, sendsKey, bytes.Clone(tx.Bucket(metaBucket).Get(sendsKey)), nil)...)
		return nil
	}))
	require.Greater(t, len(all), 40)
	return all
}

func damagesOf(bucket, name, stored, other []byte) []sendDamage {
	put := func(record []byte) func(tx *bbolt.Tx) error {
		return func(tx *bbolt.Tx) error { return tx.Bucket(bucket).Put(name, record) }
	}
	flipped := slices.Clone(stored)
	flipped[0] ^= 1
	what := fmt.Sprintf("%s %q ", bucket, name)
	all := []sendDamage{
		{what + "changed", put(flipped)},
		{what + "cut", put(stored[:len(stored)-1])},
		{what + "gone", func(tx *bbolt.Tx) error { return tx.Bucket(bucket).Delete(name) }},
	}
	if other != nil {
		all = append(all, sendDamage{what + "another's", put(other)})
	}
	return all
}

// A process that opened the store to read looks things up, and is told who may record.
func TestOutboxOfAReader(t *testing.T) {
	dir := testDir(t)
	writer := testOpen(t, dir, testSealer(t, 1))
	entry, err := writer.Outbox().Record(t.Context(), sendOf("a", 7))
	require.NoError(t, err)
	store, err := OpenReadOnly(dir, Config{})
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Close()) }()
	box, lease := store.Outbox(), outbox.Lease{Holder: "worker 2", TTL: time.Minute}

	found, err := box.Find(t.Context(), testRef.ChainID, testRef.Account, "a")
	require.NoError(t, err)
	require.Equal(t, entry.ID, found.Entry.ID)
	errs := make(map[string]error)
	_, errs["Record"] = box.Record(t.Context(), sendOf("b", 8))
	_, errs["AddAttempt"] = box.AddAttempt(t.Context(), entry.ID, 1, sendOf("b", 7).Attempt, lease)
	_, errs["Settle"] = box.Settle(t.Context(), entry.ID, 1, landedOf(entry), lease)
	_, errs["MarkGiven"] = box.MarkGiven(t.Context(), entry.ID, 1)
	errs["Free"] = box.Free(t.Context(), entry.ID, 1)
	_, errs["Claim"] = box.Claim(t.Context(), 0, lease, 0)
	_, errs["Take"] = box.Take(t.Context(), entry.ID, 1, lease)
	_, errs["Renew"] = box.Renew(t.Context(), lease, entry.ID)
	errs["Release"] = box.Release(t.Context(), "worker 1", entry.ID)
	errs["MarkReported"] = box.MarkReported(t.Context(), entry.ID)
	_, errs["Sweep"] = box.Sweep(t.Context(), 0, 0)
	_, _, errs["ApplyRecording"] = store.ApplyRecording(t.Context(), testRef, 0, new(session.Change), sendOf("b", 8))
	for name, err := range errs {
		require.ErrorIs(t, err, ErrReadOnly, name)
		require.ErrorIs(t, err, outbox.ErrReadOnly, name)
		require.EqualError(t, err, "session store in "+dir+": it was opened for reading only, and its outbox belongs to the process that has it open for writing: send there", name)
	}
}

// BenchmarkRecordAndSettle is what a send costs that happens once, beside what a change of sessions does.
func BenchmarkRecordAndSettle(b *testing.B) {
	box := testOpen(b, testDir(b), testSealer(b, 1)).Outbox()
	for n := uint64(0); b.Loop(); n++ {
		entry, err := box.Record(b.Context(), sendOf(fmt.Sprint("key ", n), n))
		require.NoError(b, err)
		_, err = box.Settle(b.Context(), entry.ID, entry.Version, landedOf(entry), outbox.Lease{})
		require.NoError(b, err)
	}
}
