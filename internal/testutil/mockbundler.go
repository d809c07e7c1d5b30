package testutil

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/go-sesame/sesame/userop"
)

// MockBundler is a [MockServer] that begins as a bundler on which everything goes well: it names its chain and
// EntryPoint, quotes 2 gwei with a tip of 1 gwei, estimates 100,000 / 200,000 / 50,000 gas, accepts every
// operation under its own hash, and has a receipt of success for it at once. Change single methods with
// [MockServer.On].
type MockBundler struct {
	*MockServer

	mu   sync.Mutex
	sent []*userop.Operation
}

// NewMockBundler starts a bundler that ends with the test.
func NewMockBundler(t TB, cfg MockConfig) *MockBundler {
	t.Helper()
	b := &MockBundler{MockServer: NewMock(t, cfg)}
	b.On("eth_chainId", Result(hexutil.Uint64(b.cfg.ChainID)))
	b.On("eth_supportedEntryPoints", Result([]common.Address{WellKnownContracts().EntryPoint}))
	b.On("eth_estimateUserOperationGas", Result(map[string]string{
		"callGasLimit": "0x186a0", "verificationGasLimit": "0x30d40", "preVerificationGas": "0xc350",
	}))
	b.On("eth_sendUserOperation", Compute(b.accept))
	b.On("eth_getUserOperationReceipt", Compute(b.receipt))
	b.onVendor()
	return b
}

func (b *MockBundler) onVendor() {
	price := map[string]string{"maxFeePerGas": "0x77359400", "maxPriorityFeePerGas": "0x3b9aca00"}
	switch b.cfg.Vendor {
	case Biconomy:
		b.On("biconomy_getGasFeeValues", Result(price))
		b.On("biconomy_getUserOperationStatus", Compute(b.biconomyStatus))
	case Pimlico:
		b.On("pimlico_getUserOperationGasPrice", Result(map[string]any{"slow": price, "standard": price, "fast": price}))
		b.On("pimlico_getUserOperationStatus", Compute(b.pimlicoStatus))
	}
}

// Sent returns the operations that were accepted, in order.
func (b *MockBundler) Sent() []*userop.Operation {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]*userop.Operation{}, b.sent...)
}

func (b *MockBundler) accept(_ context.Context, request Request) (any, error) {
	var op userop.Operation
	var entryPoint common.Address
	if err := readParams(request, &op, &entryPoint); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sent = append(b.sent, &op)
	return op.Hash(entryPoint, b.cfg.ChainID), nil
}

// find returns the accepted operation with the hash in the first parameter, nil where there is none.
func (b *MockBundler) find(request Request) (*userop.Operation, common.Hash, error) {
	var hash common.Hash
	if err := readParams(request, &hash); err != nil {
		return nil, hash, err
	}
	for _, op := range b.Sent() {
		if op.Hash(WellKnownContracts().EntryPoint, b.cfg.ChainID) == hash {
			return op, hash, nil
		}
	}
	return nil, hash, nil
}

func (b *MockBundler) receipt(_ context.Context, request Request) (any, error) {
	op, hash, err := b.find(request)
	if err != nil || op == nil {
		return nil, err // null while there is none
	}
	return SuccessReceipt(op, hash), nil
}

func (b *MockBundler) biconomyStatus(_ context.Context, request Request) (any, error) {
	op, hash, err := b.find(request)
	switch {
	case err != nil:
		return nil, err
	case op == nil:
		return nil, invalid("user operation %s is not known", hash)
	}
	receipt := SuccessReceipt(op, hash)
	return map[string]any{"state": "CONFIRMED", "transactionHash": receipt.TransactionHash, "userOperationReceipt": receipt}, nil
}

func (b *MockBundler) pimlicoStatus(_ context.Context, request Request) (any, error) {
	op, hash, err := b.find(request)
	switch {
	case err != nil:
		return nil, err
	case op == nil:
		return map[string]any{"status": "not_found", "transactionHash": nil}, nil
	}
	return map[string]any{"status": "included", "transactionHash": SuccessReceipt(op, hash).TransactionHash}, nil
}

// SuccessReceipt returns a receipt of op as an operation that went well, in a block that does not exist.
func SuccessReceipt(op *userop.Operation, hash common.Hash) *userop.Receipt {
	receipt := &userop.Receipt{
		UserOpHash:      hash,
		EntryPoint:      WellKnownContracts().EntryPoint,
		Sender:          op.Sender,
		Nonce:           op.Nonce,
		Success:         true,
		TransactionHash: common.Hash{0: 0xb0, 31: 1},
		BlockHash:       common.Hash{0: 0xb1, 31: 1},
		BlockNumber:     1,
		Logs:            []*types.Log{},
	}
	receipt.ActualGasUsed.SetUint64(150_000)
	receipt.ActualGasCost.Mul(&receipt.ActualGasUsed, &op.MaxFeePerGas)
	if len(op.PaymasterAndData) >= common.AddressLength {
		receipt.Paymaster = common.BytesToAddress(op.PaymasterAndData[:common.AddressLength])
	}
	return receipt
}

// readParams reads the first parameters of a request.
func readParams(request Request, into ...any) error {
	if len(request.Params) < len(into) {
		return invalid("%s takes %d parameters, %d given", request.Method, len(into), len(request.Params))
	}
	var errs []error
	for i, dst := range into {
		if err := json.Unmarshal(request.Params[i], dst); err != nil {
			errs = append(errs, fmt.Errorf("parameter %d: %w", i, err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return invalid("%v", err)
	}
	return nil
}
