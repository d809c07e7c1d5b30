package account

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// Config makes a [Client]. ChainID, Chain and Bundler are required.
type Config struct {
	// ChainID is checked against what the node and the bundler say, before anything is signed.
	ChainID uint64
	// Chain reads the chain; *ethclient.Client is one.
	Chain Chain
	// Bundler takes the operations; bundler.New makes one.
	Bundler userop.Bundler
	// Paymaster pays for operations sent with [Sponsored]; paymaster.New makes one.
	Paymaster userop.Paymaster
	// Contracts replaces the well-known addresses; zero fields keep them.
	Contracts Contracts
	// Fees proposes fees. By default the bundler does and, where it cannot, the node.
	Fees userop.FeeSource
	// Caps refuse operations that would cost more; [WithCaps] replaces them for one operation.
	Caps userop.Caps
	// Freshness is how long what the chain says of the sessions' root and of enabled modules, and what fees
	// were proposed, is taken from memory: 2 seconds by default, negative to ask each time.
	Freshness time.Duration
	// WaitTimeout ends a wait whose context has no deadline; 5 minutes by default.
	WaitTimeout time.Duration
	// Logger is told each step at debug level; nil for silence.
	Logger *slog.Logger
}

// Client is everything for one chain: chain reader, pipeline and contract addresses. Make one per
// process; it is safe for concurrent use.
type Client struct {
	chainID   uint64
	chain     Chain
	contracts Contracts
	sender    *userop.Sender
	bundler   userop.Bundler
	caps      userop.Caps
	freshness time.Duration

	identified atomic.Bool // the node said that it serves the chain
	deployed   sync.Map    // common.Address → struct{}: an account with code keeps it
	enabled    sync.Map    // moduleOf → time.Time of the last look
}

