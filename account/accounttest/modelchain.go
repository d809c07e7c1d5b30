package accounttest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/internal/contracts"
)

// modelBaseFee is the base fee of every block, in wei per gas.
const modelBaseFee = 1_000_000_000

// ModelChain reads a [Model] as a node's client reads a chain: it is an [account.Chain].
type ModelChain struct {
	model  *Model
	broken error
}

var _ account.Chain = (*ModelChain)(nil)

// Fail makes every question to the chain fail with err, as when the node is down; nil ends that.
func (c *ModelChain) Fail(err error) {
	c.model.mu.Lock()
	defer c.model.mu.Unlock()
	c.broken = err
}

// enter begins a request; the caller ends it with leave unless there is an error.
func (c *ModelChain) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.model.mu.Lock()
	if c.broken != nil {
		defer c.model.mu.Unlock()
		return c.broken
	}
	return nil
}

func (c *ModelChain) leave() { c.model.mu.Unlock() }

// ChainID returns the chain's ID.
func (c *ModelChain) ChainID(ctx context.Context) (*big.Int, error) {
	if err := c.enter(ctx); err != nil {
		return nil, err
	}
	defer c.leave()
	return new(big.Int).SetUint64(c.model.machine.ChainID), nil
}

// errOldBlock is a question about another block than the newest.
var errOldBlock = errors.New("the model knows its newest state only")

// CodeAt returns a byte that is no contract's code where there is a contract, and nothing elsewhere.
func (c *ModelChain) CodeAt(ctx context.Context, address common.Address, block *big.Int) ([]byte, error) {
	if block != nil {
		return nil, errOldBlock
	}
	if err := c.enter(ctx); err != nil {
		return nil, err
	}
	defer c.leave()
	if c.model.machine.HasCode(address) {
		return []byte{0xfe}, nil
	}
	return nil, nil
}

// BalanceAt returns what an address holds of the chain's own currency, in wei.
func (c *ModelChain) BalanceAt(ctx context.Context, address common.Address, block *big.Int) (*big.Int, error) {
	if block != nil {
		return nil, errOldBlock
	}
	if err := c.enter(ctx); err != nil {
		return nil, err
	}
	defer c.leave()
	balance := c.model.machine.Balance(address)
	return balance.ToBig(), nil
}

// CallContract makes a call without effect. One that reverts is an error with the revert data, as a node
// gives it.
func (c *ModelChain) CallContract(ctx context.Context, call ethereum.CallMsg, block *big.Int) ([]byte, error) {
	if block != nil {
		return nil, errOldBlock
	}
	if err := c.enter(ctx); err != nil {
		return nil, err
	}
	defer c.leave()
	if call.To == nil {
		return c.readAll(call.Data)
	}
	value, err := wei(call.Value)
	if err != nil {
		return nil, err
	}
	return c.model.at().Try(call.From, *call.To, value, call.Data)
}

// readAll answers a list of reads.
func (c *ModelChain) readAll(request []byte) ([]byte, error) {
	reads, err := contracts.ParseReads(request)
	if errors.Is(err, contracts.ErrNotReads) {
		return nil, errors.New("the model makes no contracts, it runs no EVM; accounttest.NewChain has one")
	}
	if err != nil {
		return nil, err
	}
	results, err := c.model.at().Read(reads)
	if err != nil {
		return nil, err
	}
	return contracts.PackReadResults(reads, results)
}

// HeaderByNumber returns the newest block's number, time and base fee.
func (c *ModelChain) HeaderByNumber(ctx context.Context, block *big.Int) (*types.Header, error) {
	if block != nil {
		return nil, errOldBlock
	}
	if err := c.enter(ctx); err != nil {
		return nil, err
	}
	defer c.leave()
	return &types.Header{
		Number:  new(big.Int).SetUint64(c.model.blocks),
		Time:    uint64(c.model.now().Unix()),
		BaseFee: big.NewInt(modelBaseFee),
	}, nil
}

// BlockNumber returns the number of the newest block.
func (c *ModelChain) BlockNumber(ctx context.Context) (uint64, error) {
	if err := c.enter(ctx); err != nil {
		return 0, err
	}
	defer c.leave()
	return c.model.blocks, nil
}

