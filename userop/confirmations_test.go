package userop_test

import (
	"context"
	"errors"
	"maps"
	"math/big"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/userop"
)

// ledger is a chain that can lose its last blocks, with the operations of one nonce.
type ledger struct {
	mu       sync.Mutex
	blocks   []block // block 0 is there from the start
	made     int
	requests map[string]int
	err      error // of every question
}

type block struct {
	id   int
	time uint64
	op   common.Hash // that is in it
}

var _ userop.Chain = (*ledger)(nil)

func newLedger() *ledger { return &ledger{blocks: make([]block, 1), requests: make(map[string]int)} }

// mine makes a block, one second after the last one, with an operation where there is one.
func (l *ledger) mine(op common.Hash) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.made++
	l.blocks = append(l.blocks, block{id: l.made, time: l.blocks[len(l.blocks)-1].time + 1, op: op})
}

// lose loses the last blocks.
func (l *ledger) lose(depth int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.blocks = l.blocks[:len(l.blocks)-depth]
}

// tally is how much was asked, by what it was.
func (l *ledger) tally() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.requests)
}

func (l *ledger) enter(what string) error {
	l.requests[what]++
	return l.err
}

// find is the block that has used the nonce up to one, 0 for none.
func (l *ledger) find(upTo int) int {
	return max(0, slices.IndexFunc(l.blocks[:upTo+1], func(b block) bool { return b.op != common.Hash{} }))
}

func (l *ledger) BlockNumber(context.Context) (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return uint64(len(l.blocks) - 1), l.enter("head")
}

func (l *ledger) NonceState(_ context.Context, _ *userop.Operation, number *big.Int) (userop.NonceState, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := len(l.blocks) - 1
	if number != nil {
		at = int(number.Int64())
	}
	if err := l.enter("nonce"); err != nil || at >= len(l.blocks) {
		return userop.NonceState{}, errors.Join(err, errors.New("header not found"))
	}
	return userop.NonceState{Used: l.find(at) > 0, BlockTime: l.blocks[at].time}, nil
}

func (l *ledger) FilterLogs(_ context.Context, q ethereum.FilterQuery) (logs []types.Log, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.enter("logs"); err != nil {
		return nil, err
	}
	for number := q.FromBlock.Uint64(); number <= q.ToBlock.Uint64() && number < uint64(len(l.blocks)); number++ {
		if b := l.blocks[number]; b.op != (common.Hash{}) {
			nonce, success := uint256.NewInt(7).Bytes32(), uint256.NewInt(1).Bytes32()
			logs = append(logs, types.Log{
				Address:     entryPoint,
				Topics:      []common.Hash{contracts.UserOperationEventTopic, b.op, common.BytesToHash(sender[:]), {}},
				Data:        slices.Concat(nonce[:], success[:], make([]byte, 64)),
				BlockNumber: number, TxHash: b.op, BlockHash: common.BigToHash(big.NewInt(int64(b.id))),
			})
		}
	}
	return logs, nil
}

// claim is the receipt of a bundler that says that the operation is in that block.
func claim(hash common.Hash, number uint64) *userop.Receipt {
	return &userop.Receipt{UserOpHash: hash, Success: true, TransactionHash: hash, BlockNumber: number}
}

func deepSender(t *testing.T, b userop.Bundler, l userop.Chain, n uint64) *userop.Sender {
	t.Helper()
	made, err := userop.NewSender(userop.SenderConfig{
		ChainID: testChainID, EntryPoint: entryPoint, Bundler: b, Chain: l, WaitTimeout: 5 * time.Minute, Confirmations: n,
		Until: func(*userop.Operation) uint64 { return 100 },
	})
	require.NoError(t, err)
	return made
}

