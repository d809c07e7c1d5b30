package userop_test

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/userop"
)

// stuckNode answers nothing from some time on.
type stuckNode struct {
	*town
	from time.Time
}

func (n stuckNode) stuck(ctx context.Context) error {
	if time.Now().Before(n.from) {
		return nil
	}
	<-ctx.Done()
	return ctx.Err()
}

func (n stuckNode) BlockNumber(ctx context.Context) (uint64, error) {
	if err := n.stuck(ctx); err != nil {
		return 0, err
	}
	return n.town.BlockNumber(ctx)
}

func (n stuckNode) FilterLogs(ctx context.Context, q ethereum.FilterQuery) ([]types.Log, error) {
	if err := n.stuck(ctx); err != nil {
		return nil, err
	}
	return n.town.FilterLogs(ctx, q)
}

func (n stuckNode) NonceState(ctx context.Context, op *userop.Operation, block *big.Int) (userop.NonceState, error) {
	if err := n.stuck(ctx); err != nil {
		return userop.NonceState{}, err
	}
	return n.town.NonceState(ctx, op, block)
}

// Each of many waits ends when its time is over, whatever hangs meanwhile: the bundler, its batches, the node
// that is asked whether their receipts are true.
func TestManyWaitsEndInTime(t *testing.T) {
	for _, batches := range []bool{false, true} {
		for _, hangs := range []bool{false, true} {
			for _, tell := range []bool{false, true} {
				inTime(t, fmt.Sprintf("batches %t, the bundler hangs %t, tells %t", batches, hangs, tell), func(t *testing.T) {
					n := newTown()
					begun := time.Now()
					var b userop.Bundler = townBundler{n}
					if batches {
						b = townBatches{townBundler{n}, false}
					}
					sending := townSender(t, b, stuckNode{n, begun.Add(5 * time.Second)})
					pending, plan := crowd(sending, 400, 1)
					for _, p := range pending {
						n.hangs[p.Hash()] = hangs
					}
					if tell {
						n.mine(plan[0]...)
					}
					n.latency = 20 * time.Millisecond
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					time.AfterFunc(33*time.Second, cancel)
					var waiting sync.WaitGroup
					e := newEnds()
					worst := make([]time.Duration, len(pending))
					over := make([]time.Time, len(pending))
					for i, p := range pending {
						own, most := ctx, 33*time.Second
						var opts []userop.WaitOption
						if i%2 == 0 {
							own, most = t.Context(), time.Duration(6+i/10)*time.Second
							opts = append(opts, userop.AtMost(most))
						}
						over[i] = begun.Add(most)
						if i%4 < 2 {
							e.await(t, own, p, opts...)
							continue
						}
						waiting.Go(func() {
							_, _ = p.Wait(own, opts...)
							worst[i] = time.Since(over[i])
						})
					}
					e.open.Wait()
					waiting.Wait()
					var latest time.Duration
					for i, p := range pending {
						if i%4 < 2 {
							worst[i] = e.at[p.Hash()].Sub(over[i])
						}
						latest = max(latest, worst[i])
					}
					require.LessOrEqual(t, latest, time.Second)
				})
			}
		}
	}
}

// What is called at the end of a wait may itself wait for a family, or for ever: no other wait is held up by
// it that is not told by such a call itself.
func TestWaitsWithinThen(t *testing.T) {
	inTime(t, "wait", func(t *testing.T) {
		n := newTown()
		sending := townSender(t, townBundler{n}, n)
		release := make(chan struct{})
		var open sync.WaitGroup
		for i := range 40 {
			op := resident(i)
			p := sending.WatchOperation(op)
			n.mine(landing{p.Hash(), seatOf(op)})
			open.Add(1)
			p.Then(t.Context(), func(*userop.Receipt, error) {
				defer open.Done()
				<-release
			})
		}
		time.Sleep(10 * time.Second)
		first, second := resident(1000), resident(1000)
		second.MaxFeePerGas.SetUint64(5)
		family := sending.WatchOperation(first, second)
		n.mine(landing{sending.Watch(second.Hash(entryPoint, testChainID)).Hash(), seatOf(second)})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		receipt, err := family.Wait(ctx)
		require.NoError(t, err)
		require.Equal(t, second.Hash(entryPoint, testChainID), receipt.UserOpHash)
		close(release)
		open.Wait()
	})
}

// partial is a node that does not answer for all logs of a block.
type partial struct{ *town }

