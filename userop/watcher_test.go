package userop_test

import (
	"context"
	"errors"

	"fmt"

	"math/rand/v2"
	"runtime"
	"strings"
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

// However many are pending, what is asked in a second and the goroutines are bounded, and with a chain to
// read none is told late.
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
				worst = max(worst, e.at[p.Hash()].Sub(t0.landedAt(p.Hash())))
			}
			t.Logf("asked %v, at most %d/s; late by %s at most; %d goroutines", t0.tally(), t0.busiest(), worst, most)
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

// loses makes the bundler lose an operation that it got, as if it never had.
func (b losing) loses(hash common.Hash) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lost[hash], b.sent[hash] = true, 0
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
				random := rand.New(rand.NewPCG(seed, 17))
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
					require.NoError(t, err, "%s, in block %d of %d, sent %d", want[hash], n.included[hash], len(n.blocks), n.sends(hash))
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
				require.Equal(t, want[hash] == "lost", n.sends(hash) > 0, "%s: %d", want[hash], n.sends(hash))
				if want[hash] == "lost" {
					require.Equal(t, 1, n.sends(hash))
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

// An operation for which the bundler never answers holds up no other.
func TestABundlerThatHangsForSome(t *testing.T) {
	for _, batches := range []bool{false, true} {
		inTime(t, fmt.Sprintf("batches %t", batches), func(t *testing.T) {
			n := newTown()
			var b userop.Bundler = townBundler{n}
			if batches {
				b = townBatches{townBundler{n}, false}
			}
			sending := townSender(t, b, nil)
			pending, plan := crowd(sending, 1000, 10)
			for _, p := range pending[:40] {
				n.hangs[p.Hash()] = true
			}
			e := newEnds()
			for _, p := range pending {
				e.await(t, t.Context(), p)
			}
			stop := n.mining(plan)
			e.open.Wait()
			stop()
			var worst time.Duration
			for i, p := range pending {
				if i < 40 {
					require.ErrorIs(t, e.err[p.Hash()], context.DeadlineExceeded)
					require.True(t, userop.MayBeAccepted(e.err[p.Hash()]))
					continue
				}
				require.NoError(t, e.err[p.Hash()])
				worst = max(worst, e.at[p.Hash()].Sub(n.landedAt(p.Hash())))
			}
			t.Logf("late by %s at most", worst)
			require.LessOrEqual(t, worst, time.Minute)
		})
	}
	inTime(t, "the chain tells of those, too", func(t *testing.T) {
		n := newTown()
		sending := townSender(t, townBundler{n}, n)
		pending, plan := crowd(sending, 200, 10)
		e := newEnds()
		for _, p := range pending {
			n.hangs[p.Hash()] = true
			e.await(t, t.Context(), p)
		}
		stop := n.mining(plan)
		e.open.Wait()
		stop()
		for _, p := range pending {
			require.NoError(t, e.err[p.Hash()])
			require.LessOrEqual(t, e.at[p.Hash()].Sub(n.landedAt(p.Hash())), 8*time.Second)
		}
	})
}

// A node that shows no events of several blocks is found out by what the bundler tells and it bears out.
func TestANodeThatShowsNoEvents(t *testing.T) {
	inTime(t, "wait", func(t *testing.T) {
		n := newTown()
		n.blind = true
		sending := townSender(t, townBundler{n}, n)
		pending, plan := crowd(sending, 100, 100)
		e := newEnds()
		for _, p := range pending {
			e.await(t, t.Context(), p)
		}
		stop := n.mining(plan)
		e.open.Wait()
		stop()
		for i, p := range pending {
			require.NoError(t, e.err[p.Hash()])
			late := e.at[p.Hash()].Sub(n.landedAt(p.Hash()))
			require.LessOrEqual(t, late, 35*time.Second)
			if i > 75 {
				require.LessOrEqual(t, late, 5*time.Second, "each asks by itself")
			}
		}
	})
}

// Waits end with their contexts, many at once as well, and without a question.
func TestManyWaitsThatAreCancelled(t *testing.T) {
	inTime(t, "then", func(t *testing.T) {
		n := newTown()
		sending := townSender(t, townBundler{n}, n)
		pending, _ := crowd(sending, 3000, 1)
		ctx, cancel := context.WithCancel(t.Context())
		first, later := newEnds(), newEnds()
		for _, p := range pending[:2000] {
			first.await(t, ctx, p)
		}
		for _, p := range pending[2000:] {
			later.await(t, t.Context(), p, userop.AtMost(2*time.Minute))
		}
		start := time.Now()
		time.Sleep(70 * time.Second)
		asked := n.count("all")
		cancel()
		first.open.Wait()
		require.LessOrEqual(t, n.count("all"), asked+40)
		later.open.Wait()
		for i, p := range pending {
			e, want, at := first, context.Canceled, 70*time.Second
			if i >= 2000 {
				e, want, at = later, context.DeadlineExceeded, 120*time.Second
			}
			var open *userop.WaitError
			require.ErrorAs(t, e.err[p.Hash()], &open)
			require.ErrorIs(t, open.Err, want)
			require.Equal(t, p.Hash(), open.Hash)
			require.InDelta(t, at.Seconds(), e.at[p.Hash()].Sub(start).Seconds(), 3)
			require.InDelta(t, at.Seconds(), open.Waited.Seconds(), 3)
		}
	})
	inTime(t, "wait, while the bundler hangs", func(t *testing.T) {
		n := newTown()
		sending := townSender(t, townBundler{n}, nil)
		pending, _ := crowd(sending, 100, 1)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		var waiting sync.WaitGroup
		start := time.Now()
		for _, p := range pending {
			n.hangs[p.Hash()] = true
			waiting.Go(func() {
				_, err := p.Wait(ctx)
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.Equal(t, 20*time.Second, time.Since(start))
			})
		}
		waiting.Wait()
	})
}

// A bundler that asks one wait to stay away is left alone by all of them.
func TestRetryAfterIsForAll(t *testing.T) {
	inTime(t, "wait", func(t *testing.T) {
		n := newTown()
		b := &overloaded{townBundler: townBundler{n}}
		sending := townSender(t, b, n)
		pending, plan := crowd(sending, 500, 10)
		e := newEnds()
		for _, p := range pending {
			e.await(t, t.Context(), p)
		}
		stop := n.mining(plan)
		e.open.Wait()
		stop()
		for _, p := range pending {
			require.NoError(t, e.err[p.Hash()], "the chain tells")
		}
		require.LessOrEqual(t, b.count("receipt"), 40, "those that were under way")
	})
}

type overloaded struct{ townBundler }

func (b *overloaded) UserOperationReceipt(ctx context.Context, _ common.Hash) (*userop.Receipt, error) {
	if err := b.enter(ctx, "receipt"); err != nil {
		return nil, err
	}
	return nil, away{}
}

// away is an answer that asks to be left alone.
type away struct{}

func (away) Error() string { return "too many requests" }

func (away) Temporary() bool { return true }

func (away) RetryDelay() time.Duration { return time.Minute }

// A bundler in the same process tells at once, also who does not wait in a goroutine.
func TestThenOfABundlerThatTells(t *testing.T) {
	inTime(t, "then", func(t *testing.T) {
		b := telling{newServices(), make(chan struct{})}
		sending := townSender(t, b, nil)
		e := newEnds()
		pending := sending.Watch(common.Hash{7})
		e.await(t, t.Context(), pending)
		time.Sleep(time.Minute)
		b.mu.Lock()
		b.receipts = []any{&userop.Receipt{UserOpHash: common.Hash{7}, Success: true}}
		b.mu.Unlock()
		close(b.settled)
		start := time.Now()
		e.open.Wait()
		require.NoError(t, e.err[pending.Hash()])
		require.LessOrEqual(t, time.Since(start), 250*time.Millisecond)
	})
}

// telling is a bundler that tells when there is something to ask.
type telling struct {
	*services
	settled chan struct{}
}

func (b telling) Settled(common.Hash) <-chan struct{} { return b.settled }

// What was cancelled is not handed out again when a bundler loses it, and its cancellation is; what was
// replaced since is not cancelled any more.
func TestALostOperationThatWasCancelled(t *testing.T) {
	for _, replaced := range []bool{false, true} {
		inTime(t, fmt.Sprintf("replaced since %t", replaced), func(t *testing.T) {
			n := newTown()
			b := losing{townBundler{n}, make(map[common.Hash]bool), func(common.Hash) {}}
			s := newServices()
			sending := townSender(t, b, n, func(cfg *userop.SenderConfig) { cfg.Fees, cfg.UnidentifiedBundler = s, true })
			draft := newDraft(new(int))
			draft.Sponsored = false
			stuck, err := sending.Send(t.Context(), draft)
			require.NoError(t, err)
			canceling := draft
			canceling.Nonce, canceling.Replaces, canceling.Cancels = nil, stuck, true
			all := []*userop.Pending{stuck}
			tx, err := sending.Send(t.Context(), canceling)
			require.NoError(t, err)
			all = append(all, tx)
			if replaced {
				canceling.Cancels = false
				tx, err = sending.Send(t.Context(), canceling)
				require.NoError(t, err)
				all = append(all, tx)
			}
			e := newEnds()
			for _, p := range all {
				b.loses(p.Hash())
				e.await(t, t.Context(), p, userop.AtMost(3*time.Minute))
			}
			e.open.Wait()
			require.Equal(t, replaced, n.sends(stuck.Hash()) > 0)
			for _, p := range all[1:] {
				require.Positive(t, n.sends(p.Hash()))
			}
		})
	}
}

// What a bundler lost it gets again, as long as its guard lets it.
func TestALostOperationAndItsGuard(t *testing.T) {
	for name, guard := range map[string]userop.Guard{
		"none":          nil,
		"that lets it":  func(context.Context, *userop.Operation) error { return nil },
		"that does not": func(context.Context, *userop.Operation) error { return errNode },

		"of its own, that does not": func(context.Context, *userop.Operation) error { return errNode },
	} {
		inTime(t, name, func(t *testing.T) {
			n := newTown()
			op := resident(1)
			b := losing{townBundler{n}, make(map[common.Hash]bool), func(common.Hash) {}}
			sending := townSender(t, b, n)
			sent, err := sending.ResendGuarded(t.Context(), op, nil)
			switch {
			case name == "of its own, that does not":
				sent = sending.WatchOperation(op).Guarded(guard)
			case guard != nil:
				holds := false
				sent, err = sending.ResendGuarded(t.Context(), op, func(ctx context.Context, op *userop.Operation) error {
					if !holds {
						holds = true
						return nil
					}
					return guard(ctx, op)
				})
			}
			require.NoError(t, err)
			b.loses(sent.Hash())
			_, err = sent.Wait(t.Context(), userop.AtMost(5*time.Minute))
			require.ErrorIs(t, err, context.DeadlineExceeded)
			if strings.HasSuffix(name, "that does not") {
				require.Zero(t, n.sends(sent.Hash()))
				require.ErrorContains(t, err, "not sent again: node says no")
				return
			}
			require.Equal(t, 1, n.sends(sent.Hash()))
		})
	}
}

// dying is a bundler that is out of reach until it is back.
type dying struct {
	losing
	back time.Time
}

func (b dying) away() error {
	if time.Now().Before(b.back) {
		return passing{}
	}
	return nil
}

func (b dying) UserOperationReceipt(ctx context.Context, hash common.Hash) (*userop.Receipt, error) {
	if err := b.away(); err != nil {
		return nil, err
	}
	return b.losing.UserOperationReceipt(ctx, hash)
}

func (b dying) UserOperationLost(ctx context.Context, hash common.Hash) (bool, error) {
	if err := b.away(); err != nil {
		return false, err
	}
	return b.losing.UserOperationLost(ctx, hash)
}

// What a bundler lost with all the rest of its mempool it gets again soon, however many wait, also where it
// was away for a while.
func TestManyLostOperationsAreHandedAgainSoon(t *testing.T) {
	for away, soon := range map[time.Duration]time.Duration{0: time.Minute, 50 * time.Second: 150 * time.Second} {
		inTime(t, fmt.Sprint(away), func(t *testing.T) {
			n := newTown()
			b := dying{losing{townBundler{n}, make(map[common.Hash]bool), func(common.Hash) {}}, time.Now().Add(away)}
			pending, _ := crowd(townSender(t, b, n), 100, 1)
			var open sync.WaitGroup
			for _, tx := range pending {
				b.lost[tx.Hash()] = true
				open.Go(func() { _, _ = tx.Wait(t.Context(), userop.AtMost(soon)) })
			}
			for end := time.Now().Add(soon); time.Now().Before(end); time.Sleep(2 * time.Second) {
				n.mine()
			}
			open.Wait()
			for i, tx := range pending {
				require.Equal(t, 1, n.sends(tx.Hash()), "operation %d", i)
			}
		})
	}
}
