package userop_test

import (
	"context"
	"errors"
	"fmt"
	"math/big"
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

// node is a chain in memory: its logs, its height, and what it says of every nonce.
type node struct {
	mu       sync.Mutex
	head     uint64
	logs     []types.Log
	used     bool
	time     uint64
	err      error  // of every question
	most     uint64 // blocks in a request
	requests int
}

var _ userop.Chain = (*node)(nil)

func (n *node) enter() error {
	n.requests++
	return n.err
}

// count is how much was asked.
func (n *node) count() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.requests
}

func (n *node) BlockNumber(context.Context) (uint64, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.head, n.enter()
}

func (n *node) NonceState(context.Context, *userop.Operation, *big.Int) (userop.NonceState, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return userop.NonceState{Used: n.used, BlockTime: n.time}, n.enter()
}

func (n *node) FilterLogs(_ context.Context, q ethereum.FilterQuery) (found []types.Log, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.enter(); err != nil {
		return nil, err
	}
	from, to := q.FromBlock.Uint64(), q.ToBlock.Uint64()
	switch {
	case q.BlockHash != nil:
		return nil, errors.New("a hash is answered for a block that is no part of the chain, too")
	case to > n.head:
		return nil, errors.New("block range extends beyond current head block")
	case n.most > 0 && to-from >= n.most:
		return nil, errors.New("block range too large")
	case to-from >= 1000:
		return nil, errors.New("more than anybody answers")
	}
	for _, log := range n.logs {
		fits := log.BlockNumber >= from && log.BlockNumber <= to && (len(q.Addresses) == 0 || slices.Contains(q.Addresses, log.Address))
		for i, topics := range q.Topics {
			fits = fits && (len(topics) == 0 || slices.Contains(topics, log.Topics[i]))
		}
		if fits {
			found = append(found, log)
		}
	}
	return found, nil
}

// include notes that an operation is in a block of its own.
func (n *node) include(hash common.Hash, nonce uint64, success bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.head++
	n.used = true
	flag := common.Hash{}
	if success {
		flag[31] = 1
	}
	number := uint256.NewInt(nonce).Bytes32()
	n.logs = append(n.logs, types.Log{
		Address:     entryPoint,
		Topics:      []common.Hash{contracts.UserOperationEventTopic, hash, common.BytesToHash(sender[:]), common.BytesToHash(sponsor[:])},
		Data:        slices.Concat(number[:], flag[:], make([]byte, 31), []byte{9}, make([]byte, 31), []byte{8}),
		BlockNumber: n.head, TxHash: common.Hash{0xaa, byte(n.head)}, BlockHash: common.Hash{0xbb, byte(n.head)},
	})
}

// confirmed is a sender that asks the node.
func confirmed(t *testing.T, b userop.Bundler, n *node) *userop.Sender {
	t.Helper()
	made, err := userop.NewSender(userop.SenderConfig{
		ChainID: testChainID, EntryPoint: entryPoint, Bundler: b, Paymaster: b.(userop.Paymaster), Chain: n, WaitTimeout: time.Minute,
		Until: func(*userop.Operation) uint64 { return 1000 },
	})
	require.NoError(t, err)
	return made
}

// watched is an operation with nonce 7 that was sent, and its hash.
func watched(s *userop.Sender) (*userop.Pending, common.Hash) {
	op := &userop.Operation{Sender: sender, Nonce: *uint256.NewInt(7), PaymasterAndData: sponsor[:]}
	pending := s.WatchOperation(op)
	return pending, pending.Hash()
}

// inTime runs the test with fake time.
func inTime(t *testing.T, name string, test func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
}

