package accounttest

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/go-sesame/sesame/account/accounttest/internal/node"
	"github.com/go-sesame/sesame/internal/kit"
	"github.com/go-sesame/sesame/internal/localhttp"
)

// DefaultChainID is the chain ID of a [ChainConfig] that names none: Polygon Amoy's.
const DefaultChainID = kit.DefaultChainID

// ChainConfig says what chain to start. The zero value is a good one.
type ChainConfig struct {
	// ChainID is [DefaultChainID] when zero.
	ChainID uint64

	port int // of the JSON-RPC endpoint; 0 is a free one
}

func (cfg *ChainConfig) setDefaults() {
	if cfg.ChainID == 0 {
		cfg.ChainID = DefaultChainID
	}
}

// Chain is a blockchain in this process, with the account contracts at their well-known addresses
// ([WellKnownContracts]) and a funded [Faucet]. A block is made by [Chain.Commit] only, and by the methods
// that say so. Its methods are safe for concurrent use.
//
// The timestamp of a block is the wall clock's, or its parent's plus one second where that is later: a chain
// that makes many blocks quickly, or had its time adjusted, runs ahead of the wall clock and never behind it.
// Ask [Chain.NextTime] for the time that the next block will see.
type Chain struct {
	// Contracts are the addresses of the contracts on the chain.
	Contracts Contracts

	chainID *big.Int
	client  *ethclient.Client
	faucet  faucet
	port    int

	// rewinding is held for reading by what must not have a reorg in the middle of it.
	rewinding sync.RWMutex

	mu        sync.Mutex // guards what follows
	node      *node.Node
	server    *localhttp.Server
	closed    bool
	floor     uint64    // blocks up to it stay
	lostUntil time.Time // of the newest block that was lost
	services  map[*Bundler]struct{}
}

// StartChain starts a chain; the caller closes it. The error matches [ErrNoContracts] when the compiled
// contracts are not there.
func StartChain(cfg ChainConfig) (*Chain, error) {
	cfg.setDefaults()
	genesis, err := cfg.genesis()
	if err != nil {
		return nil, err
	}
	running, err := node.Start(genesis)
	if err != nil {
		return nil, fmt.Errorf("start chain %d: %w", cfg.ChainID, err)
	}
	return &Chain{
		Contracts: WellKnownContracts(),
		chainID:   new(big.Int).SetUint64(cfg.ChainID),
		client:    ethclient.NewClient(running.Attach()),
		node:      running,
		port:      cfg.port,
	}, nil
}

// ChainID returns the chain's ID.
func (c *Chain) ChainID() uint64 { return c.chainID.Uint64() }

// Client returns a client of the chain's node, as ethclient.Dial would for a node elsewhere. It is closed
// with the chain.
func (c *Chain) Client() *ethclient.Client { return c.client }

// Commit makes a block of the transactions that were sent, and returns its hash. It makes an empty block
// where there are none.
func (c *Chain) Commit() common.Hash {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.node.Commit()
}

// AdjustTime makes a block whose timestamp is d after the last one's. Times go forward only.
func (c *Chain) AdjustTime(d time.Duration) error {
	if d < time.Second {
		return fmt.Errorf("adjust time by %v: a block is at least one second after its parent", d)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.node.Commit() // time is adjusted on an empty pool only
	return c.node.AdjustTime(d)
}

// Now returns the timestamp of the last block.
func (c *Chain) Now(ctx context.Context) (time.Time, error) {
	if err := ctx.Err(); err != nil {
		return time.Time{}, fmt.Errorf("last block's time: %w", err)
	}
	return time.Unix(int64(c.node.Now()), 0), nil
}

// NextTime returns the timestamp that the next block will have if it is made at once.
func (c *Chain) NextTime(ctx context.Context) (time.Time, error) {
	last, err := c.Now(ctx)
	if err != nil {
		return time.Time{}, err
	}
	c.mu.Lock()
	if c.lostUntil.After(last) {
		last = c.lostUntil
	}
	c.mu.Unlock()
	if now := time.Now().Truncate(time.Second); now.After(last) {
		return now, nil
	}
	return last.Add(time.Second), nil
}

// Close stops the chain and its JSON-RPC server.
func (c *Chain) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	c.closed = true
	var err error
	if c.server != nil {
		err = c.server.Shutdown()
	}
	c.client.Close()
	return errors.Join(err, c.node.Close())
}

// RPCURL returns the URL of the chain's JSON-RPC endpoint, which the first call starts: for code that dials
// its node. A transaction that is sent there waits for [Chain.Commit] as all do.
func (c *Chain) RPCURL() (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return "", errors.New("the chain is closed")
	}
	if c.server != nil {
		return c.server.URL, nil
	}
	handler, err := c.node.Handler()
	if err != nil {
		return "", fmt.Errorf("chain's JSON-RPC endpoint: %w", err)
	}
	if c.server, err = localhttp.Serve(handler, c.port); err != nil {
		return "", fmt.Errorf("chain's JSON-RPC endpoint: %w", err)
	}
	return c.server.URL, nil
}

// rpcClient is the raw client, for the methods that ethclient does not have.
func (c *Chain) rpcClient() *rpc.Client { return c.client.Client() }