func operation() *userop.Operation {
	return &userop.Operation{Sender: sender, Nonce: *uint256.NewInt(7), Signature: []byte{1}}
}

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestConfirmations(t *testing.T) {
	inTime(t, "are waited for", func(t *testing.T) {
		for _, n := range []uint64{0, 1, 2, 3, 10} {
			s, l := newServices(), newLedger()
			pending := deepSender(t, s, l, n).WatchOperation(operation())
			l.mine(pending.Hash())
			s.receipts = []any{claim(pending.Hash(), 1)}
			stop := mineEvery(t, l, 10*time.Second)
			start := time.Now()
			receipt, err := pending.Wait(t.Context())
			require.NoError(t, err)
			require.True(t, receipt.Confirmed)
			require.EqualValues(t, 1, receipt.BlockNumber)
			blocks := time.Duration(max(n, 1) - 1)
			require.GreaterOrEqual(t, time.Since(start), blocks*10*time.Second)
			require.Less(t, time.Since(start), blocks*10*time.Second+10*time.Second)
			if n <= 1 {
				require.Equal(t, map[string]int{"logs": 1}, l.tally(), "nothing more is asked for one")
			}
			require.Equal(t, 1, s.count("receipt"))
			require.LessOrEqual(t, l.tally()["head"], 10+int(blocks)*5)
			require.LessOrEqual(t, l.tally()["logs"], 2+int(blocks))
			stop()
		}
	})
	inTime(t, "of one wait, more or fewer than the sender's", func(t *testing.T) {
		for _, tt := range []struct{ sender, wait, most uint64 }{{1, 3, 3}, {3, 1, 1}, {3, 0, 3}, {0, 0, 1}} {
			s, l := newServices(), newLedger()
			pending := deepSender(t, s, l, tt.sender).WatchOperation(operation())
			l.mine(pending.Hash())
			s.receipts = []any{claim(pending.Hash(), 1)}
			for range tt.most - 1 {
				_, err := pending.Wait(within(t, 10*time.Second), userop.Confirmations(tt.wait))
				require.ErrorIs(t, err, context.DeadlineExceeded, "%+v", tt)
				l.mine(common.Hash{})
			}
			_, err := pending.Wait(within(t, 10*time.Second), userop.Confirmations(tt.wait))
			require.NoError(t, err, "%+v", tt)
		}
	})
	inTime(t, "by hash alone, and where the bundler knows nothing", func(t *testing.T) {
		for _, byHash := range []bool{false, true} {
			l := newLedger()
			sending := deepSender(t, newServices(), l, 3)
			pending := sending.WatchOperation(operation())
			if byHash {
				pending = sending.Watch(pending.Hash())
			}
			l.mine(pending.Hash())
			defer mineEvery(t, l, 10*time.Second)()
			receipt, err := pending.Wait(t.Context())
			require.NoError(t, err)
			require.EqualValues(t, 1, receipt.BlockNumber)
		}
	})
	t.Run("cannot be counted without a chain", func(t *testing.T) {
		_, err := userop.NewSender(userop.SenderConfig{ChainID: 1, EntryPoint: entryPoint, Bundler: newServices(), Confirmations: 2})
		require.ErrorContains(t, err, "more than one confirmation needs a Chain to count them on")
		s := newServices()
		pending := newSender(t, s).WatchOperation(operation())
		s.receipts = []any{claim(pending.Hash(), 1)}
		_, err = pending.Wait(t.Context(), userop.Confirmations(2))
		require.ErrorContains(t, err, "more than one confirmation needs a Chain to count them on")
		require.True(t, userop.MayBeAccepted(err))
		_, err = pending.Wait(t.Context(), userop.Confirmations(1))
		require.NoError(t, err)
	})
}

// mineEvery makes empty blocks until it is stopped.
func mineEvery(t *testing.T, l *ledger, pause time.Duration) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(pause):
				l.mine(common.Hash{})
			}
		}
	})
	return func() { cancel(); done.Wait() }
}