func TestAReceiptIsConfirmedAtTheNode(t *testing.T) {
	right := func(hash common.Hash, n *node) *userop.Receipt {
		log := n.logs[0]
		return &userop.Receipt{
			UserOpHash: hash, EntryPoint: entryPoint, Sender: sender, Nonce: *uint256.NewInt(7), Paymaster: sponsor, Success: true,
			TransactionHash: log.TxHash, BlockHash: log.BlockHash, BlockNumber: log.BlockNumber,
		}
	}
	for name, lie := range map[string]func(*userop.Receipt){
		"nothing":           func(*userop.Receipt) {},
		"success":           func(r *userop.Receipt) { r.Success = false; r.Reason = "no" },
		"the cost":          func(r *userop.Receipt) { r.ActualGasCost = *uint256.NewInt(1e18) },
		"the transaction":   func(r *userop.Receipt) { r.TransactionHash = common.Hash{1} },
		"the block":         func(r *userop.Receipt) { r.BlockHash = common.Hash{1}; r.BlockNumber = 0 },
		"all that is known": func(r *userop.Receipt) { *r = userop.Receipt{UserOpHash: r.UserOpHash, Success: true} },
	} {
		inTime(t, "lies about "+name, func(t *testing.T) {
			s, n := newServices(), new(node)
			pending, hash := watched(confirmed(t, s, n))
			n.include(hash, 7, true)
			claim := right(hash, n)
			lie(claim)
			s.receipts = []any{claim}
			receipt, err := pending.Wait(t.Context())
			require.NoError(t, err)
			require.True(t, receipt.Confirmed)
			require.True(t, receipt.Success)
			require.Equal(t, n.logs[0].TxHash, receipt.TransactionHash)
			require.Equal(t, n.logs[0].BlockHash, receipt.BlockHash)
			require.EqualValues(t, 9, receipt.ActualGasCost.Uint64())
			require.EqualValues(t, 8, receipt.ActualGasUsed.Uint64())
			require.Equal(t, sponsor, receipt.Paymaster)
		})
	}
	inTime(t, "a success that is none", func(t *testing.T) {
		s, n := newServices(), new(node)
		pending, hash := watched(confirmed(t, s, n))
		n.include(hash, 7, false)
		s.receipts = []any{right(hash, n)}
		_, err := pending.Wait(t.Context())
		require.ErrorAs(t, err, new(*userop.RevertError))
	})
	for name, lie := range map[string]func(*userop.Receipt){
		"hash":       func(r *userop.Receipt) { r.UserOpHash = common.Hash{1} },
		"sender":     func(r *userop.Receipt) { r.Sender = sponsor },
		"EntryPoint": func(r *userop.Receipt) { r.EntryPoint = sponsor },
		"nonce":      func(r *userop.Receipt) { r.Nonce = *uint256.NewInt(8) },
		"paymaster":  func(r *userop.Receipt) { r.Paymaster = sender },
	} {
		inTime(t, "of another "+name, func(t *testing.T) {
			s, n := newServices(), &node{logs: make([]types.Log, 1)}
			for _, sender := range []*userop.Sender{confirmed(t, s, n), newSender(t, s)} {
				pending, hash := watched(sender)
				claim := right(hash, n)
				lie(claim)
				s.receipts = []any{claim}
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				_, err := pending.Wait(ctx)
				require.ErrorIs(t, err, userop.ErrUnconfirmed)
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.True(t, userop.MayBeAccepted(err))
			}
		})
	}
	inTime(t, "that the node does not show", func(t *testing.T) {
		s, n := newServices(), &node{head: 5, logs: make([]types.Log, 1)}
		pending, hash := watched(confirmed(t, s, n))
		n.logs, s.receipts = nil, []any{&userop.Receipt{UserOpHash: hash, Success: true, TransactionHash: common.Hash{0xcc}, BlockNumber: 5}}
		_, err := pending.Wait(t.Context())
		require.ErrorIs(t, err, userop.ErrUnconfirmed)
		require.True(t, userop.MayBeAccepted(err))
		require.ErrorContains(t, err, "it claims the inclusion in transaction "+common.Hash{0xcc}.Hex()+" of block 5, which the node does not show")
	})
	inTime(t, "of a node that lags", func(t *testing.T) {
		s, n := newServices(), new(node)
		pending, hash := watched(confirmed(t, s, n))
		s.receipts = []any{&userop.Receipt{UserOpHash: hash, Success: true, BlockNumber: 1}}
		time.AfterFunc(10*time.Second, func() { n.include(hash, 7, true) })
		start := time.Now()
		_, err := pending.Wait(t.Context())
		require.NoError(t, err)
		require.InDelta(t, 11, time.Since(start).Seconds(), 2)
	})
	inTime(t, "by a bare sender, which compares only", func(t *testing.T) {
		s := newServices()
		pending, hash := watched(newSender(t, s))
		s.receipts = []any{&userop.Receipt{UserOpHash: hash, Success: true, Sender: sender, Nonce: *uint256.NewInt(7)}}
		receipt, err := pending.Wait(t.Context())
		require.NoError(t, err)
		require.False(t, receipt.Confirmed)
	})
}

