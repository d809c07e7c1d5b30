package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/internal/testutil"
)

// chainID is Anvil's own. Alto takes the chains of other IDs for what they are on public networks.
const chainID = 31337

// Anvil is a node whose chain begins with our contracts. It makes a block for each transaction until it is
// told otherwise.
type Anvil struct {
	URL string
	// Node is a client of it.
	Node *ethclient.Client

	rpc     *rpc.Client
	pool    *http.Transport
	process *process
}

// StartAnvil starts a node that works in dir; the caller closes it.
func StartAnvil(ctx context.Context, tools Tools, dir string) (*Anvil, error) {
	genesis, err := accounttest.GenesisJSON(accounttest.ChainConfig{ChainID: chainID})
	if err != nil {
		return nil, err
	}
	first := filepath.Join(dir, "genesis.json")
	if err := os.WriteFile(first, genesis, 0o600); err != nil {
		return nil, err
	}
	port, err := testutil.FreePort()
	if err != nil {
		return nil, err
	}
	a := &Anvil{URL: fmt.Sprintf("http://127.0.0.1:%d", port), pool: http.DefaultTransport.(*http.Transport).Clone()}
	a.process, err = startProcess(filepath.Join(dir, "anvil.log"), []string{"HOME=" + dir}, tools.anvil,
		"--host", "127.0.0.1", "--port", strconv.Itoa(port), "--chain-id", strconv.Itoa(chainID), "--init", first,
		"--hardfork", "prague", "--code-size-limit", "100000", "--accounts", "0")
	if err != nil {
		return nil, err
	}
	if a.rpc, err = rpc.DialOptions(ctx, a.URL, rpc.WithHTTPClient(&http.Client{Transport: a.pool})); err != nil {
		return nil, errors.Join(err, a.process.kill())
	}
	a.Node = ethclient.NewClient(a.rpc)
	err = a.process.untilReady(ctx, func(ctx context.Context) error {
		_, err := a.Node.ChainID(ctx)
		return err
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("Anvil did not start: %w", err), a.Close())
	}
	return a, nil
}

// Close ends it.
func (a *Anvil) Close() error {
	a.rpc.Close()
	a.pool.CloseIdleConnections()
	return a.process.kill()
}

// call asks for what has no result that matters.
func (a *Anvil) call(ctx context.Context, method string, args ...any) error {
	if err := a.rpc.CallContext(ctx, nil, method, args...); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	return nil
}

// Mine makes n blocks; the first has what is in the pool and can pay the base fee.
func (a *Anvil) Mine(ctx context.Context, n int) error {
	return a.call(ctx, "anvil_mine", hexutil.Uint64(n))
}

// MineEach has a block made for each transaction at once, or else by [Anvil.Mine] alone.
func (a *Anvil) MineEach(ctx context.Context, each bool) error {
	return a.call(ctx, "evm_setAutomine", each)
}

// MineEvery has a block made every so many seconds, and none for a transaction.
func (a *Anvil) MineEvery(ctx context.Context, seconds int) error {
	if err := a.MineEach(ctx, false); err != nil {
		return err
	}
	return a.call(ctx, "evm_setIntervalMining", seconds)
}

// TakeBack replaces a block and those on top of it by empty ones, while others may be made.
func (a *Anvil) TakeBack(ctx context.Context, number uint64) error {
	block, err := a.Node.HeaderByNumber(ctx, new(big.Int).SetUint64(number))
	if err != nil {
		return err
	}
	for {
		head, err := a.Node.BlockNumber(ctx)
		if err != nil {
			return err
		}
		if err := a.call(ctx, "anvil_reorg", head-number+1, []any{}); err != nil {
			return err
		}
		now, err := a.Node.HeaderByNumber(ctx, block.Number)
		if err != nil || now.Hash() != block.Hash() {
			return err
		}
	}
}

// SetBaseFee sets the base fee of the next block.
func (a *Anvil) SetBaseFee(ctx context.Context, wei *big.Int) error {
	return a.call(ctx, "anvil_setNextBlockBaseFeePerGas", (*hexutil.Big)(wei))
}

// SetBalance sets an account's balance.
func (a *Anvil) SetBalance(ctx context.Context, address common.Address, wei *big.Int) error {
	return a.call(ctx, "anvil_setBalance", address, (*hexutil.Big)(wei))
}

// Pool returns the transactions that are in no block, and could be in the next.
func (a *Anvil) Pool(ctx context.Context) (all []*types.Transaction, err error) {
	var pool struct {
		Pending map[common.Address]map[string]*types.Transaction `json:"pending"`
	}
	if err := a.rpc.CallContext(ctx, &pool, "txpool_content"); err != nil {
		return nil, fmt.Errorf("txpool_content: %w", err)
	}
	for _, sent := range pool.Pending {
		all = slices.AppendSeq(all, maps.Values(sent))
	}
	return all, nil
}

// Transact sends a transaction of the faucet, and waits until it is in a block. It is for one at a time.
func (a *Anvil) Transact(ctx context.Context, to common.Address, wei *big.Int, data []byte) error {
	tx, err := a.sign(ctx, to, wei, data)
	if err != nil {
		return err
	}
	if err := a.Node.SendTransaction(ctx, tx); err != nil {
		return fmt.Errorf("send transaction to %s: %w", to, err)
	}
	receipt, err := a.Node.TransactionReceipt(ctx, tx.Hash())
	for errors.Is(err, ethereum.NotFound) {
		time.Sleep(10 * time.Millisecond)
		receipt, err = a.Node.TransactionReceipt(ctx, tx.Hash())
	}
	if err == nil && receipt.Status != types.ReceiptStatusSuccessful {
		err = errors.New("it reverted")
	}
	if err != nil {
		return fmt.Errorf("transaction %s to %s: %w", tx.Hash(), to, err)
	}
	return nil
}

func (a *Anvil) sign(ctx context.Context, to common.Address, wei *big.Int, data []byte) (*types.Transaction, error) {
	key := accounttest.Faucet()
	nonce, err := a.Node.PendingNonceAt(ctx, crypto.PubkeyToAddress(key.PublicKey))
	if err != nil {
		return nil, err
	}
	price, err := a.Node.SuggestGasPrice(ctx)
	if err != nil {
		return nil, err
	}
	return types.SignNewTx(key, types.LatestSignerForChainID(big.NewInt(chainID)), &types.DynamicFeeTx{
		ChainID:   big.NewInt(chainID),
		Nonce:     nonce,
		GasTipCap: price,
		GasFeeCap: new(big.Int).Lsh(price, 1),
		Gas:       1_000_000,
		To:        &to,
		Value:     wei,
		Data:      data,
	})
}
