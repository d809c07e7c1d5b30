package accounttest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/account/accounttest/internal/model"
	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/jsonrpc/jsonrpctest"
	"github.com/go-sesame/sesame/internal/kit"
	"github.com/go-sesame/sesame/userop"
)

// ModelBundler is the bundler of a [Model]. Its errors are those of a bundler client: a [*bundler.Error] for
// what it refuses. An operation is included in a block of its own, at once; what waits while the bundler is
// paused shares a bundle.
type ModelBundler struct {
	model  *Model
	pool   *mempool
	script script

	included map[common.Hash]*userop.Receipt
	settled  map[common.Hash]chan struct{}
	lost     int // answers that get lost
	late     int // questions for receipts that come too early
}

var (
	_ userop.Bundler      = (*ModelBundler)(nil)
	_ userop.FeeSource    = (*ModelBundler)(nil)
	_ userop.Identity     = (*ModelBundler)(nil)
	_ userop.DropReporter = (*ModelBundler)(nil)
)

func newModelBundler(m *Model) *ModelBundler {
	return &ModelBundler{
		model:    m,
		pool:     newMempool(),
		included: make(map[common.Hash]*userop.Receipt),
		settled:  make(map[common.Hash]chan struct{}),
	}
}

// Methods that are told in errors and in the log.
const (
	methodSend     = "eth_sendUserOperation"
	methodEstimate = "eth_estimateUserOperationGas"
	methodReceipt  = "eth_getUserOperationReceipt"
)

// errNoOperation is the error of a request about nothing.
var errNoOperation = errors.New("the model was asked about no operation: it is nil")

// bundlerError is an error as the client of a bundler has it.
func bundlerError(method string, err error) error {
	if answer := answerOf("bundler", method, err); answer != nil {
		return (*bundler.Error)(answer)
	}
	return err
}

// SendUserOperation judges an operation and includes it.
func (b *ModelBundler) SendUserOperation(ctx context.Context, op *userop.Operation, entryPoint common.Address) (common.Hash, error) {
	if op == nil {
		return common.Hash{}, errNoOperation
	}
	b.model.mu.Lock()
	defer b.model.mu.Unlock()
	if err := b.script.enter(ctx, ModelRequest{Method: methodSend, Operation: op}); err != nil {
		return common.Hash{}, err
	}
	if err := b.script.refusal(); err != nil {
		return common.Hash{}, err
	}
	hash, err := b.accept(op.Clone(), entryPoint)
	b.bundle()
	if b.lost > 0 {
		b.lost--
		return common.Hash{}, &bundler.TransportError{Service: "bundler", Endpoint: "of the model", Method: methodSend, HTTPStatus: http.StatusGatewayTimeout}
	}
	if err != nil {
		return common.Hash{}, bundlerError(methodSend, err)
	}
	return hash, nil
}

// accept validates an operation and puts it into the mempool.
func (b *ModelBundler) accept(op *userop.Operation, entryPoint common.Address) (common.Hash, error) {
	if err := b.checkEntryPoint(entryPoint); err != nil {
		return common.Hash{}, err
	}
	hash := b.model.hash(op)
	if known, ok := b.pool.get(hash); ok && known.state == opWaiting {
		return hash, nil // what a client makes of "already known"
	}
	if err := b.pool.checkNew(hash, op); err != nil {
		return common.Hash{}, err
	}
	if err := checkPay(op, uint256.NewInt(modelBaseFee)); err != nil {
		return common.Hash{}, err
	}
	if err := b.model.at().Validate(op); err != nil {
		return common.Hash{}, refusalOf(err)
	}
	replaced := b.pool.waitingAt(op)
	if err := b.pool.add(hash, op); err != nil {
		return hash, err
	}
	if replaced != nil {
		b.settle(replaced.hash)
	}
	return hash, nil
}

func (b *ModelBundler) checkEntryPoint(entryPoint common.Address) error {
	if entryPoint != b.model.Contracts.EntryPoint {
		return jsonrpctest.Invalid("EntryPoint %s is not supported, only %s is", entryPoint, b.model.Contracts.EntryPoint)
	}
	return nil
}

func (m *Model) hash(op *userop.Operation) common.Hash {
	return op.Hash(m.Contracts.EntryPoint, m.machine.ChainID)
}

// refusalOf is the bundler's error for what the EntryPoint reverted with.
func refusalOf(err error) error {
	if reverted, ok := errors.AsType[*model.Reverted](err); ok {
		return refusal(contracts.DecodeRevert(reverted.Data))
	}
	return err
}

// bundle includes what waits, in one bundle as far as that goes. What is not valid any more is given up.
func (b *ModelBundler) bundle() {
	for entries := b.pool.take(); len(entries) > 0; entries = b.pool.take() {
		b.include(entries)
	}
}

// include makes a block of the operations, without those that make their bundle fail.
func (b *ModelBundler) include(entries []*pooledOp) {
	machine := b.model.at()
	defer machine.Settle()
	for len(entries) > 0 {
		done, err := machine.Bundle(operations(entries), kit.Address("executor"))
		if err == nil {
			b.note(entries, done)
			return
		}
		at := min(model.Blamed(err), len(entries)-1)
		b.pool.drop(entries[at], err.Error())
		b.settle(entries[at].hash)
		entries = slices.Delete(slices.Clone(entries), at, at+1)
	}
}

// note makes a block of what was included.
func (b *ModelBundler) note(entries []*pooledOp, done []*model.Included) {
	b.model.newBlock()
	for i, entry := range entries {
		b.included[entry.hash] = b.receiptOf(done[i])
		b.settle(entry.hash)
	}
	b.pool.include(entries, b.included[entries[0].hash].TransactionHash)
}