func TestTheChainEndsAWait(t *testing.T) {
	inTime(t, "included, and the bundler forgot it", func(t *testing.T) {
		for _, byHash := range []bool{false, true} {
			s, n := forgetful{newServices(), true}, new(node)
			sending := confirmed(t, s, n)
			pending, hash := watched(sending)
			if byHash {
				pending = sending.Watch(hash)
			}
			time.AfterFunc(20*time.Second, func() { n.include(hash, 7, true) })
			start := time.Now()
			receipt, err := pending.Wait(t.Context())
			require.NoError(t, err)
			require.True(t, receipt.Confirmed)
			require.Len(t, receipt.Logs, 1)
			require.Less(t, time.Since(start), 40*time.Second)
			require.LessOrEqual(t, n.count(), 20)
		}
	})
	inTime(t, "replaced", func(t *testing.T) {
		n := new(node)
		n.include(common.Hash{5}, 6, true)
		n.include(common.Hash{6}, 7, true)
		pending, hash := watched(confirmed(t, newServices(), n))
		_, err := pending.Wait(t.Context())
		require.ErrorIs(t, err, userop.ErrReplaced)
		require.NotErrorIs(t, err, userop.ErrExpired)
		require.False(t, userop.MayBeAccepted(err))
		require.False(t, userop.SafeToRetry(err))
		require.EqualError(t, err, fmt.Sprintf("user operation %s of %s will not be included: its nonce 0x7 was used by operation %s in transaction %s", hash, sender, common.Hash{6}, n.logs[1].TxHash))
	})
	inTime(t, "its window is over", func(t *testing.T) {
		n := &node{time: 1000}
		pending, hash := watched(confirmed(t, newServices(), n))
		time.AfterFunc(15*time.Second, func() { n.mu.Lock(); n.time = 1001; n.mu.Unlock() })
		start := time.Now()
		_, err := pending.Wait(t.Context())
		require.ErrorIs(t, err, userop.ErrExpired)
		require.GreaterOrEqual(t, time.Since(start), 15*time.Second, "the last second counts")
		require.False(t, userop.MayBeAccepted(err))
		require.EqualError(t, err, fmt.Sprintf("user operation %s of %s will not be included: it could be until 1970-01-01T00:16:40Z, the chain's time is 1970-01-01T00:16:41Z, and its nonce 0x7 is unused", hash, sender))
	})
	inTime(t, "not by a nonce that nobody is seen to have used", func(t *testing.T) {
		n := &node{used: true, head: 50_000}
		pending, _ := watched(confirmed(t, newServices(), n))
		_, err := pending.Wait(t.Context())
		require.ErrorAs(t, err, new(*userop.WaitError))
		require.True(t, userop.MayBeAccepted(err))
		require.ErrorContains(t, err, "(last look at the chain: nonce 0x7 of "+sender.Hex()+" is used, and the blocks that were searched do not show by which operation)")
		require.LessOrEqual(t, n.count(), 5*12+20, "a look each time in twice the time, of ten portions at most, and whether there is a new block, every five seconds in the end")
	})
	inTime(t, "not while the node fails", func(t *testing.T) {
		n := &node{err: errNode}
		pending, _ := watched(confirmed(t, newServices(), n))
		_, err := pending.Wait(t.Context())
		require.ErrorIs(t, err, errNode)
		require.True(t, userop.MayBeAccepted(err))
	})
	inTime(t, "found by a node that answers for few blocks", func(t *testing.T) {
		n := &node{most: 20}
		pending, hash := watched(confirmed(t, newServices(), n))
		n.include(hash, 7, true)
		n.head = 40
		_, err := pending.Wait(t.Context())
		require.NoError(t, err)
	})
}

// refused is a refusal in a bundler's words.
type refused string

func (r refused) Error() string { return string(r) }

func (refused) Temporary() bool { return false }

func (refused) MayBeDelivered() bool { return false }

