package userop_test

import (
	"context"
	"fmt"
	"math/big"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/userop"
)

// broughtBySend is how many requests beside the budget an operation brings that is handed over.
const broughtBySend = 3

// pulse makes blocks with that time between them, more or less, until it is stopped.
func (n *town) pulse(random *rand.Rand, period, jitter time.Duration, ops func() []landing) (stop func()) {
	end, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		start := time.Now()
		for i := time.Duration(1); ; i++ {
			at := start.Add(i * period)
			if jitter > 0 {
				at = at.Add(time.Duration(random.Int64N(int64(jitter))))
			}
			select {
			case <-end:
				return
			case <-time.After(time.Until(at)):
			}
			n.mine(ops()...)
		}
	}()
	return func() { close(end); <-done }
}

// A wait returns soon after the block that has its operation, beside the time between blocks, whatever that
// is, and what is asked for that is bounded.
func TestAWaitReturnsSoonAfterTheBlock(t *testing.T) {
	for _, tt := range []struct {
		period, jitter, latency time.Duration
		late                    float64 // on average, in parts of the period
		perBlock                float64 // requests
	}{
		{2 * time.Second, 0, 10 * time.Millisecond, 0.15, 14},
		{2 * time.Second, 0, 50 * time.Millisecond, 0.25, 14},
		{2 * time.Second, 300 * time.Millisecond, 20 * time.Millisecond, 0.25, 16},
		{12 * time.Second, time.Second, 50 * time.Millisecond, 0.15, 50},
		{250 * time.Millisecond, 0, 5 * time.Millisecond, 0.5, 10},
		{250 * time.Millisecond, 50 * time.Millisecond, 5 * time.Millisecond, 0.5, 10},
		{time.Second, 0, 20 * time.Millisecond, 0.25, 12},
	} {
		for _, waits := range []int{1, 8, 64} {
			inTime(t, fmt.Sprintf("%s, jitter %s, latency %s, %d waits", tt.period, tt.jitter, tt.latency, waits), func(t *testing.T) {
				random := rand.New(rand.NewPCG(1, uint64(tt.period)))
				n := newTown()
				n.latency = tt.latency
				sending := townSender(t, townBundler{n}, n)
				made := 0
				var next []landing
				stop := n.pulse(rand.New(rand.NewPCG(2, uint64(tt.period))), tt.period, tt.jitter, func() []landing {
					n.mu.Lock()
					defer n.mu.Unlock()
					ops := next
					next = nil
					return ops
				})
				const rounds = 20
				var late time.Duration
				start := time.Now()
				for round := range rounds {
					e := newEnds()
					all := make([]*userop.Pending, waits)
					for i := range all {
						op := resident(made)
						made++
						all[i] = sending.WatchOperation(op)
						n.mu.Lock()
						next = append(next, landing{all[i].Hash(), seatOf(op)})
						n.mu.Unlock()
						e.await(t, t.Context(), all[i])
					}
					e.open.Wait()
					for _, p := range all {
						require.NoError(t, e.err[p.Hash()])
						if round >= 3 { // by then the time between blocks is known
							late += e.at[p.Hash()].Sub(n.landedAt(p.Hash()))
						}
					}
					time.Sleep(time.Duration(random.Int64N(int64(tt.period))))
				}
				blocks := float64(time.Since(start)) / float64(tt.period)
				stop()
				mean := float64(late) / float64((rounds-3)*waits) / float64(tt.period)
				perBlock := float64(n.count("all")-rounds*waits*(broughtBySend+2)) / blocks
				t.Logf("late by %.3f of the time between blocks, %.1f requests a block besides five for each operation, the one that sent it among them, at most %d/s", mean, perBlock, n.busiest())
				if waits > 16 {
					tt.late *= 2                      // they have to share what is asked
					tt.perBlock += float64(waits) / 2 // some are asked about once more, by chance
				}
				require.LessOrEqual(t, mean, tt.late)
				require.LessOrEqual(t, n.busiest(), 105+waits*(broughtBySend+1))
				require.LessOrEqual(t, perBlock, tt.perBlock)
			})
		}
	}
}

