package bundler

import (
	"context"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/internal/jsonrpc"
	"github.com/go-sesame/sesame/userop"
)

var (
	_ userop.ReceiptsReader = (*Client)(nil)
	_ userop.LossReporter   = (*Client)(nil)
)

// UserOperationReceipts is [Client.UserOperationReceipt] for several operations in one request, a JSON-RPC
// batch. A bundler that takes none, as Alto, is an error matching [userop.ErrNoBatch], for a minute without
// asking it. It asks once.
func (c *Client) UserOperationReceipts(ctx context.Context, hashes []common.Hash) ([]userop.ReceiptAnswer, error) {
	if c.batches.known() {
		return nil, fmt.Errorf("bundler: %w, as it said before", userop.ErrNoBatch)
	}
	answers, receipts := make([]userop.ReceiptAnswer, len(hashes)), make([]userop.Receipt, len(hashes))
	requests := make([]jsonrpc.Request, len(hashes))
	for i, hash := range hashes {
		requests[i] = jsonrpc.Request{Method: "eth_getUserOperationReceipt", Params: []any{hash}, Result: &receipts[i]}
	}
	failures, err := c.rpc.DoAll(ctx, requests)
	switch {
	case errors.Is(err, jsonrpc.ErrNoBatch):
		c.batches.note()
		return nil, fmt.Errorf("%w: %w", userop.ErrNoBatch, asError(err))
	case err != nil:
		return nil, asError(err)
	}
	for i, hash := range hashes {
		receipt := receipts[i] // alone, so that one that is kept does not keep the others
		answers[i].Receipt, answers[i].Err = checked(&receipt, asError(failures[i]), hash)
	}
	return answers, nil
}

// checked is the answer to the question for a receipt.
func checked(receipt *userop.Receipt, err error, hash common.Hash) (*userop.Receipt, error) {
	switch {
	case err != nil:
		return nil, notFound(err, hash)
	case receipt.UserOpHash != hash:
		return nil, fmt.Errorf("bundler: asked for the receipt of %s it gave that of %s", hash, receipt.UserOpHash)
	}
	return receipt, nil
}
