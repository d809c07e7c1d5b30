package userop_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/userop"
)

// sloppy is a node behind a proxy that leaves parts of a query out, and the order.
type sloppy struct {
	*node
	leave func(*ethereum.FilterQuery)
}

func (s sloppy) FilterLogs(ctx context.Context, q ethereum.FilterQuery) ([]types.Log, error) {
	s.leave(&q)
	logs, err := s.node.FilterLogs(ctx, q)
	slices.Reverse(logs)
	return logs, err
}

// asking is a sender that asks the chain.
func asking(t *testing.T, b userop.Bundler, chain userop.Chain) *userop.Sender {
	t.Helper()
	made, err := userop.NewSender(userop.SenderConfig{
		ChainID: testChainID, EntryPoint: entryPoint, Bundler: b, Chain: chain, WaitTimeout: time.Minute,
		Explain: func(r *userop.Receipt) error {
			for _, log := range r.Logs {
				if log.Address == sponsor {
					return errors.New("fee not taken")
				}
			}
			return nil
		},
	})
	require.NoError(t, err)
	return made
}

// A log that was not asked for is not taken for an answer: not another account's use of the same nonce, not
// one of another contract or block, for an operation that may still land.
func TestLogsThatWereNotAskedFor(t *testing.T) {
	for name, leave := range map[string]func(*ethereum.FilterQuery){
		"topics":    func(q *ethereum.FilterQuery) { q.Topics = nil },
		"addresses": func(q *ethereum.FilterQuery) { q.Addresses = nil },
		"blocks":    func(q *ethereum.FilterQuery) { q.FromBlock.SetUint64(0) },
		"nothing":   func(*ethereum.FilterQuery) {},
	} {
		inTime(t, name, func(t *testing.T) {
			n := new(node)
			n.include(common.Hash{6}, 7, true)
			n.logs[0].Topics[2] = common.BytesToHash(sponsor[:]) // another account's
			n.include(common.Hash{6}, 7, true)
			n.logs[1].Address = sponsor
			n.include(common.Hash{6}, 7, true)
			n.logs[2].Removed = true
			pending, hash := watched(asking(t, newServices(), sloppy{n, leave}))
			_, err := pending.Wait(t.Context())
			require.ErrorAs(t, err, new(*userop.WaitError))
			require.True(t, userop.MayBeAccepted(err), "%v", err)

			n.include(hash, 7, true)
			right := n.logs[3]
			n.include(common.Hash{8}, 8, true)
			receipt, err := pending.Wait(t.Context())
			require.NoError(t, err)
			require.Equal(t, right.TxHash, receipt.TransactionHash)
		})
	}
}

// What a bundler says of an operation's logs is its word, and no reason for anything.
func TestLogsThatTheBundlerMadeUp(t *testing.T) {
	other := common.Address{0x77}
	for _, success := range []bool{false, true} {
		inTime(t, fmt.Sprintf("success %t", success), func(t *testing.T) {
			s, n := newServices(), new(node)
			pending, hash := watched(asking(t, s, n))
			n.include(hash, 7, success)
			event := n.logs[0]
			at := func(log types.Log) types.Log {
				log.BlockNumber, log.TxHash, log.BlockHash = event.BlockNumber, event.TxHash, event.BlockHash
				return log
			}
			real := at(types.Log{Address: other, Topics: []common.Hash{{1}}, Data: []byte{1}})
			n.logs = []types.Log{at(types.Log{Address: entryPoint, Topics: []common.Hash{contracts.BeforeExecutionTopic}}), real, event}
			forged := at(types.Log{Address: sponsor, Topics: []common.Hash{{2}}})
			changed := real
			changed.Data = []byte{2}
			s.receipts = []any{&userop.Receipt{
				UserOpHash: hash, Success: success, TransactionHash: event.TxHash, BlockNumber: event.BlockNumber, Logs: []*types.Log{&forged, &changed},
			}}
			receipt, err := pending.Wait(t.Context())
			if success {
				require.NoError(t, err)
			} else {
				var reverted *userop.RevertError
				require.ErrorAs(t, err, &reverted)
				require.NoError(t, reverted.Cause)
				receipt = reverted.Receipt
			}
			require.True(t, receipt.Confirmed)
			require.Contains(t, receipt.Logs, &real)
			require.NotContains(t, receipt.Logs, &forged)
			require.NotContains(t, receipt.Logs, &changed)
			require.Equal(t, 1, n.count(), "one question has it all")

			// What it leaves out is found where an operation failed.
			n.logs[1].Address, n.requests = sponsor, 0
			s.receipts = []any{&userop.Receipt{UserOpHash: hash, Success: success, TransactionHash: event.TxHash, BlockNumber: event.BlockNumber}}
			_, err = pending.Wait(t.Context())
			if !success {
				require.ErrorContains(t, err, "fee not taken")
			}
		})
	}
}

