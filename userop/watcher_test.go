package userop_test

import (
	"context"

	"fmt"

	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/userop"
)

// townBatches is the town's bundler where it takes batches.
type townBatches struct {
	townBundler
	refuses bool
}

func (b townBatches) UserOperationReceipts(ctx context.Context, hashes []common.Hash) ([]userop.ReceiptAnswer, error) {
	if err := b.enter(ctx, "batch"); err != nil {
		return nil, err
	}
	if b.refuses {
		return nil, fmt.Errorf("%w: invalid request", userop.ErrNoBatch)
	}
	answers := make([]userop.ReceiptAnswer, len(hashes))
	for i, hash := range hashes {
		answers[i].Receipt, answers[i].Err = b.receipt(ctx, hash)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	return answers, nil
}

// wrapped says what it wraps.
type wrapped struct{ userop.Bundler }

func (w wrapped) Unwrap() userop.Bundler { return w.Bundler }

func townSender(t *testing.T, b userop.Bundler, chain userop.Chain, change ...func(*userop.SenderConfig)) *userop.Sender {
	cfg := userop.SenderConfig{ChainID: testChainID, EntryPoint: entryPoint, Bundler: b, Chain: chain, WaitTimeout: 10 * time.Minute}
	for _, c := range change {
		c(&cfg)
	}
	made, err := userop.NewSender(cfg)
	require.NoError(t, err)
	return made
}

// ends are how waits ended.
type ends struct {
	mu   sync.Mutex
	open sync.WaitGroup
	err  map[common.Hash]error
	at   map[common.Hash]time.Time
	got  map[common.Hash]*userop.Receipt
}

func newEnds() *ends {
	return &ends{err: make(map[common.Hash]error), at: make(map[common.Hash]time.Time), got: make(map[common.Hash]*userop.Receipt)}
}

// await waits for an operation without a goroutine.
func (e *ends) await(t *testing.T, ctx context.Context, p *userop.Pending, opts ...userop.WaitOption) {
	e.open.Add(1)
	p.Then(ctx, func(receipt *userop.Receipt, err error) {
		defer e.open.Done()
		e.mu.Lock()
		defer e.mu.Unlock()
		if _, twice := e.at[p.Hash()]; twice {
			t.Errorf("%s ended twice", p.Hash())
		}
		e.got[p.Hash()], e.err[p.Hash()], e.at[p.Hash()] = receipt, err, time.Now()
	}, opts...)
}

// mining makes a block every two seconds until it is stopped.
func (n *town) mining(plan [][]landing) (stop func()) {
	end, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-end:
				return
			case <-time.After(2 * time.Second):
			}
			if i < len(plan) {
				n.mine(plan[i]...)
			} else {
				n.mine()
			}
		}
	}()
	return func() { close(end); <-done }
}

// crowd is so many pending operations, and the blocks that they are in, one after another.
func crowd(s *userop.Sender, n, blocks int) ([]*userop.Pending, [][]landing) {
	pending, plan := make([]*userop.Pending, n), make([][]landing, blocks)
	for i := range pending {
		op := resident(i)
		pending[i] = s.WatchOperation(op)
		plan[i%blocks] = append(plan[i%blocks], landing{pending[i].Hash(), seatOf(op)})
	}
	return pending, plan
}

// However many are pending, what is asked in a second and the goroutines are bounded, and with a chain to read
// none is told late.
func TestManyPending(t *testing.T) {
	const n = 10_000
	for name, tt := range map[string]struct {
		batches, refuses, chain bool
		late                    time.Duration
	}{
		"events":                      {false, false, true, 5 * time.Second},
		"events and batches":          {true, false, true, 5 * time.Second},
		"batches":                     {true, false, false, 5 * time.Second},
		"batches that are refused":    {true, true, true, 5 * time.Second},
		"neither, a turn for each of": {false, false, false, n / 80 * 5 / 4 * time.Second},
	} {
		inTime(t, name, func(t *testing.T) {
			t0 := newTown()
			t0.latency = 100 * time.Millisecond
			var b userop.Bundler = townBundler{t0}
			if tt.batches {
				b = wrapped{townBatches{townBundler{t0}, tt.refuses}}
			}
			var chain userop.Chain
			if tt.chain {
				chain = t0
			}
			sending := townSender(t, b, chain)
			pending, plan := crowd(sending, n, 30)
			before := runtime.NumGoroutine()
			e := newEnds()
			for _, p := range pending {
				e.await(t, t.Context(), p)
			}
			stop := t0.mining(plan)
			most := 0
			for range 60 {
				time.Sleep(time.Second)
				most = max(most, runtime.NumGoroutine()-before)
			}
			e.open.Wait()
			stop()
			var worst time.Duration
			for _, p := range pending {
				require.NoError(t, e.err[p.Hash()])
				require.Equal(t, p.Hash(), e.got[p.Hash()].UserOpHash)
				require.Equal(t, tt.chain, e.got[p.Hash()].Confirmed)
				worst = max(worst, e.at[p.Hash()].Sub(t0.landed[p.Hash()]))
			}
			t.Logf("asked %v, at most %d/s; late by %s at most; %d goroutines", t0.asked, t0.busiest(), worst, most)
			require.LessOrEqual(t, worst, tt.late)
			require.LessOrEqual(t, t0.busiest(), 105)
			require.LessOrEqual(t, most, 64)
			if tt.refuses {
				require.LessOrEqual(t, t0.count("batch"), 40, "it is remembered")
			}
		})
	}
}