func TestReorgUnderAWait(t *testing.T) {
	other := common.Hash{0xee}
	inTime(t, "does not end it", func(t *testing.T) {
		for name, tt := range map[string]struct {
			again  func(l *ledger, hash common.Hash)
			number uint64
			text   string
		}{
			"moved to another block":          {func(l *ledger, hash common.Hash) { l.mine(common.Hash{}); l.mine(hash); l.mine(common.Hash{}) }, 2, ""},
			"moved to one of the same number": {func(l *ledger, hash common.Hash) { l.mine(hash); l.mine(common.Hash{}) }, 1, ""},
			"gone": {func(l *ledger, _ common.Hash) { l.mine(common.Hash{}); l.mine(common.Hash{}) }, 0,
				"not seen on chain after 1m0s, it may still be included: context deadline exceeded; it was in block 1, which is no part of the chain any more"},
			"gone, and the node is behind": {func(*ledger, common.Hash) {}, 0, "it was in block 1, which is no part of the chain any more"},
		} {
			// a bundler that keeps its receipt through the reorg: the node decides
			for _, lies := range []bool{false, true} {
				s, l := newServices(), newLedger()
				pending := deepSender(t, s, l, 2).WatchOperation(operation())
				l.mine(pending.Hash())
				s.receipts = []any{claim(pending.Hash(), 1), userop.ErrNotFound}
				if lies {
					s.receipts = s.receipts[:1]
				}
				time.AfterFunc(5*time.Second, func() { l.lose(1); tt.again(l, pending.Hash()) })
				receipt, err := pending.Wait(within(t, time.Minute))
				if tt.text != "" {
					require.ErrorContains(t, err, tt.text, name)
					require.True(t, userop.MayBeAccepted(err))
					require.Len(t, s.sends(), 1, "the bundler gets it again, once")
					continue
				}
				require.NoError(t, err, "%s, lies: %t", name, lies)
				require.Equal(t, tt.number, receipt.BlockNumber, name)
				require.NotEqual(t, common.BigToHash(big.NewInt(1)), receipt.BlockHash, "%s: the block it is in", name)
			}
		}
	})
	inTime(t, "after which it is handed to the bundler again", func(t *testing.T) {
		for _, held := range []bool{false, true} {
			l := newLedger()
			s := &including{services: newServices(), ledger: l}
			asked := 0
			draft := newDraft(new(int))
			draft.Sponsored = false
			draft.Guard = func(context.Context, *userop.Operation) error {
				if asked++; held && asked > 1 {
					return errNode
				}
				return nil
			}
			pending, err := deepSender(t, s, l, 2).Send(t.Context(), draft)
			require.NoError(t, err)
			time.AfterFunc(5*time.Second, func() { l.lose(1); l.mine(common.Hash{}) })
			time.AfterFunc(50*time.Second, func() { l.mine(common.Hash{}) })
			_, err = pending.Wait(within(t, time.Minute))
			require.Equal(t, 2, asked, "its guard is asked")
			if held {
				require.ErrorContains(t, err, "it was in block 1, which is no part of the chain any more (last answer of the bundler: ")
				require.ErrorContains(t, err, "not sent again: node says no")
				require.Len(t, s.sends(), 1)
				continue
			}
			require.NoError(t, err)
			require.Len(t, s.sends(), 2)
		}
	})
	inTime(t, "with another one in its place", func(t *testing.T) {
		s, l := newServices(), newLedger()
		pending := deepSender(t, s, l, 3).WatchOperation(operation())
		l.mine(pending.Hash())
		s.receipts = []any{claim(pending.Hash(), 1), userop.ErrNotFound}
		time.AfterFunc(5*time.Second, func() { l.lose(1); l.mine(other) })
		_, err := pending.Wait(within(t, 2*time.Minute))
		require.NotErrorIs(t, err, userop.ErrReplaced)
		require.ErrorContains(t, err, "is used by operation "+other.Hex()+" in block 1, which has not 3 confirmations yet")
		l.mine(common.Hash{})
		l.mine(common.Hash{})
		_, err = pending.Wait(within(t, 2*time.Minute))
		require.ErrorIs(t, err, userop.ErrReplaced)
	})
}

// including is a bundler that includes what it gets at once.
type including struct {
	*services
	ledger *ledger
}

func (b *including) SendUserOperation(ctx context.Context, op *userop.Operation, at common.Address) (common.Hash, error) {
	hash, err := b.services.SendUserOperation(ctx, op, at)
	b.ledger.mine(hash)
	b.receipts = []any{claim(hash, uint64(len(b.ledger.blocks)-1)), userop.ErrNotFound}
	return hash, err
}