// noLogs is a node that does not answer for logs.
type noLogs struct{ *node }

func (noLogs) FilterLogs(context.Context, ethereum.FilterQuery) ([]types.Log, error) {
	return nil, errNode
}

func TestANodeThatRefusesLogsConfirmsNothing(t *testing.T) {
	inTime(t, "wait", func(t *testing.T) {
		s, n := newServices(), new(node)
		pending, hash := watched(asking(t, s, noLogs{n}))
		n.include(hash, 7, true)
		s.receipts = []any{&userop.Receipt{UserOpHash: hash, Success: true, TransactionHash: n.logs[0].TxHash, BlockNumber: 1}}
		_, err := pending.Wait(t.Context())
		require.ErrorIs(t, err, userop.ErrUnconfirmed)
		require.ErrorIs(t, err, errNode)
		require.True(t, userop.MayBeAccepted(err))
		require.ErrorContains(t, err, "of block 1, which cannot be looked up: the node has to answer eth_getLogs for that block")
		require.ErrorContains(t, err, "(last look at the chain: node says no)")
	})
}

// reasonOf is the log of why the account's call failed.
func reasonOf(hash common.Hash, nonce byte) types.Log {
	number, data := common.Hash{31: nonce}, common.Hash{nonce, nonce, nonce, nonce}
	return types.Log{
		Address: entryPoint, Topics: []common.Hash{contracts.UserOperationRevertReasonTopic, hash, common.BytesToHash(sender[:])},
		Data: slices.Concat(number[:], make([]byte, 31), []byte{64}, make([]byte, 31), []byte{4}, data[:]),
	}
}

// Some nodes count the logs of each transaction anew, so that those of several are mixed by their numbers;
// and an answer may have all of them twice.
func TestLogsThatAreMixed(t *testing.T) {
	mine := func(log types.Log, index uint) types.Log {
		log.BlockNumber, log.TxHash, log.Index = 1, common.Hash{0xaa}, index
		return log
	}
	another := func(index uint) types.Log {
		return types.Log{Address: common.Address{0x77}, Topics: []common.Hash{{1}}, BlockNumber: 1, TxHash: common.Hash{0xab}, Index: index}
	}
	for name, mix := range map[string]func(reason, event types.Log) []types.Log{
		"by their numbers": func(reason, event types.Log) []types.Log {
			return []types.Log{mine(reason, 0), another(0), mine(event, 1), another(1)}
		},
		"twice": func(reason, event types.Log) []types.Log {
			return []types.Log{mine(reason, 0), mine(reason, 0), mine(event, 1), mine(event, 1)}
		},
	} {
		inTime(t, name, func(t *testing.T) {
			s, n := newServices(), new(node)
			pending, hash := watched(asking(t, s, n))
			n.include(hash, 7, false)
			n.logs = mix(reasonOf(hash, 7), n.logs[0])
			s.receipts = []any{&userop.Receipt{UserOpHash: hash, TransactionHash: common.Hash{0xaa}, BlockNumber: 1}}
			_, err := pending.Wait(t.Context())
			var reverted *userop.RevertError
			require.ErrorAs(t, err, &reverted)
			require.Equal(t, []byte{7, 7, 7, 7}, reverted.Receipt.RevertData)
			logs := reverted.Receipt.Logs
			require.Equal(t, contracts.UserOperationEventTopic, logs[len(logs)-1].Topics[0], "in the order of the chain")
			for _, log := range logs {
				require.Equal(t, common.Hash{0xaa}, log.TxHash)
			}
		})
	}
}

