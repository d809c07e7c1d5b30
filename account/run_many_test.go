package account_test

import (
	"context"
	"fmt"
	"math/big"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/userop"
	"github.com/go-sesame/sesame/userop/outbox"
)

// countingStore is a store whose outbox counts.
type countingStore struct {
	*memstore.Store
	box *countingBox
}

func (s countingStore) Outbox() outbox.Outbox { return s.box }

type countingBox struct {
	outbox.Outbox
	renewals atomic.Int64
}

func (b *countingBox) Renew(ctx context.Context, lease outbox.Lease, ids ...uint64) ([]uint64, error) {
	b.renewals.Add(1)
	return b.Outbox.Renew(ctx, lease, ids...)
}

func (b *countingBox) Listen(ctx context.Context, due func()) error {
	return b.Outbox.(outbox.Listener).Listen(ctx, due)
}

// crowdedWorld is a laneWorld that takes many operations and counts what it is asked.
type crowdedWorld struct {
	*laneWorld
	asked  atomic.Int64
	sends  sync.Map // hash to *atomic.Int64
	blocks [][]types.Log
}

func (w *crowdedWorld) BlockNumber(context.Context) (uint64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return uint64(len(w.blocks)), nil
}

func (w *crowdedWorld) FilterLogs(_ context.Context, query ethereum.FilterQuery) (found []types.Log, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for number := query.FromBlock.Int64(); number <= query.ToBlock.Int64(); number++ {
		if number > 0 && number <= int64(len(w.blocks)) {
			found = append(found, w.blocks[number-1]...)
		}
	}
	return found, nil
}

func (w *crowdedWorld) SendUserOperation(_ context.Context, op *userop.Operation, at common.Address) (common.Hash, error) {
	hash := op.Hash(at, 80002)
	times, _ := w.sends.LoadOrStore(hash, new(atomic.Int64))
	times.(*atomic.Int64).Add(1)
	return hash, nil
}

func (w *crowdedWorld) UserOperationReceipt(context.Context, common.Hash) (*userop.Receipt, error) {
	w.laneWorld.mu.Lock()
	defer w.laneWorld.mu.Unlock()
	w.asked.Add(1)
	return nil, userop.ErrNotFound // the chain tells
}

// Run goes on with thousands of open sends at once: each is resent, waited for without a goroutine, and
// reported once, and few calls renew all leases.
func TestRunGoesOnWithMany(t *testing.T) { // alone: it counts goroutines
	const n = 2_000
	synctest.Test(t, func(t *testing.T) {
		w := &crowdedWorld{laneWorld: newLaneWorld()}
		memory := outbox.NewMemory()
		box := &countingBox{Outbox: memory}
		entryPoint := contracts.Deployed().EntryPoint
		ops := make([]*userop.Operation, n)
		for i := range ops {
			ops[i] = &userop.Operation{Sender: common.BigToAddress(big.NewInt(int64(1000 + i))), Signature: []byte{1}}
			_, err := memory.Record(t.Context(), outbox.Recording{
				Send:    outbox.Send{ChainID: 80002, Account: ops[i].Sender, EntryPoint: entryPoint, Key: fmt.Sprint(i), Kind: "calls"},
				Attempt: outbox.Attempt{Operation: ops[i], Hash: ops[i].Hash(entryPoint, 80002)},
				Lease:   outbox.Lease{Holder: "crashed", TTL: time.Millisecond},
			})
			require.NoError(t, err)
		}
		time.Sleep(time.Second)
		var mu sync.Mutex
		reported := make(map[common.Address]int)
		client, err := account.NewClient(account.Config{
			ChainID: 80002, Chain: w, Bundler: w, Outbox: countingStore{memstore.New(), box},
			Report: func(_ context.Context, r account.Report) error {
				mu.Lock()
				defer mu.Unlock()
				if r.Err != nil {
					t.Errorf("%s: %v", r.Key, r.Err)
				}
				reported[r.Ref.Account]++
				return nil
			},
		})
		require.NoError(t, err)
		before := runtime.NumGoroutine()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- client.Run(ctx) }()

		most := 0
		look := func(d time.Duration) {
			for range int(d / time.Second) {
				time.Sleep(time.Second)
				most = max(most, runtime.NumGoroutine()-before)
			}
		}
		look(100 * time.Second)
		resent := 0
		w.sends.Range(func(any, any) bool { resent++; return true })
		require.Equal(t, n, resent, "all are resent soon")
		start, renewals := time.Now(), box.renewals.Load()
		look(time.Minute)
		require.LessOrEqual(t, box.renewals.Load()-renewals, int64(20), "a thousand leases in a call, every ten seconds")
		for block := range 20 {
			w.mu.Lock()
			w.logs = nil
			for i := block; i < n; i += 20 {
				hash := ops[i].Hash(entryPoint, 80002)
				w.log(ops[i], hash)
				w.nonces[ops[i].Sender] = map[uint256.Int]uint64{{}: 1}
			}
			for i := range w.logs {
				w.logs[i].BlockNumber = uint64(block + 1)
			}
			w.blocks = append(w.blocks, w.logs)
			w.mu.Unlock()
			look(2 * time.Second)
		}
		look(time.Minute) // the lease of some has to run out
		mu.Lock()
		require.Equal(t, n, len(reported))
		for _, times := range reported {
			require.Equal(t, 1, times)
		}
		mu.Unlock()
		t.Logf("%d goroutines at most; %d renewals; %d receipts in %s", most, box.renewals.Load(), w.asked.Load(), time.Since(start))
		require.LessOrEqual(t, most, 150)
		cancel()
		require.ErrorIs(t, <-ended, context.Canceled)
	})
}