// NewClient returns a client. It does no I/O: a service that is out of reach, or serves another chain,
// is an error of the first operation.
func NewClient(cfg Config) (*Client, error) {
	switch {
	case cfg.ChainID == 0:
		return nil, fmt.Errorf("%w: client without a ChainID", ErrConfig)
	case cfg.Chain == nil:
		return nil, fmt.Errorf("%w: client without a Chain; ethclient.Dial makes one", ErrConfig)
	case cfg.Bundler == nil:
		return nil, fmt.Errorf("%w: client without a Bundler; bundler.New makes one", ErrConfig)
	}
	contracts, err := cfg.Contracts.withDefaults(cfg.ChainID)
	if err != nil {
		return nil, err
	}
	if cfg.Fees == nil {
		cfg.Fees = defaultFees(cfg.Bundler, cfg.Chain)
	}
	if cfg.Freshness == 0 {
		cfg.Freshness = 2 * time.Second
	}
	if cfg.Freshness > 0 {
		cfg.Fees = &feeCache{source: cfg.Fees, maxAge: cfg.Freshness}
	}
	sender, err := userop.NewSender(userop.SenderConfig{
		ChainID:     cfg.ChainID,
		EntryPoint:  contracts.EntryPoint,
		Bundler:     cfg.Bundler,
		Paymaster:   cfg.Paymaster,
		Fees:        cfg.Fees,
		WaitTimeout: cfg.WaitTimeout,
		Logger:      cfg.Logger,
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return &Client{
		chainID:   cfg.ChainID,
		chain:     cfg.Chain,
		contracts: contracts,
		sender:    sender,
		bundler:   cfg.Bundler,
		caps:      cfg.Caps,
		freshness: cfg.Freshness,
	}, nil
}

func defaultFees(bundler userop.Bundler, chain Chain) userop.FeeSource {
	var source fees
	source.bundler, _ = bundler.(userop.FeeSource)
	source.chain, _ = chain.(feeChain)
	return source
}

func isNoFees(err error) bool { return errors.Is(err, userop.ErrNoFees) }

// ChainID returns the chain the client is for.
func (c *Client) ChainID() uint64 { return c.chainID }

// Contracts returns the addresses the client works with.
func (c *Client) Contracts() Contracts { return c.contracts }

// Sender returns the pipeline beneath, to send operations made elsewhere or to watch one by its hash.
func (c *Client) Sender() *userop.Sender { return c.sender }

// Account returns the handle of a smart account by its address alone. It does no I/O and knows no
// owner: it acts with sessions.
func (c *Client) Account(address common.Address) *Account {
	return &Account{client: c, address: address}
}

// SessionRoot returns the session root of an account on chain, zero for none. It makes the client a
// [session.Chain].
func (c *Client) SessionRoot(ctx context.Context, account common.Address) (common.Hash, error) {
	data, err := call(ctx, c.chain, c.contracts.Session.Manager, abi.GetSessionKeys(account))
	if err != nil {
		return common.Hash{}, fmt.Errorf("getSessionKeys of %s: %w", account, err)
	}
	root, err := abi.DecodeHash(data)
	if err != nil {
		return common.Hash{}, fmt.Errorf("%w: getSessionKeys of session key manager %s: %w", ErrBadAnswer, c.contracts.Session.Manager, err)
	}
	return root, nil
}

// Nonce returns the next nonce of an account in a lane, read from the EntryPoint. key has at most 192
// bits; lane 0 is the default one.
func (c *Client) Nonce(ctx context.Context, account common.Address, key *uint256.Int) (uint256.Int, error) {
	if n := key.BitLen(); n > 192 {
		return uint256.Int{}, fmt.Errorf("%w: nonce of %s: lane key has %d bits, at most 192 fit", policy.ErrInvalid, account, n)
	}
	data, err := call(ctx, c.chain, c.contracts.EntryPoint, abi.GetNonce(account, *key))
	if err != nil {
		return uint256.Int{}, fmt.Errorf("nonce of %s: %w", account, err)
	}
	nonce, err := abi.DecodeUint256(data)
	if err != nil {
		return uint256.Int{}, fmt.Errorf("%w: getNonce of EntryPoint %s: %w", ErrBadAnswer, c.contracts.EntryPoint, err)
	}
	return nonce, nil
}

// NonceUsed reports whether the EntryPoint has counted past the account's nonce in its lane.
func (c *Client) NonceUsed(ctx context.Context, account common.Address, nonce *uint256.Int) (bool, error) {
	next, err := c.Nonce(ctx, account, new(uint256.Int).Rsh(nonce, 64))
	return err == nil && nonce.Lt(&next), err
}

// SessionRootAndNonce returns the session root of an account and whether the EntryPoint has counted past its
// nonce, in one request and as of one block.
func (c *Client) SessionRootAndNonce(ctx context.Context, account common.Address, nonce *uint256.Int) (root common.Hash, used bool, err error) {
	lane := new(uint256.Int).Rsh(nonce, 64)
	sights, err := look(ctx, c.chain,
		probe{to: c.contracts.Session.Manager, data: abi.GetSessionKeys(account)},
		probe{to: c.contracts.EntryPoint, data: abi.GetNonce(account, *lane)})
	if err != nil {
		return root, false, fmt.Errorf("session root and nonce of %s: %w", account, err)
	}
	var next uint256.Int
	err = sights[0].decode("getSessionKeys of the session key manager", into(&root, abi.DecodeHash))
	if err == nil {
		err = sights[1].decode("getNonce of the EntryPoint", into(&next, abi.DecodeUint256))
	}
	if err != nil {
		return common.Hash{}, false, fmt.Errorf("session root and nonce of %s: %w", account, err)
	}
	return root, nonce.Lt(&next), nil
}

// Deployed reports whether the account has code. An account that has is not asked about again.
func (c *Client) Deployed(ctx context.Context, account common.Address) (bool, error) {
	if _, ok := c.deployed.Load(account); ok {
		return true, nil
	}
	code, err := c.chain.CodeAt(ctx, account, nil)
	if err != nil {
		return false, fmt.Errorf("code of %s: %w", account, withoutURL(err))
	}
	if len(code) > 0 {
		c.deployed.Store(account, struct{}{})
	}
	return len(code) > 0, nil
}

// moduleOf names a module on an account and, where it was looked at too, the account's owner there.
type moduleOf struct{ account, module, owner common.Address }

// lately reports whether the module was seen enabled, with that owner, as short ago as the chain need not
// be asked again.
func (c *Client) lately(key moduleOf) bool {
	at, ok := c.enabled.Load(key)
	return ok && time.Since(at.(time.Time)) < c.freshness
}

// requireModule returns an error matching [ErrModuleNotEnabled] unless the account listens to module.
func (c *Client) requireModule(ctx context.Context, account, module common.Address, name string) error {
	key := moduleOf{account: account, module: module}
	if c.lately(key) {
		return nil
	}
	enabled, err := c.Account(account).IsModuleEnabled(ctx, module)
	if err != nil {
		return err
	}
	if !enabled {
		c.enabled.Delete(key)
		return fmt.Errorf("%w: %s %s on account %s; its owner enables it with a grant", ErrModuleNotEnabled, name, module, account)
	}
	c.enabled.Store(key, time.Now())
	return nil
}

// identify asks the node, until it once answered right, which chain it serves.
func (c *Client) identify(ctx context.Context) error {
	if c.identified.Load() {
		return nil
	}
	id, err := c.chain.ChainID(ctx)
	if err != nil {
		return fmt.Errorf("chain ID of the node: %w", withoutURL(err))
	}
	if id.Cmp(new(big.Int).SetUint64(c.chainID)) != 0 {
		return fmt.Errorf("%w: the node serves chain %s, this client is for chain %d", ErrWrongChain, id, c.chainID)
	}
	c.identified.Store(true)
	return nil
}
