package bundlertest

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/go-sesame/sesame/internal/jsonrpc/jsonrpctest"
	"github.com/go-sesame/sesame/internal/kit"
	"github.com/go-sesame/sesame/userop"
)

// Config says how a [Server] begins. The zero value is a good one.
type Config struct {
	// ChainID is the chain that the server names, 80002 (Polygon Amoy) when zero.
	ChainID uint64
	// Vendor is whose methods the server has.
	Vendor Vendor
	// Delay is added to every answer, so that requests made at the same time overlap.
	Delay time.Duration
	// Forward, when set, is the URL of another bundler, which answers what no script does: the server begins
	// without answers of its own and stands before it.
	Forward string
}

// Vendor says whose methods a bundler has beside the standard ones.
type Vendor int

const (
	// Standard is no vendor's: the methods of ERC-7769 only.
	Standard Vendor = iota
	// Biconomy adds biconomy_getGasFeeValues, biconomy_getUserOperationStatus, and a third parameter of
	// eth_sendUserOperation, {simulation_type}, which the others refuse. As Biconomy's own bundler it answers
	// questions about an operation under the ID 1, and one that it does not know with error -32004.
	Biconomy
	// Pimlico adds pimlico_getUserOperationGasPrice and pimlico_getUserOperationStatus.
	Pimlico
	// Rundler adds rundler_maxPriorityFeePerGas.
	Rundler
)

// Server is a scripted JSON-RPC service that begins as a bundler on which everything goes well: it names its
// chain and EntryPoint, quotes 2 gwei with a tip of 1 gwei, estimates 100,000 / 200,000 / 50,000 gas, accepts
// every operation under its own hash, and has a receipt of success for it at once. It is safe for concurrent
// use.
type Server struct {
	*jsonrpctest.Server
	chainID uint64

	mu   sync.Mutex
	sent []*userop.Operation
}

// StartServer starts a server; the caller closes it.
func StartServer(cfg Config) (*Server, error) {
	scripted, err := jsonrpctest.StartServer(jsonrpctest.Config{Delay: cfg.Delay})
	if err != nil {
		return nil, fmt.Errorf("start scripted bundler: %w", err)
	}
	b := &Server{Server: scripted, chainID: cmp.Or(cfg.ChainID, kit.DefaultChainID)}
	if cfg.Forward != "" {
		b.Otherwise(Forward(cfg.Forward))
		return b, nil
	}
	b.script(cfg.Vendor)
	return b, nil
}

// NewServer starts a server that ends with the test.
func NewServer(t TB, cfg Config) *Server {
	t.Helper()
	b, err := StartServer(cfg)
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() { jsonrpctest.LogClose(t, "scripted bundler", b.Close) })
	return b
}

// URL returns the server's address, on 127.0.0.1.
func (b *Server) URL() string { return b.Server.URL() }

// On sets the answers to a method: one request after another takes the next, and the last one stays.
func (b *Server) On(method string, answers ...Answer) { b.Server.On(method, answers...) }

// Otherwise sets the answer to all methods that have none of their own.
func (b *Server) Otherwise(answer Answer) { b.Server.Otherwise(answer) }

// Requests returns the requests of a method that came, in order; of all methods where it is empty.
func (b *Server) Requests(method string) []Request { return b.Server.Requests(method) }

// Count returns how many [Server.Requests] there are.
func (b *Server) Count(method string) int { return b.Server.Count(method) }

// Close stops the server, and waits until it has.
func (b *Server) Close() error { return b.Server.Close() }

// script sets the answers of a bundler on which everything goes well.
func (b *Server) script(vendor Vendor) {
	b.On("eth_chainId", Result(hexutil.Uint64(b.chainID)))
	b.On("eth_supportedEntryPoints", Result([]common.Address{kit.EntryPoint(b.chainID)}))
	b.On("eth_estimateUserOperationGas", Result(map[string]hexutil.Uint64{
		"callGasLimit": kit.CallGasLimit, "verificationGasLimit": kit.VerificationGasLimit, "preVerificationGas": kit.PreVerificationGas,
	}))
	b.On("eth_sendUserOperation", Compute(b.accept))
	b.On("eth_getUserOperationReceipt", Compute(b.receipt))
	b.scriptVendor(vendor)
}

