package main

import (
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/bundler/bundlertest"
	"github.com/go-sesame/sesame/internal/abiword"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/userop"
)

// blocks are a chain that includes what it has in a block every so often. Without a block time it counts
// nonces on at once, and has neither logs nor receipts.
type blocks struct {
	blockTime time.Duration

	mu       sync.Mutex
	nonces   map[lane]uint64
	number   uint64
	waiting  map[common.Hash]*userop.Operation
	included map[common.Hash]inclusion
}

// lane is an account and the key of one of its nonces, as getNonce takes them.
type lane [2 * abi.WordSize]byte

func laneOf(op *userop.Operation) lane {
	key := new(uint256.Int).Rsh(&op.Nonce, 64)
	return lane(abiword.AppendUint256(abiword.AppendAddress(nil, op.Sender), key))
}

// nonce answers getNonce with those arguments.
func (b *blocks) nonce(arguments []byte) common.Hash {
	b.mu.Lock()
	defer b.mu.Unlock()
	of := lane(arguments)
	nonce := new(uint256.Int).SetBytes(of[abi.WordSize:])
	nonce.Lsh(nonce, 64)
	return nonce.AddUint64(nonce, b.nonces[of]).Bytes32()
}

// inclusion is an operation in a block.
type inclusion struct {
	op    *userop.Operation
	block uint64
	at    time.Time
}

func (b *blocks) start(blockTime time.Duration) {
	b.blockTime, b.number = blockTime, 1000
	b.nonces = make(map[lane]uint64)
	b.waiting, b.included = make(map[common.Hash]*userop.Operation), make(map[common.Hash]inclusion)
	if blockTime == 0 {
		return
	}
	go func() { // ends with the process
		for range time.Tick(blockTime) {
			b.mine()
		}
	}()
}

func (b *blocks) mine() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.number++
	for hash, op := range b.waiting {
		b.included[hash] = inclusion{op, b.number, time.Now()}
		b.nonces[laneOf(op)]++
	}
	clear(b.waiting)
}

// add takes an operation, to be included where there are blocks.
func (b *blocks) add(hash common.Hash, op *userop.Operation) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.blockTime == 0 {
		b.nonces[laneOf(op)]++
		return
	}
	b.waiting[hash] = op
}

func (b *blocks) head() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.number
}

func (b *blocks) includedAt(hash common.Hash) (time.Time, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if in, ok := b.included[hash]; ok {
		return in.at, nil
	}
	return time.Time{}, errors.New("not included")
}

// receipt is eth_getUserOperationReceipt: null while there is none.
func (b *blocks) receipt(param json.RawMessage) (any, error) {
	var hash common.Hash
	if err := json.Unmarshal(param, &hash); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	in, ok := b.included[hash]
	if !ok {
		return nil, nil
	}
	receipt := bundlertest.SuccessReceipt(in.op, hash)
	receipt.BlockNumber, receipt.BlockHash, receipt.TransactionHash = in.block, blockHash(in.block), hash
	return receipt, nil
}

func blockHash(number uint64) (hash common.Hash) {
	return common.Hash(abiword.AppendUint64(nil, number))
}

// logs is eth_getLogs, of operations.
func (b *blocks) logs(param json.RawMessage) (any, error) {
	var query struct {
		FromBlock, ToBlock hexutil.Uint64
		Topics             []json.RawMessage
	}
	if err := json.Unmarshal(param, &query); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	logs := []any{}
	for hash, in := range b.included {
		topics := []common.Hash{contracts.UserOperationEventTopic, hash, common.BytesToHash(in.op.Sender[:]), common.BytesToHash(in.op.PaymasterAndData[:common.AddressLength])}
		if in.block < uint64(query.FromBlock) || in.block > uint64(query.ToBlock) || !fits(topics, query.Topics) {
			continue
		}
		data := abiword.AppendUint256(nil, &in.op.Nonce)
		data = abiword.AppendUint64(data, 1)
		data = abiword.AppendUint64(data, 300_000_000_000_000)
		data = abiword.AppendUint64(data, 150_000)
		logs = append(logs, map[string]any{
			"address": entryPoint, "topics": topics, "data": hexutil.Bytes(data), "blockNumber": hexutil.Uint64(in.block), "blockHash": blockHash(in.block),
			"transactionHash": hash, "transactionIndex": "0x0", "logIndex": "0x0", "removed": false,
		})
	}
	return logs, nil
}

// fits reports whether topics are as wanted: each one, one of several, or any for null.
func fits(topics []common.Hash, wanted []json.RawMessage) bool {
	for i, want := range wanted {
		var any []common.Hash
		if json.Unmarshal(want, &any) != nil {
			any = make([]common.Hash, 1)
			if json.Unmarshal(want, &any[0]) != nil {
				return false
			}
		}
		if len(any) == 0 {
			continue
		}
		found := false
		for _, hash := range any {
			found = found || i < len(topics) && hash == topics[i]
		}
		if !found {
			return false
		}
	}
	return true
}