// A copy of the request, made below us, was accepted: what is said of the second copy is no verdict.
func TestARefusalThatTheOperationsOwnInclusionCauses(t *testing.T) {
	nonce := []string{
		"AA25 invalid account nonce", "FailedOp(0, \"AA25 invalid account nonce\")", "AA10 sender already constructed", "already known",
		"replacement underpriced", "replacement transaction underpriced", "nonce too low", "invalid nonce",
	}
	state := []string{
		"AA21 didn't pay prefund", "AA31 paymaster deposit too low", "AA22 expired or not due", "AA23 reverted: SessionNotApproved", "AA50 postOp reverted",
		"precheck failed: sender balance and deposit together is 0 but must be at least 5", "execution reverted",
	}
	send := func(t *testing.T, refusal string, n *node) error {
		s := newServices()
		s.sendErrs = []error{refused(refusal)}
		_, err := confirmed(t, s, n).Send(t.Context(), newDraft(new(int)))
		return err
	}
	for _, refusal := range slices.Concat(nonce, state) {
		t.Run(refusal, func(t *testing.T) {
			n := new(node)
			n.include(hashOfDraft(t), 7, true)
			require.NoError(t, send(t, refusal, n), "it is on chain")

			n = new(node)
			n.include(common.Hash{6}, 7, true)
			err := send(t, refusal, n)
			require.ErrorIs(t, err, userop.ErrReplaced)
			require.ErrorIs(t, err, refused(refusal))
			require.False(t, userop.MayBeAccepted(err))
			require.False(t, userop.SafeToRetry(err))

			err = send(t, refusal, &node{used: true})
			require.True(t, userop.MayBeAccepted(err), "nobody knows who used the nonce: %v", err)
			err = send(t, refusal, &node{err: errNode})
			require.True(t, userop.MayBeAccepted(err), "the node does not answer: %v", err)
			err = send(t, refusal, &node{time: 2000})
			require.ErrorIs(t, err, userop.ErrExpired)

			err = send(t, refusal, new(node))
			require.Equal(t, slices.Contains(nonce, refusal), userop.MayBeAccepted(err), "%v", err)
		})
	}
	for _, refusal := range []string{"AA24 signature error", "AA34 signature error", "AA93 invalid paymasterAndData"} {
		n := &node{err: errNode}
		err := send(t, refusal, n)
		require.False(t, userop.MayBeAccepted(err), "%v", err)
		require.Zero(t, n.count(), "there is nothing to ask")
	}
}

// The guard is asked before each try.
func TestAGuardIsAskedBeforeEachTry(t *testing.T) {
	for after := range 3 {
		s, asked := newServices(), 0
		s.sendErrs = []error{passing{delivered: true}, passing{delivered: true}, passing{delivered: true}}
		draft := newDraft(new(int))
		draft.Guard = func(_ context.Context, op *userop.Operation) error {
			require.NotEmpty(t, op.Signature)
			if asked++; asked > after {
				return errNode
			}
			return nil
		}
		sending := newSender(t, s)
		_, err := sending.Send(t.Context(), draft)
		require.ErrorIs(t, err, errNode)
		require.Len(t, s.sends(), after)
		require.Equal(t, after > 0, userop.MayBeAccepted(err), "%v", err)
		require.False(t, userop.SafeToRetry(err))

		op := &userop.Operation{Sender: sender, Signature: []byte{1}}
		_, err = sending.ResendGuarded(t.Context(), op, draft.Guard)
		require.ErrorContains(t, err, "send: not sent again: node says no (an earlier try may have been accepted)")
		require.True(t, userop.MayBeAccepted(err))
		require.Len(t, s.sends(), after)
	}
}

func TestWhatMustNotBeResent(t *testing.T) {
	s := newServices()
	sending, err := userop.NewSender(userop.SenderConfig{
		ChainID: testChainID, EntryPoint: entryPoint, Bundler: s, MayResend: func(*userop.Operation) error { return errNode },
	})
	require.NoError(t, err)
	_, err = sending.Resend(t.Context(), new(userop.Operation))
	require.ErrorIs(t, err, errNode)
	require.Empty(t, s.sends())

	s.sendErrs = []error{passing{delivered: true}, passing{delivered: true}, passing{delivered: true}}
	draft := newDraft(new(int)) // whose guard got lost, as with a wrapper around its signer
	draft.Sponsored = false
	_, err = sending.Send(t.Context(), draft)
	require.ErrorIs(t, err, passing{delivered: true})
	require.True(t, userop.MayBeAccepted(err))
	require.Len(t, s.sends(), 1)
}
