package userop_test

import (
	"context"
	"errors"

	"fmt"

	"math/rand/v2"
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

// losing is a town's bundler that says which operations it does not know, and takes them when it gets them.
type losing struct {
	townBundler
	lost map[common.Hash]bool
	gets func(hash common.Hash)
}

func (b losing) UserOperationLost(_ context.Context, hash common.Hash) (bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lost[hash] && b.sent[hash] == 0, nil
}

func (b losing) SendUserOperation(ctx context.Context, op *userop.Operation, at common.Address) (common.Hash, error) {
	hash, err := b.townBundler.SendUserOperation(ctx, op, at)
	b.gets(hash)
	return hash, err
}

// With whatever ends operations have, in whatever order, and whatever is wrong with the node and the bundler,
// each wait says what the chain has in the end.
func TestManyEnds(t *testing.T) {
	kinds := make(map[string]int)
	for seed := range uint64(30) {
		inTime(t, fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 13))
			n := newTown()
			n.latency = time.Duration(random.IntN(300)) * time.Millisecond
			n.most, n.blind, n.whole, n.lag = []uint64{0, 0, 3, 50}[random.IntN(4)], random.IntN(6) == 0, random.IntN(4) == 0, random.IntN(3)
			confirmations := uint64(1 + 3*random.IntN(2))
			if confirmations > 1 {
				n.lag = 0 // a node whose newest block is none is not what confirmations are counted on
			}
			bundler := losing{townBundler{n}, make(map[common.Hash]bool), nil}
			var b userop.Bundler = bundler
			plan := make([][]landing, 1000)
			where := make(map[common.Hash]landing)
			bundler.gets = func(hash common.Hash) {
				n.mu.Lock()
				defer n.mu.Unlock()
				plan[n.made+2] = append(plan[n.made+2], where[hash])
			}
			if b = bundler; random.IntN(2) == 0 {
				b = wrapped{batchingLosing{bundler, townBatches{townBundler{n}, random.IntN(3) == 0}}}
			}
			var until sync.Map
			sending := townSender(t, b, n, func(cfg *userop.SenderConfig) {
				cfg.Confirmations = confirmations
				cfg.Until = func(op *userop.Operation) uint64 {
					end, _ := until.LoadOrStore(op.Sender, uint64(0))
					return end.(uint64)
				}
			})
			count := []int{5, 40, 300, 1500}[random.IntN(4)]
			want, pending := make(map[common.Hash]string), make([]*userop.Pending, count)
			for i := range pending {
				op := resident(i)
				seat := seatOf(op)
				kind := []string{"included", "included", "replaced", "expired", "lost"}[random.IntN(5)]
				if kind == "expired" {
					until.Store(op.Sender, uint64(time.Now().Unix())+uint64(random.IntN(60)))
				}
				pending[i] = sending.WatchOperation(op)
				hash := pending[i].Hash()
				want[hash], where[hash] = kind, landing{hash, seat}
				switch at := random.IntN(30); kind {
				case "included":
					plan[at] = append(plan[at], landing{hash, seat})
				case "replaced":
					plan[at] = append(plan[at], landing{common.Hash{0xee, byte(i), byte(i >> 8)}, seat})
				case "lost":
					bundler.lost[hash] = true
				}
			}
			t.Logf("%d operations, %d confirmations; node: %s late, %d blocks, blind %t, whole %t, lag %d; %T", count, confirmations, n.latency, n.most, n.blind, n.whole, n.lag, b)
			reorgs := 0
			stop := make(chan struct{})
			var playing sync.WaitGroup
			playing.Go(func() {
				for i := 0; ; i++ {
					select {
					case <-stop:
						return
					case <-time.After(2 * time.Second):
					}
					var ops []landing
					if n.mu.Lock(); i < len(plan) {
						ops = plan[i]
					}
					n.mu.Unlock()
					if confirmations > 1 && random.IntN(4) == 0 { // they come one block later
						reorgs++
						ops = append(n.lose(), ops...)
						n.mine()
					}
					n.mine(ops...)
				}
			})
			e := newEnds()
			for _, p := range pending {
				e.await(t, t.Context(), p)
				if random.IntN(50) == 0 {
					time.Sleep(time.Second)
				}
			}
			e.open.Wait()
			close(stop)
			playing.Wait()
			for _, p := range pending {
				hash := p.Hash()
				err := e.err[hash]
				kinds[want[hash]]++
				switch want[hash] {
				case "included", "lost":
					require.NoError(t, err, "%s, in block %d of %d, sent %d", want[hash], n.included[hash], len(n.blocks), n.sent[hash])
					require.Equal(t, n.included[hash], int(e.got[hash].BlockNumber))
				case "replaced":
					if unseen := n.blind || n.most == 3; unseen && errors.Is(err, context.DeadlineExceeded) {
						continue // a node that shows so little does not tell by which operation
					}
					require.ErrorIs(t, err, userop.ErrReplaced)
					var ended *userop.EndedError
					require.ErrorAs(t, err, &ended)
					require.Contains(t, n.included, ended.By)
				case "expired":
					require.ErrorIs(t, err, userop.ErrExpired)
				}
				require.Equal(t, want[hash] == "lost", n.sent[hash] > 0, "%s: %d", want[hash], n.sent[hash])
				if want[hash] == "lost" {
					require.Equal(t, 1, n.sent[hash])
				}
			}
			require.LessOrEqual(t, n.busiest(), 105)
		})
	}
	t.Log(kinds)
}

type batchingLosing struct {
	losing
	batches townBatches
}

func (b batchingLosing) UserOperationReceipts(ctx context.Context, hashes []common.Hash) ([]userop.ReceiptAnswer, error) {
	return b.batches.UserOperationReceipts(ctx, hashes)
}
