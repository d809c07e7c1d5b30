package userop_test

import (
	"context"
	"errors"
	"maps"
	"math/big"
	"slices"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/userop"
)

// town is a chain with the operations of many accounts, and a bundler for them. It counts what it is asked.
type town struct {
	latency time.Duration
	hangs   map[common.Hash]bool // the bundler never answers for it
	most    uint64               // blocks that it answers for
	blind   bool                 // it shows no logs of more than one block
	whole   bool                 // it does not answer for all events

	mu       sync.Mutex
	blocks   []townBlock
	made     int64
	used     map[seat]int // the block that used a nonce
	included map[common.Hash]int
	landed   map[common.Hash]time.Time
	lag      int // blocks that every other answer is behind
	sent     map[common.Hash]int
	asked    map[string]int
	seconds  map[int64]int
}

type seat struct {
	sender common.Address
	nonce  uint256.Int
}

type townBlock struct {
	id   int64
	time uint64
	ops  []landing
}

// landing is an operation in a block.
type landing struct {
	hash common.Hash
	seat seat
}

func newTown() *town {
	return &town{
		blocks: make([]townBlock, 100), used: make(map[seat]int), included: make(map[common.Hash]int),
		landed: make(map[common.Hash]time.Time), sent: make(map[common.Hash]int), asked: make(map[string]int),
		seconds: make(map[int64]int), hangs: make(map[common.Hash]bool),
	}
}

// resident is the operation of an account of its own, with nonce 7.
func resident(i int) *userop.Operation {
	return &userop.Operation{Sender: common.BigToAddress(big.NewInt(int64(i + 1000))), Nonce: *uint256.NewInt(7), Signature: []byte{1}}
}

func seatOf(op *userop.Operation) seat { return seat{op.Sender, op.Nonce} }

// mine makes a block. An operation whose nonce is used is none of it.
func (n *town) mine(ops ...landing) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.made++
	b := townBlock{id: n.made, time: uint64(time.Now().Unix())}
	for _, op := range ops {
		if _, used := n.used[op.seat]; used {
			continue
		}
		n.used[op.seat], n.included[op.hash] = len(n.blocks), len(n.blocks)
		n.landed[op.hash] = time.Now()
		b.ops = append(b.ops, op)
	}
	n.blocks = append(n.blocks, b)
}

// lose loses the last block, and returns what was in it.
func (n *town) lose() []landing {
	n.mu.Lock()
	defer n.mu.Unlock()
	last := len(n.blocks) - 1
	ops := n.blocks[last].ops
	n.blocks = n.blocks[:last]
	for _, op := range ops {
		delete(n.used, op.seat)
		delete(n.included, op.hash)
	}
	return ops
}

func (n *town) enter(ctx context.Context, what string) error {
	if n.latency > 0 {
		select {
		case <-time.After(n.latency):
		case <-ctx.Done():
		}
	}
	n.mu.Lock()
	n.asked[what]++
	n.asked["all"]++
	n.seconds[time.Now().UnixMilli()/1000]++
	n.mu.Unlock()
	return ctx.Err()
}

// busiest is the most that was asked in one second.
func (n *town) busiest() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Max(append(slices.Collect(maps.Values(n.seconds)), 0))
}

// count is how much was asked.
func (n *town) count(what string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.asked[what]
}

// tally is how much was asked, by what it was. The town may be asked for a while after the last wait ended.
func (n *town) tally() map[string]int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return maps.Clone(n.asked)
}

// sends is how often the bundler got an operation.
func (n *town) sends(hash common.Hash) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.sent[hash]
}

// landedAt is when an operation came into a block.
func (n *town) landedAt(hash common.Hash) time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.landed[hash]
}

func (n *town) BlockNumber(ctx context.Context) (uint64, error) {
	err := n.enter(ctx, "head")
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.head(), err
}

// head is the newest block; with a lag, it goes backward every other time.
func (n *town) head() uint64 {
	head := len(n.blocks) - 1
	if n.lag > 0 && n.asked["all"]%2 == 0 {
		head -= n.lag
	}
	return uint64(head)
}

func (n *town) NonceState(ctx context.Context, op *userop.Operation, number *big.Int) (userop.NonceState, error) {
	err := n.enter(ctx, "nonce")
	n.mu.Lock()
	defer n.mu.Unlock()
	at := len(n.blocks) - 1
	if number != nil {
		at = int(number.Int64())
	}
	if at >= len(n.blocks) {
		return userop.NonceState{}, errors.Join(err, errors.New("header not found"))
	}
	block, used := n.used[seatOf(op)]
	return userop.NonceState{Used: used && block <= at, BlockTime: n.blocks[at].time}, err
}

func (n *town) FilterLogs(ctx context.Context, q ethereum.FilterQuery) (logs []types.Log, err error) {
	if err := n.enter(ctx, "logs"); err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	from, to := q.FromBlock.Uint64(), min(q.ToBlock.Uint64(), n.head())
	switch {
	case n.most > 0 && q.ToBlock.Uint64()-from >= n.most:
		return nil, errors.New("block range too large")
	case n.whole && len(q.Topics) == 1:
		return nil, errors.New("query returned more than 10000 results")
	case n.blind && q.ToBlock.Uint64() > from:
		return nil, nil
	}
	for number := from; number <= to && number < uint64(len(n.blocks)); number++ {
		b := n.blocks[number]
		for _, op := range b.ops {
			nonce, success := op.seat.nonce.Bytes32(), uint256.NewInt(1).Bytes32()
			topics := []common.Hash{contracts.UserOperationEventTopic, op.hash, common.BytesToHash(op.seat.sender[:]), {}}
			fits := true
			for i, any := range q.Topics {
				if len(any) > 1000 {
					return nil, errors.New("too many topics")
				}
				fits = fits && (len(any) == 0 || slices.Contains(any, topics[i]))
			}
			if fits {
				logs = append(logs, types.Log{
					Address: entryPoint, Topics: topics, Data: slices.Concat(nonce[:], success[:], make([]byte, 64)),
					BlockNumber: number, TxHash: op.hash, BlockHash: common.BigToHash(big.NewInt(b.id)),
				})
			}
		}
	}
	return logs, nil
}

// townBundler is the town's bundler, which takes one request at a time.
type townBundler struct{ *town }

func (b townBundler) SendUserOperation(ctx context.Context, op *userop.Operation, at common.Address) (common.Hash, error) {
	hash := op.Hash(at, testChainID)
	err := b.enter(ctx, "send")
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sent[hash]++
	return hash, err
}

func (b townBundler) EstimateUserOperationGas(context.Context, *userop.Operation, common.Address, userop.StateOverride) (userop.Gas, error) {
	return userop.Gas{}, nil
}

func (b townBundler) UserOperationReceipt(ctx context.Context, hash common.Hash) (*userop.Receipt, error) {
	if err := b.enter(ctx, "receipt"); err != nil {
		return nil, err
	}
	return b.receipt(ctx, hash)
}

func (b townBundler) receipt(ctx context.Context, hash common.Hash) (*userop.Receipt, error) {
	if b.hangs[hash] {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	number, ok := b.included[hash]
	if !ok {
		return nil, userop.ErrNotFound
	}
	return claim(hash, uint64(number)), nil
}