func (n partial) FilterLogs(ctx context.Context, q ethereum.FilterQuery) ([]types.Log, error) {
	if len(q.Topics) == 0 && len(q.Addresses) == 0 {
		return nil, errors.New("query returned more than 10000 results")
	}
	return n.town.FilterLogs(ctx, q)
}

// Where the node does not answer for all logs of a block, the bundler's receipt is borne out by less.
func TestANodeThatDoesNotShowWholeBlocks(t *testing.T) {
	for _, count := range []int{1, 40} {
		inTime(t, fmt.Sprint(count), func(t *testing.T) {
			n := newTown()
			sending := townSender(t, townBundler{n}, partial{n})
			pending, plan := crowd(sending, count, 1)
			e := newEnds()
			for _, p := range pending {
				e.await(t, t.Context(), p)
			}
			stop := n.mining(slices.Insert(plan, 0, make([][]landing, 20)...))
			e.open.Wait()
			stop()
			for _, p := range pending {
				require.NoError(t, e.err[p.Hash()])
				require.LessOrEqual(t, e.at[p.Hash()].Sub(n.landedAt(p.Hash())), 10*time.Second)
			}
		})
	}
}

// A crowd after another one does not read the blocks in between.
func TestASecondCrowdSweepsWhatIsNew(t *testing.T) {
	inTime(t, "wait", func(t *testing.T) {
		n := newTown()
		widest := &widest{town: n}
		sending := townSender(t, townBundler{n}, widest)
		for i := range 3 {
			var pending []*userop.Pending
			var ops []landing
			for j := range 40 {
				op := resident(100*i + j)
				pending = append(pending, sending.WatchOperation(op))
				ops = append(ops, landing{pending[j].Hash(), seatOf(op)})
			}
			e := newEnds()
			for _, p := range pending {
				e.await(t, t.Context(), p)
			}
			time.Sleep(10 * time.Second)
			n.mine(ops...)
			e.open.Wait()
			for range 5000 {
				n.mine()
			}
			widest.mu.Lock()
			require.LessOrEqual(t, widest.most, uint64(64), "crowd %d", i)
			widest.mu.Unlock()
		}
	})
}

type widest struct {
	*town
	mu   sync.Mutex
	most uint64
}

func (n *widest) FilterLogs(ctx context.Context, q ethereum.FilterQuery) ([]types.Log, error) {
	n.mu.Lock()
	n.most = max(n.most, q.ToBlock.Uint64()-q.FromBlock.Uint64()+1)
	n.mu.Unlock()
	return n.town.FilterLogs(ctx, q)
}

// A sibling that is made while several are waited for already is one of those that may land instead.
func TestASiblingMadeDuringTheWaitForAFamily(t *testing.T) {
	for _, known := range []int{1, 2, 3, 8, 12} {
		for _, async := range []bool{false, true} {
			inTime(t, fmt.Sprintf("%d known, then %t", known, async), func(t *testing.T) {
				n := newTown()
				sending := townSender(t, townBundler{n}, n)
				family := siblings(known + 2)
				pending := sending.WatchOperation(family[0], family[1:known]...)
				receipts := make(chan *userop.Receipt, 1)
				var settled []userop.Outcome
				settling := pending.Settling(func(_ context.Context, is userop.Outcome) (userop.Outcome, error) {
					settled = append(settled, is)
					return is, nil
				})
				wait(t, settling, async, receipts)
				time.Sleep(5 * time.Second)
				for _, op := range family[known:] {
					sending.WatchOperation(op, family[0])
				}
				landed := family[known+1].Hash(entryPoint, testChainID)
				n.mine(landing{landed, seatOf(family[0])})
				receipt := <-receipts
				require.NotNil(t, receipt, "it landed")
				require.Equal(t, landed, receipt.UserOpHash)
				require.Len(t, settled, 1)
				require.NotNil(t, settled[0].Receipt)
			})
		}
	}
}

// A family is over once the last of it is, those included that are not asked for at once, and those that were
// made since.
func TestAFamilyExpiresWithTheLastOfIt(t *testing.T) {
	for _, count := range []int{2, 8, 9, 12} {
		for _, since := range []int{0, 1, 2} {
			for long := range count + since {
				inTime(t, fmt.Sprintf("%d, %d since, %d is longer", count, since, long), func(t *testing.T) {
					n := newTown()
					family := siblings(count + since)
					soon := uint64(time.Now().Unix()) + 20
					sending := townSender(t, townBundler{n}, n, func(cfg *userop.SenderConfig) {
						cfg.Until = func(op *userop.Operation) uint64 {
							if op.MaxFeePerGas == family[long].MaxFeePerGas {
								return soon + 80
							}
							return soon
						}
					})
					receipts := make(chan *userop.Receipt, 1)
					wait(t, sending.WatchOperation(family[0], family[1:count]...), long%2 == 0, receipts)
					stop := n.mining(nil)
					time.Sleep(5 * time.Second)
					for _, op := range family[count:] {
						sending.WatchOperation(op, family[0])
					}
					time.Sleep(70 * time.Second)
					stop()
					landed := family[long].Hash(entryPoint, testChainID)
					n.mine(landing{landed, seatOf(family[0])})
					receipt := <-receipts
					require.NotNil(t, receipt, "it landed")
					require.Equal(t, landed, receipt.UserOpHash)
				})
			}
		}
	}
}