// Whatever the node says of its newest block, it is asked at a bounded pace.
func TestANodeThatLiesAboutItsNewestBlock(t *testing.T) {
	inTime(t, "counts on", func(t *testing.T) {
		n := newTown()
		n.latency = time.Millisecond
		sending := townSender(t, townBundler{n}, hasty{n})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := sending.WatchOperation(resident(1)).Wait(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		t.Logf("asked %v, at most %d/s", n.tally(), n.busiest())
		require.LessOrEqual(t, n.busiest(), 50)
	})
	inTime(t, "tells of blocks that never come", func(t *testing.T) {
		n := newTown()
		n.latency = time.Millisecond
		sending := townSender(t, townBundler{n}, alarming{n})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := sending.WatchOperation(resident(1)).Wait(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		t.Logf("asked %v, at most %d/s", n.tally(), n.busiest())
		require.LessOrEqual(t, n.busiest(), 50)
	})
}

// What is asked for the new blocks leaves room for what the waits ask.
func TestManyWaitAndTheNodeLiesAboutItsNewestBlock(t *testing.T) {
	for name, lying := range map[string]func(n *town) userop.Chain{
		"counts on":                       func(n *town) userop.Chain { return hasty{n} },
		"tells of blocks that never come": func(n *town) userop.Chain { return alarming{n} },
	} {
		inTime(t, name, func(t *testing.T) {
			n := newTown()
			n.latency, n.most = time.Millisecond, 1
			sending := townSender(t, townBundler{n}, lying(n))
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			e := newEnds()
			for i := range 64 {
				e.await(t, ctx, sending.WatchOperation(resident(i)))
			}
			time.Sleep(time.Minute)
			before, asked := n.count("all"), n.count("receipt")
			time.Sleep(30 * time.Second)
			t.Logf("asked %v, at most %d/s", n.tally(), n.busiest())
			require.LessOrEqual(t, n.count("all")-before, 85*30)
			require.GreaterOrEqual(t, n.count("receipt")-asked, 64, "each is asked about")
			cancel()
			e.open.Wait()
		})
	}
}

// alarming is a town whose node tells of ever more blocks that it does not have.
type alarming struct{ *town }

func (a alarming) SubscribeNewHead(_ context.Context, heads chan<- *types.Header) (ethereum.Subscription, error) {
	end := make(chan struct{})
	go func() {
		for next := int64(1000); ; next++ {
			select {
			case <-end:
				return
			case <-time.After(time.Millisecond):
			}
			select {
			case heads <- &types.Header{Number: big.NewInt(next)}:
			case <-end:
				return
			}
		}
	}()
	return ring{end}, nil
}

// hasty is a town whose newest block is another one at every look.
type hasty struct{ *town }

func (h hasty) BlockNumber(ctx context.Context) (uint64, error) {
	_, err := h.town.BlockNumber(ctx)
	h.mu.Lock()
	defer h.mu.Unlock()
	return uint64(h.asked["head"]) + 1000, err
}

// ringing is a town whose node tells of new blocks.
type ringing struct {
	*town
	subscribed, ended *int
	fails             error
}

// ring is a subscription that looks for new blocks as often as it likes.
type ring struct{ end chan struct{} }

func (r ring) Unsubscribe()      { close(r.end) }
func (r ring) Err() <-chan error { return nil }

func (r ringing) SubscribeNewHead(_ context.Context, heads chan<- *types.Header) (ethereum.Subscription, error) {
	*r.subscribed++
	if r.fails != nil {
		return nil, r.fails
	}
	end := make(chan struct{})
	go func() {
		last := 0
		for {
			select {
			case <-end:
				*r.ended++
				return
			case <-time.After(time.Millisecond):
			}
			r.mu.Lock()
			head := len(r.blocks) - 1
			r.mu.Unlock()
			if head > last {
				last = head
				select {
				case heads <- &types.Header{Number: big.NewInt(int64(head))}:
				case <-end:
				}
			}
		}
	}()
	return ring{end}, nil
}

func TestANodeThatTellsOfNewBlocks(t *testing.T) {
	for name, fails := range map[string]error{"tells": nil, "does not, over HTTP": errNode} {
		inTime(t, name, func(t *testing.T) {
			n := newTown()
			n.latency = 20 * time.Millisecond
			subscribed, ended := 0, 0
			sending := townSender(t, townBundler{n}, ringing{n, &subscribed, &ended, fails})
			op := resident(1)
			pending := sending.WatchOperation(op)
			time.AfterFunc(25*time.Second, func() { n.mine(landing{pending.Hash(), seatOf(op)}) })
			_, err := pending.Wait(t.Context())
			require.NoError(t, err)
			late := time.Since(n.landedAt(pending.Hash()))
			synctest.Wait()
			require.Equal(t, 1, subscribed)
			if fails == nil {
				require.LessOrEqual(t, late, 100*time.Millisecond)
				time.Sleep(time.Second)
				require.Equal(t, 1, ended, "nobody waits any more")
			}
		})
	}
}