// Two operations of one account in a transaction, both of which failed.
func TestTwoOperationsInATransaction(t *testing.T) {
	inTime(t, "their reasons", func(t *testing.T) {
		s, n := newServices(), new(node)
		sending := asking(t, s, n)
		pending, hash := watched(sending)
		n.include(common.Hash{6}, 6, false)
		n.include(hash, 7, false)
		first, second := n.logs[0], n.logs[1]
		n.logs = []types.Log{reasonOf(common.Hash{6}, 6), first, reasonOf(hash, 7), second}
		for i := range n.logs {
			n.logs[i].BlockNumber, n.logs[i].TxHash = 2, common.Hash{0xaa}
			n.logs[i].Index = uint(i)
		}
		s.receipts = []any{&userop.Receipt{UserOpHash: hash, TransactionHash: common.Hash{0xaa}, BlockNumber: 2, RevertData: []byte{6, 6, 6, 6}}}
		for _, chain := range []userop.Chain{n, sloppy{n, func(*ethereum.FilterQuery) {}}} {
			pending = asking(t, s, chain).WatchOperation(pending.Operation())
			_, err := pending.Wait(t.Context())
			var reverted *userop.RevertError
			require.ErrorAs(t, err, &reverted)
			require.Equal(t, []byte{7, 7, 7, 7}, reverted.Receipt.RevertData)
			require.Len(t, reverted.Receipt.Logs, 2)
		}
	})
}

// A nonce of zero that a receipt names is compared as any other; one that it leaves out is not.
func TestANonceOfZeroIsNamed(t *testing.T) {
	const begin = `{"userOpHash":"%s","sender":"%s","success":true,"receipt":{"transactionHash":"0x01000000000000000000000000000000000000000000000000000000000000aa"}`
	inTime(t, "wait", func(t *testing.T) {
		s := newServices()
		pending, hash := watched(newSender(t, s))
		for rest, want := range map[string]error{`}`: nil, `,"nonce":null}`: nil, `,"nonce":"0x7"}`: nil, `,"nonce":"0x0"}`: userop.ErrUnconfirmed, `,"nonce":0}`: userop.ErrUnconfirmed} {
			receipt := new(userop.Receipt)
			require.NoError(t, json.Unmarshal(fmt.Appendf(nil, begin+rest, hash, sender), receipt))
			s.receipts = []any{receipt}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			_, err := pending.Wait(ctx)
			cancel()
			require.ErrorIs(t, err, want, rest)
		}
	})
}

func TestOtherWordsForANonceInTheWay(t *testing.T) {
	for _, refusal := range []string{
		"InvalidAccountNonce(0x11, 7)", "NONCE_TOO_LOW", "ReplacementUnderpriced", "ALREADY_EXISTS", "AlreadyKnown", "operation already processed",
		"already been mined", "known transaction: 0xabc", "operation exists in the pool", "conflicting user operation", "another userop from this sender is pending",
		"user operation is in mempool", "same userOp", "Duplicate", "Reverted: AA25 invalid account nonce", "aa25 invalid account nonce",
	} {
		s := newServices()
		s.sendErrs = []error{refused(refusal)}
		_, err := confirmed(t, s, new(node)).Send(t.Context(), newDraft(new(int)))
		require.True(t, userop.MayBeAccepted(err), "%v", err)

		n := new(node)
		n.include(hashOfDraft(t), 7, true)
		s.sent = nil
		_, err = confirmed(t, s, n).Send(t.Context(), newDraft(new(int)))
		require.NoError(t, err)
	}
}