// However many are replaced while they are waited for, each wait knows what took the place of its operation.
func TestManyFamilies(t *testing.T) {
	inTime(t, "wait", func(t *testing.T) {
		n := newTown()
		sending := townSender(t, townBundler{n}, n)
		pending, _ := crowd(sending, 5000, 1)
		e := newEnds()
		for _, p := range pending {
			e.await(t, t.Context(), p)
		}
		landings := make([]landing, len(pending))
		for i, p := range pending {
			next := resident(i)
			next.MaxFeePerGas.SetUint64(5)
			landings[i] = landing{sending.WatchOperation(next, p.Operation()).Hash(), seatOf(next)}
		}
		time.Sleep(5 * time.Second)
		n.mine(landings...)
		e.open.Wait()
		for i, p := range pending {
			require.NoError(t, e.err[p.Hash()])
			require.Equal(t, landings[i].hash, e.got[p.Hash()].UserOpHash)
		}
	})
}

// outage is a bundler whose batches fail for a while.
type outage struct {
	townBatches
	until time.Time
}

func (b outage) UserOperationReceipts(ctx context.Context, hashes []common.Hash) ([]userop.ReceiptAnswer, error) {
	if time.Now().Before(b.until) {
		return nil, passing{}
	}
	return b.townBatches.UserOperationReceipts(ctx, hashes)
}

// After batches that failed each operation is asked for by itself once, and in batches again.
func TestBatchesThatFailForAWhile(t *testing.T) {
	inTime(t, "wait", func(t *testing.T) {
		n := newTown()
		n.latency = 20 * time.Millisecond
		sending := townSender(t, outage{townBatches{townBundler{n}, false}, time.Now().Add(10 * time.Second)}, nil)
		pending, plan := crowd(sending, 2000, 30)
		e := newEnds()
		for _, p := range pending {
			e.await(t, t.Context(), p)
		}
		time.Sleep(time.Minute)
		singles := n.count("receipt")
		stop := n.mining(plan)
		e.open.Wait()
		stop()
		var worst time.Duration
		for _, p := range pending {
			require.NoError(t, e.err[p.Hash()])
			worst = max(worst, e.at[p.Hash()].Sub(n.landedAt(p.Hash())))
		}
		require.LessOrEqual(t, worst, 5*time.Second)
		require.Less(t, n.count("receipt")-singles, 100)
	})
}

// siblings are operations with one nonce.
func siblings(n int) []*userop.Operation {
	family := make([]*userop.Operation, n)
	for i := range family {
		family[i] = resident(1)
		family[i].MaxFeePerGas = *uint256.NewInt(uint64(1000 + i))
	}
	return family
}

func wait(t *testing.T, p *userop.Pending, async bool, receipts chan<- *userop.Receipt) {
	over := func(receipt *userop.Receipt, err error) {
		if err != nil {
			t.Error(err)
		}
		receipts <- receipt
	}
	if async {
		p.Then(t.Context(), over)
		return
	}
	go func() { over(p.Wait(t.Context())) }()
}

// A context that ends while a wait is begun ends that wait, and none of the others.
func TestAContextThatEndsAsItsWaitBegins(t *testing.T) {
	n := newTown()
	sending := townSender(t, townBundler{n}, n)
	stays := sending.WatchOperation(resident(1))
	ends := make(chan error, 1)
	stays.Then(t.Context(), func(_ *userop.Receipt, err error) { ends <- err })
	var ended sync.WaitGroup
	for i := range 20_000 {
		ctx, cancel := context.WithCancel(t.Context())
		go cancel()
		ended.Add(1)
		sending.WatchOperation(resident(2+i%100)).Then(ctx, func(_ *userop.Receipt, err error) {
			if !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			ended.Done()
		})
	}
	ended.Wait()
	n.mine(landing{stays.Hash(), seatOf(resident(1))})
	require.NoError(t, <-ends)
}