func TestEndsNeedConfirmations(t *testing.T) {
	other := common.Hash{0xee}
	inTime(t, "replaced", func(t *testing.T) {
		l := newLedger()
		sending := deepSender(t, newServices(), l, 3)
		l.mine(other)
		l.mine(common.Hash{})
		pending := sending.WatchOperation(operation())
		_, err := pending.Wait(within(t, time.Minute))
		require.NotErrorIs(t, err, userop.ErrReplaced)
		require.ErrorContains(t, err, "nonce 0x7 of "+sender.Hex()+" is used by operation "+other.Hex()+" in block 1, which has not 3 confirmations yet")
		_, err = pending.Wait(within(t, time.Minute), userop.Confirmations(2))
		require.ErrorIs(t, err, userop.ErrReplaced, "fewer were asked for")
		l.mine(common.Hash{})
		_, err = pending.Wait(within(t, time.Minute))
		require.ErrorIs(t, err, userop.ErrReplaced)
	})
	inTime(t, "expired", func(t *testing.T) {
		l := newLedger()
		pending := deepSender(t, newServices(), l, 3).WatchOperation(operation())
		for range 102 { // block 101 has the first time after the window
			l.mine(common.Hash{})
		}
		_, err := pending.Wait(within(t, time.Minute))
		require.NotErrorIs(t, err, userop.ErrExpired)
		l.mine(common.Hash{})
		_, err = pending.Wait(within(t, time.Minute))
		require.ErrorIs(t, err, userop.ErrExpired)
		require.ErrorContains(t, err, "it could be until 1970-01-01T00:01:40Z, the chain's time is 1970-01-01T00:01:41Z")
	})
	t.Run("a refusal", func(t *testing.T) {
		for _, deep := range []bool{false, true} {
			s, l := newServices(), newLedger()
			s.sendErrs = []error{refused("AA25 invalid account nonce")}
			sending := deepSender(t, s, l, 2)
			l.mine(other)
			if deep {
				l.mine(common.Hash{})
			}
			draft := newDraft(new(int))
			draft.Sponsored = false
			_, err := sending.Send(t.Context(), draft)
			require.Equal(t, deep, errors.Is(err, userop.ErrReplaced), "%v", err)
			require.Equal(t, !deep, userop.MayBeAccepted(err), "%v", err)
		}
	})
	t.Run("that it is on chain does not", func(t *testing.T) {
		s, l := newServices(), newLedger()
		s.sendErrs = []error{refused("AA25 invalid account nonce")}
		sending := deepSender(t, s, l, 10)
		op := operation()
		l.mine(sending.WatchOperation(op).Hash())
		_, err := sending.Resend(t.Context(), op)
		require.NoError(t, err)
	})
}

// With random reorgs of fewer blocks than confirmations, what a wait said is what the chain has in the end.
func TestNoVerdictIsTakenBack(t *testing.T) {
	kinds := make(map[string]int)
	for seed := range uint64(300) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			n := 2 + random.IntN(4)
			l := newLedger()
			for range 10 + random.IntN(90) {
				l.mine(common.Hash{})
			}
			s := newServices()
			pending := deepSender(t, s, l, uint64(n)).WatchOperation(operation())
			own := pending.Hash()
			history := &gambler{random: random, ledger: l, ops: []common.Hash{own, {0xee}}, services: s, depth: n - 1}
			var playing sync.WaitGroup
			ctx, stop := context.WithCancel(t.Context())
			playing.Go(func() { history.play(ctx, time.Second) })
			_, err := pending.Wait(within(t, 150*time.Second))
			for range 30 {
				history.step()
			}
			stop()
			playing.Wait()
			final := l.blocks[l.find(len(l.blocks)-1)].op
			switch {
			case err == nil:
				kinds["included"]++
				require.Equal(t, own, final, "seed %d", seed)
			case errors.Is(err, userop.ErrReplaced):
				kinds["replaced"]++
				require.Equal(t, common.Hash{0xee}, final, "seed %d", seed)
			case errors.Is(err, userop.ErrExpired):
				kinds["expired"]++
				require.NotEqual(t, own, final, "seed %d", seed)
			default:
				kinds["open"]++
				require.True(t, userop.MayBeAccepted(err), "seed %d: %v", seed, err)
			}
		})
	}
	t.Log(kinds)
	for _, kind := range []string{"included", "replaced", "expired"} {
		require.Positive(t, kinds[kind], kind)
	}
}

// gambler makes a chain with one of the operations in it, loses its last blocks, and makes another branch,
// which is as long at least. Its bundler's receipts are those of some branch.
type gambler struct {
	random   *rand.Rand
	ledger   *ledger
	services *services
	ops      []common.Hash
	depth    int // that is lost at most

	mu sync.Mutex
}

func (g *gambler) play(ctx context.Context, pause time.Duration) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
			g.step()
		}
	}
}

// step makes one block, or another branch.
func (g *gambler) step() {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.ledger
	more := 1
	if g.random.IntN(3) == 0 {
		lost := 1 + g.random.IntN(g.depth)
		l.lose(lost)
		more += lost
	}
	for range more {
		op := common.Hash{}
		l.mu.Lock()
		number, now := len(l.blocks), l.blocks[len(l.blocks)-1].time+1
		used := l.find(number-1) > 0
		l.mu.Unlock()
		if !used && g.random.IntN(8) == 0 {
			if op = g.ops[g.random.IntN(len(g.ops))]; op == g.ops[0] && now > 100 {
				op = common.Hash{}
			}
		}
		l.mine(op)
		if op == g.ops[0] {
			g.services.mu.Lock()
			g.services.receipts = []any{claim(op, uint64(number))}
			g.services.mu.Unlock()
		}
	}
}
