package pgstore_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/testutil/pgtest"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/pgstore"
	"github.com/go-sesame/sesame/session/storetest"
	"github.com/go-sesame/sesame/userop"
	"github.com/go-sesame/sesame/userop/outbox"
)

var entryPoint = common.HexToAddress("0x5ff137d4b0fdcd49dca30c7cf57e578a026d2789")

// sendOf returns what records a key of the tests' account.
func sendOf(key string, nonce uint64) outbox.Recording {
	n := *uint256.NewInt(7)
	op := &userop.Operation{
		Sender: testRef.Account, Nonce: *uint256.NewInt(nonce), InitCode: []byte{}, CallData: make([]byte, 300),
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

func TestOutboxCrash(t *testing.T) {
	schemas := newCrashSchemas(t)
	stores := make(map[outbox.Outbox]*pgstore.Store)
	storetest.CrashOutbox(t, storetest.OutboxCrashConfig{
		Open: func(dir string) (outbox.Outbox, error) {
			store, err := pgstore.Open(context.Background(), schemas.url(t, dir), pgstore.Config{})
			if err != nil {
				return nil, err
			}
			stores[store.Outbox()] = store
			return store.Outbox(), nil
		},
		Close: func(box outbox.Outbox) error { return stores[box].Close() },
	})
}

const recorderEnv = "SESAME_PGSTORE_RECORDER_URL"

// TestProcessesRecordTheSameKeys has several processes record the same sends: of each key, one wins.
func TestProcessesRecordTheSameKeys(t *testing.T) {
	const keys, processes = 60, 4
	if url := os.Getenv(recorderEnv); url != "" {
		box := open(t, url).Outbox()
		for n := range keys {
			_, err := box.Record(t.Context(), sendOf(fmt.Sprint("key ", n), uint64(1000*os.Getpid()+n)))
			if err == nil {
				fmt.Println("won", n)
				continue
			}
			require.ErrorIs(t, err, outbox.ErrExists)
		}
		return
	}
	url := server.URL(t)
	box := open(t, url).Outbox()
	won := make(map[string]int)
	var mu sync.Mutex
	var ended sync.WaitGroup
	for range processes {
		cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), recorderEnv+"="+url)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		ended.Go(func() {
			for lines := bufio.NewScanner(out); lines.Scan(); {
				if !strings.HasPrefix(lines.Text(), "won ") { // but said by the test's own program
					continue
				}
				mu.Lock()
				won[lines.Text()]++
				mu.Unlock()
			}
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
	ended.Wait()
	require.Len(t, won, keys)
	for key, times := range won {
		require.Equal(t, 1, times, key)
	}
	list, err := box.List(t.Context(), outbox.Query{Limit: 1000})
	require.NoError(t, err)
	require.Len(t, list, keys)
}

// outboxMutations change every column under the checksum to something else of its type.
var outboxMutations = []string{
	"version = version + 1", "chain_id = chain_id + 1", "account = set_byte(account, 0, 255 - get_byte(account, 0))",
	"entry_point = set_byte(entry_point, 0, 255 - get_byte(entry_point, 0))", "key = key || 'x'", "kind = kind || 'x'", "asked = asked || 'x'",
	"nonce = set_byte(nonce, 0, 255)", "hashes = hashes || hashes", `attempts = (attempts::text || ' ')::json`, "state = 1, outcome = null, ended_at = null",
	"state = 3", `outcome = (outcome::text || ' ')::json`, "given = not given", "reported = not reported", "created_at = created_at - interval '1 s'",
	"updated_at = updated_at - interval '1 s'", "ended_at = ended_at - interval '1 s'", "checksum = set_byte(checksum, 0, 255 - get_byte(checksum, 0))",
}

func TestDamagedSends(t *testing.T) {
	for _, mutation := range outboxMutations {
		t.Run(mutation, func(t *testing.T) {
			url := server.URL(t)
			box := open(t, url).Outbox()
			entry, err := box.Record(t.Context(), sendOf("a", 7))
			require.NoError(t, err)
			other, err := box.Record(t.Context(), sendOf("b", 8))
			require.NoError(t, err)
			settled, err := box.Settle(t.Context(), entry.ID, 1, landedOf(entry), outbox.Lease{})
			require.NoError(t, err)
			require.NoError(t, box.Release(t.Context(), "worker 1", other.ID))
			pgtest.Exec(t, url, fmt.Sprintf("update sesame_outbox set %s where id = %d", mutation, entry.ID))

			_, err = box.List(t.Context(), outbox.Query{})
			require.ErrorIs(t, err, session.ErrDamaged)
			require.EqualError(t, err, fmt.Sprintf("list sends: session store is damaged: row %d of sesame_outbox was changed by something else than this program; restore the database from a backup", entry.ID))
			require.ErrorIs(t, box.MarkReported(t.Context(), entry.ID), session.ErrDamaged)
			_, err = box.Settle(t.Context(), entry.ID, settled.Version, landedOf(entry), outbox.Lease{})
			require.ErrorIs(t, err, session.ErrDamaged)
			claimed, err := box.Claim(t.Context(), 0, outbox.Lease{Holder: "worker 2", TTL: time.Minute}, 0)
			require.Len(t, claimed, 1, "the others can be")
			require.Equal(t, "b", claimed[0].Key)
			if mutation != "reported = not reported" { // which is nobody's to claim
				require.ErrorIs(t, err, session.ErrDamaged)
			}
			n, err := box.Sweep(t.Context(), 0, 0)
			require.NoError(t, err)
			require.Zero(t, n, "it is not lost")
		})
	}
}

// TestListenerIsTold has the connection of a listener end, and an entry released meanwhile.
func TestListenerIsTold(t *testing.T) {
	url := server.URL(t)
	box := open(t, url).Outbox()
	entry, err := box.Record(t.Context(), sendOf("a", 7))
	require.NoError(t, err)
	listener := open(t, pgtest.With(url, "application_name", "listener")).Outbox().(outbox.Listener)
	due := make(chan struct{}, 100)
	ended := make(chan error, 1)
	go func() { ended <- listener.Listen(t.Context(), func() { due <- struct{}{} }) }()
	<-due
	pgtest.Exec(t, url, `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'listener'`)
	require.ErrorContains(t, <-ended, "listen for sends that are due: ")
	require.NoError(t, box.Release(t.Context(), "worker 1", entry.ID))

	ctx, cancel := context.WithCancel(t.Context())
	go func() { ended <- listener.Listen(ctx, func() { due <- struct{}{} }) }()
	<-due // what became due in between is told
	cancel()
	require.ErrorIs(t, <-ended, context.Canceled)
}

// BenchmarkRecordAndSettle is what a send costs that happens once, beside what a change of sessions does.
func BenchmarkRecordAndSettle(b *testing.B) {
	box := open(b, server.URL(b)).Outbox()
	b.ReportAllocs()
	for n := uint64(0); b.Loop(); n++ {
		entry, err := box.Record(b.Context(), sendOf(fmt.Sprint("key ", n), n))
		require.NoError(b, err)
		_, err = box.Settle(b.Context(), entry.ID, entry.Version, landedOf(entry), outbox.Lease{})
		require.NoError(b, err)
	}
}

func BenchmarkRecord(b *testing.B) {
	box := open(b, server.URL(b)).Outbox()
	b.ReportAllocs()
	for n := uint64(0); b.Loop(); n++ {
		_, err := box.Record(b.Context(), sendOf(fmt.Sprint("key ", n), n))
		require.NoError(b, err)
	}
}