// FilterLogs returns the logs of a range of blocks, by their numbers.
func (c *ModelChain) FilterLogs(ctx context.Context, query ethereum.FilterQuery) ([]types.Log, error) {
	if query.BlockHash != nil {
		return nil, errors.New("the model tells logs by the numbers of blocks")
	}
	if err := c.enter(ctx); err != nil {
		return nil, err
	}
	defer c.leave()
	newest := new(big.Int).SetUint64(c.model.blocks)
	from, to := cmp.Or(query.FromBlock, new(big.Int)), cmp.Or(query.ToBlock, newest)
	if from.Cmp(to) > 0 || to.Cmp(newest) > 0 {
		return nil, fmt.Errorf("blocks %v to %v: the newest one is %v", from, to, newest)
	}
	var found []types.Log
	for _, log := range c.model.logs {
		number := new(big.Int).SetUint64(log.BlockNumber)
		if number.Cmp(from) >= 0 && number.Cmp(to) <= 0 && kept(&log, &query) {
			log.Topics, log.Data = slices.Clone(log.Topics), slices.Clone(log.Data)
			found = append(found, log)
		}
	}
	return found, nil
}

// kept reports whether a query's addresses and topics let a log pass.
func kept(log *types.Log, query *ethereum.FilterQuery) bool {
	if len(query.Addresses) > 0 && !slices.Contains(query.Addresses, log.Address) || len(query.Topics) > len(log.Topics) {
		return false
	}
	for i, topics := range query.Topics {
		if len(topics) > 0 && !slices.Contains(topics, log.Topics[i]) {
			return false
		}
	}
	return true
}

// newBlock makes a block of one transaction out of what the machine has done since the last one.
func (m *Model) newBlock() {
	m.blocks++
	for i, log := range m.machine.Logs() {
		log.Index, log.BlockNumber, log.BlockHash, log.TxHash = uint(i), m.blocks, m.newestHash("block"), m.newestHash("transaction")
		m.logs = append(m.logs, *log)
	}
}

// newestHash is a hash in the newest block.
func (m *Model) newestHash(of string) common.Hash {
	return hashOf(of, uint256.NewInt(m.blocks).Bytes32())
}

// SuggestGasTipCap proposes a tip, in wei per gas.
func (c *ModelChain) SuggestGasTipCap(ctx context.Context) (*big.Int, error) {
	return c.suggest(ctx, priorityFee)
}

// SuggestGasPrice proposes a price, in wei per gas.
func (c *ModelChain) SuggestGasPrice(ctx context.Context) (*big.Int, error) {
	return c.suggest(ctx, priorityFee+modelBaseFee)
}

func (c *ModelChain) suggest(ctx context.Context, wei int64) (*big.Int, error) {
	if err := c.enter(ctx); err != nil {
		return nil, err
	}
	defer c.leave()
	return big.NewInt(wei), nil
}

// Fund gives wei to an address.
func (c *ModelChain) Fund(ctx context.Context, address common.Address, wei *big.Int) error {
	if err := c.SendTx(ctx, address, wei, nil); err != nil {
		return fmt.Errorf("fund %s: %w", address, err)
	}
	return nil
}

// SendTx calls to with data and value (in wei; nil is none), from an address that has money enough. A call
// that reverts is an error with the reason, and does nothing.
func (c *ModelChain) SendTx(ctx context.Context, to common.Address, value *big.Int, data []byte) error {
	amount, err := wei(value)
	if err != nil {
		return err
	}
	if err := c.enter(ctx); err != nil {
		return err
	}
	defer c.leave()
	machine, from := c.model.at(), crypto.PubkeyToAddress(Faucet().PublicKey)
	machine.Issue(from, amount)
	_, err = machine.Call(from, to, amount, data)
	c.model.newBlock()
	machine.Settle()
	if err != nil {
		return fmt.Errorf("transaction to %s would fail: %w", to, err)
	}
	return nil
}

// maxWei bounds amounts: more than there is, and far from where sums overflow.
var maxWei = new(big.Int).Lsh(big.NewInt(1), 128)

// wei is an amount that the model takes; nil is none.
func wei(amount *big.Int) (*uint256.Int, error) {
	switch {
	case amount == nil:
		return new(uint256.Int), nil
	case amount.Sign() < 0 || amount.Cmp(maxWei) > 0:
		return nil, fmt.Errorf("%v wei: the model takes amounts from 0 to 2^128", amount)
	}
	return uint256.MustFromBig(amount), nil
}

// Call makes a call of to with data, without effect, and returns its result.
func (c *ModelChain) Call(ctx context.Context, to common.Address, data []byte) ([]byte, error) {
	return c.CallContract(ctx, ethereum.CallMsg{To: &to, Data: data}, nil)
}