// receiptOf is the receipt of an operation in the newest block.
func (b *ModelBundler) receiptOf(done *model.Included) *userop.Receipt {
	receipt := &userop.Receipt{
		UserOpHash:      done.Hash,
		EntryPoint:      b.model.Contracts.EntryPoint,
		Sender:          done.Op.Sender,
		Nonce:           done.Op.Nonce,
		ActualGasCost:   done.Cost,
		ActualGasUsed:   done.Gas,
		Success:         done.Success,
		TransactionHash: b.model.newestHash("transaction"),
		BlockHash:       b.model.newestHash("block"),
		BlockNumber:     b.model.blocks,
		Logs:            done.Logs,
	}
	if data := done.Op.PaymasterAndData; len(data) > 0 {
		receipt.Paymaster = common.BytesToAddress(data[:common.AddressLength])
	}
	if len(done.RevertData) > 0 {
		receipt.RevertData, receipt.Reason = done.RevertData, contracts.DecodeRevert(done.RevertData).String()
	}
	return receipt
}

// EstimateUserOperationGas returns limits that suffice; gas is nominal.
func (b *ModelBundler) EstimateUserOperationGas(ctx context.Context, op *userop.Operation, entryPoint common.Address, overrides userop.StateOverride) (userop.Gas, error) {
	if op == nil {
		return userop.Gas{}, errNoOperation
	}
	b.model.mu.Lock()
	defer b.model.mu.Unlock()
	if err := b.script.enter(ctx, ModelRequest{Method: methodEstimate, Operation: op}); err != nil {
		return userop.Gas{}, err
	}
	if err := b.checkEntryPoint(entryPoint); err != nil {
		return userop.Gas{}, bundlerError(methodEstimate, err)
	}
	gas, err := b.model.estimate(op, overrides, nil)
	return gas, bundlerError(methodEstimate, err)
}

// UserOperationReceipt returns the receipt of an included operation, or an error matching
// [userop.ErrNotFound].
func (b *ModelBundler) UserOperationReceipt(ctx context.Context, hash common.Hash) (*userop.Receipt, error) {
	b.model.mu.Lock()
	defer b.model.mu.Unlock()
	if err := b.script.enter(ctx, ModelRequest{Method: methodReceipt, Hash: hash}); err != nil {
		return nil, err
	}
	receipt, ok := b.included[hash]
	if ok && b.late > 0 {
		b.late--
		ok = false
	}
	if !ok {
		return nil, fmt.Errorf("%w: the bundler has nothing on %s", userop.ErrNotFound, hash)
	}
	return cloneReceipt(receipt), nil
}

func cloneReceipt(receipt *userop.Receipt) *userop.Receipt {
	clone := *receipt
	clone.RevertData = common.CopyBytes(receipt.RevertData)
	clone.Logs = make([]*types.Log, len(receipt.Logs))
	for i, log := range receipt.Logs {
		copied := *log
		clone.Logs[i] = &copied
	}
	return &clone
}

// Fees proposes twice the base fee and a tip.
func (b *ModelBundler) Fees(ctx context.Context) (fees userop.Fees, err error) {
	b.model.mu.Lock()
	defer b.model.mu.Unlock()
	if err := b.script.enter(ctx, ModelRequest{Method: "pimlico_getUserOperationGasPrice"}); err != nil {
		return userop.Fees{}, err
	}
	fees.MaxFeePerGas.SetUint64(priorityFee + 2*modelBaseFee)
	fees.MaxPriorityFeePerGas.SetUint64(priorityFee)
	return fees, nil
}

// ChainID returns the chain that the bundler serves.
func (b *ModelBundler) ChainID(ctx context.Context) (uint64, error) {
	b.model.mu.Lock()
	defer b.model.mu.Unlock()
	return b.model.machine.ChainID, b.script.enter(ctx, ModelRequest{Method: "eth_chainId"})
}

// SupportedEntryPoints returns the EntryPoint.
func (b *ModelBundler) SupportedEntryPoints(ctx context.Context) ([]common.Address, error) {
	b.model.mu.Lock()
	defer b.model.mu.Unlock()
	return []common.Address{b.model.Contracts.EntryPoint}, b.script.enter(ctx, ModelRequest{Method: "eth_supportedEntryPoints"})
}

// UserOperationDropped reports whether the bundler gave the operation up.
func (b *ModelBundler) UserOperationDropped(ctx context.Context, hash common.Hash) (bool, error) {
	b.model.mu.Lock()
	defer b.model.mu.Unlock()
	if err := b.script.enter(ctx, ModelRequest{Method: "pimlico_getUserOperationStatus", Hash: hash}); err != nil {
		return false, err
	}
	entry, ok := b.pool.get(hash)
	return ok && entry.state == opDropped, nil
}

// Settled returns a channel that is closed once the operation was included or given up, so that no wait has
// to sleep.
func (b *ModelBundler) Settled(hash common.Hash) <-chan struct{} {
	b.model.mu.Lock()
	defer b.model.mu.Unlock()
	return b.settledOf(hash)
}

func (b *ModelBundler) settledOf(hash common.Hash) chan struct{} {
	settled, ok := b.settled[hash]
	if !ok {
		settled = make(chan struct{})
		b.settled[hash] = settled
	}
	return settled
}

func (b *ModelBundler) settle(hash common.Hash) {
	select {
	case <-b.settledOf(hash):
	default:
		close(b.settledOf(hash))
	}
}