func (b *Server) scriptVendor(vendor Vendor) {
	price := map[string]string{"maxFeePerGas": "0x77359400", "maxPriorityFeePerGas": "0x3b9aca00"}
	switch vendor {
	case Biconomy:
		b.On("biconomy_getGasFeeValues", Result(price))
		b.On("biconomy_getUserOperationStatus", Compute(b.biconomyStatus).UnderID("1"))
		b.On("eth_getUserOperationReceipt", Compute(b.receipt).UnderID("1"))
	case Pimlico:
		b.On("pimlico_getUserOperationGasPrice", Result(map[string]any{"slow": price, "standard": price, "fast": price}))
		b.On("pimlico_getUserOperationStatus", Compute(b.pimlicoStatus))
	case Rundler:
		b.On("rundler_maxPriorityFeePerGas", Result(price["maxPriorityFeePerGas"]))
	}
}

// Sent returns the operations that were accepted, in order.
func (b *Server) Sent() []*userop.Operation {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]*userop.Operation{}, b.sent...)
}

func (b *Server) accept(_ context.Context, request Request) (any, error) {
	var op userop.Operation
	var entryPoint common.Address
	if err := jsonrpctest.ReadParams(request, &op, &entryPoint); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sent = append(b.sent, &op)
	return op.Hash(entryPoint, b.chainID), nil
}

// find returns the accepted operation with the hash in the first parameter, nil where there is none.
func (b *Server) find(request Request) (*userop.Operation, common.Hash, error) {
	var hash common.Hash
	if err := jsonrpctest.ReadParams(request, &hash); err != nil {
		return nil, hash, err
	}
	for _, op := range b.Sent() {
		if op.Hash(kit.EntryPoint(b.chainID), b.chainID) == hash {
			return op, hash, nil
		}
	}
	return nil, hash, nil
}

func (b *Server) receipt(_ context.Context, request Request) (any, error) {
	op, hash, err := b.find(request)
	if err != nil || op == nil {
		return nil, err // null while there is none
	}
	receipt := SuccessReceipt(op, hash)
	receipt.EntryPoint = kit.EntryPoint(b.chainID)
	return receipt, nil
}

func (b *Server) biconomyStatus(_ context.Context, request Request) (any, error) {
	op, hash, err := b.find(request)
	switch {
	case err != nil:
		return nil, err
	case op == nil:
		return nil, &jsonrpctest.Error{Code: -32004, Message: fmt.Sprintf("UserOpHash: %s not found for chainId: %d", hash, b.chainID)}
	}
	receipt := SuccessReceipt(op, hash)
	return map[string]any{"state": "CONFIRMED", "transactionHash": receipt.TransactionHash, "userOperationReceipt": receipt}, nil
}

func (b *Server) pimlicoStatus(_ context.Context, request Request) (any, error) {
	op, hash, err := b.find(request)
	switch {
	case err != nil:
		return nil, err
	case op == nil:
		return map[string]any{"status": "not_found", "transactionHash": nil}, nil
	}
	return map[string]any{"status": "included", "transactionHash": SuccessReceipt(op, hash).TransactionHash}, nil
}

// SuccessReceipt returns a receipt of op as an operation that went well, in a block that does not exist, by
// the EntryPoint that is at the same address on nearly all chains.
func SuccessReceipt(op *userop.Operation, hash common.Hash) *userop.Receipt {
	receipt := &userop.Receipt{
		UserOpHash:      hash,
		EntryPoint:      kit.EntryPoint(kit.DefaultChainID),
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
