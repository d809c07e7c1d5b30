package accounttest

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"math/big"
	"sync"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
)

// faucet serialises the faucet's transactions, so that no two take the same nonce.
type faucet struct{ mu sync.Mutex }

// SendTx calls to with data and value (in wei; nil is none) from the faucet, makes blocks until the
// transaction is in one, and returns its receipt. A call that would revert is an error with the reason, and
// nothing is sent.
func (c *Chain) SendTx(ctx context.Context, to common.Address, value *big.Int, data []byte) (*types.Receipt, error) {
	c.faucet.mu.Lock()
	defer c.faucet.mu.Unlock()
	c.rewinding.RLock()
	defer c.rewinding.RUnlock()
	from := crypto.PubkeyToAddress(Faucet().PublicKey)
	gas, err := c.client.EstimateGas(ctx, ethereum.CallMsg{From: from, To: &to, Value: value, Data: data})
	if err != nil {
		return nil, fmt.Errorf("transaction to %s would fail: %w", to, err)
	}
	receipt, err := c.transact(ctx, Faucet(), to, value, data, gas)
	if err != nil {
		return nil, err
	}
	if receipt.Status != types.ReceiptStatusSuccessful {
		return receipt, fmt.Errorf("transaction %s to %s reverted", receipt.TxHash, to)
	}
	return receipt, nil
}

// Call makes an eth_call of to with data, and returns its result.
func (c *Chain) Call(ctx context.Context, to common.Address, data []byte) ([]byte, error) {
	return c.client.CallContract(ctx, ethereum.CallMsg{To: &to, Data: data}, nil)
}

// Fund sends wei from the faucet to addr and waits until it is there.
func (c *Chain) Fund(ctx context.Context, addr common.Address, wei *big.Int) error {
	if _, err := c.SendTx(ctx, addr, wei, nil); err != nil {
		return fmt.Errorf("fund %s: %w", addr, err)
	}
	return nil
}

// transact sends a transaction of key's account and makes blocks until it is in one. Transactions of one key
// must not be made at the same time, nor the chain be reorganised meanwhile.
func (c *Chain) transact(ctx context.Context, key *ecdsa.PrivateKey, to common.Address, value *big.Int, data []byte, gas uint64) (*types.Receipt, error) {
	tx, err := c.signTx(ctx, key, to, value, data, gas)
	if err != nil {
		return nil, err
	}
	if err := c.client.SendTransaction(ctx, tx); err != nil {
		return nil, fmt.Errorf("send transaction to %s: %w", to, err)
	}
	for {
		c.Commit()
		receipt, err := c.client.TransactionReceipt(ctx, tx.Hash())
		if !errors.Is(err, ethereum.NotFound) {
			return receipt, err
		}
	}
}

func (c *Chain) signTx(ctx context.Context, key *ecdsa.PrivateKey, to common.Address, value *big.Int, data []byte, gas uint64) (*types.Transaction, error) {
	nonce, err := c.client.PendingNonceAt(ctx, crypto.PubkeyToAddress(key.PublicKey))
	if err != nil {
		return nil, err
	}
	head, err := c.client.HeaderByNumber(ctx, nil)
	if err != nil {
		return nil, err
	}
	tip := big.NewInt(priorityFee)
	feeCap := new(big.Int).Add(tip, new(big.Int).Lsh(head.BaseFee, 1))
	return types.SignNewTx(key, types.LatestSignerForChainID(c.chainID), &types.DynamicFeeTx{
		ChainID:   c.chainID,
		Nonce:     nonce,
		GasTipCap: tip,
		GasFeeCap: feeCap,
		Gas:       gas,
		To:        &to,
		Value:     value,
		Data:      data,
	})
}

// priorityFee is the tip of the chain's own transactions, in wei per gas.
const priorityFee = 1_000_000_000
