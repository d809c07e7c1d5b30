package accounttest

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/crypto"

	"github.com/go-sesame/sesame/bundler/bundlertest"
)

// BundlerConfig says what bundler to start. Only Chain is required.
type BundlerConfig struct {
	Chain  *Chain
	Vendor bundlertest.Vendor
	// BundleInterval is how long a bundle waits for more operations after its first one; 5 ms when zero. It
	// waits longer, up to twenty times that, while further operations are being validated.
	BundleInterval time.Duration
	// LosesReorged has the bundler forget the operations of a bundle that [Chain.Reorg] took out of the
	// chain, as if it had never had them. By default they wait in its mempool again, and get into its next
	// bundle.
	LosesReorged bool
	// Logger gets what is nobody's answer; nil for none.
	Logger *slog.Logger

	port int // 0 is a free one
}

// Bundler is an ERC-4337 bundler for EntryPoint v0.6 on a [Chain]: it validates operations, keeps them in a
// mempool, and sends them in bundles from an account of its own. It speaks JSON-RPC over HTTP.
//
// Methods: eth_sendUserOperation, eth_estimateUserOperationGas, eth_getUserOperationByHash,
// eth_getUserOperationReceipt, eth_supportedEntryPoints, eth_chainId, and those of the vendor. Unlike a
// public bundler it leaves out the opcode and storage rules of ERC-7562: it trusts what a test sends.
type Bundler struct {
	simulator
	executor *ecdsa.PrivateKey
	interval time.Duration
	logger   *slog.Logger
	pool     *mempool
	forgets  bool     // operations of lost blocks
	receipts sync.Map // of bundles: transaction hash → *types.Receipt
	service  *rpcService

	stop    context.CancelFunc
	stopped sync.WaitGroup
}

// StartBundler starts a bundler and funds its account; the caller closes it, before the chain.
func StartBundler(cfg BundlerConfig) (*Bundler, error) {
	if cfg.Chain == nil {
		return nil, errors.New("start bundler: it needs a chain")
	}
	cfg.setDefaults()
	executor, err := crypto.GenerateKey()
	if err != nil {
		return nil, fmt.Errorf("start bundler: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	b := &Bundler{
		simulator: simulator{chain: cfg.Chain, entryPoint: cfg.Chain.Contracts.EntryPoint},
		executor:  executor,
		interval:  cfg.BundleInterval,
		logger:    cfg.Logger,
		pool:      newMempool(),
		forgets:   cfg.LosesReorged,
		stop:      stop,
	}
	if err := b.start(ctx, cfg.Vendor, cfg.port); err != nil {
		stop()
		return nil, fmt.Errorf("start bundler: %w", err)
	}
	return b, nil
}

func (cfg *BundlerConfig) setDefaults() {
	if cfg.BundleInterval <= 0 {
		cfg.BundleInterval = 5 * time.Millisecond
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
}

func (b *Bundler) start(ctx context.Context, vendor bundlertest.Vendor, port int) error {
	if err := b.chain.Fund(ctx, crypto.PubkeyToAddress(b.executor.PublicKey), ether(1_000_000)); err != nil {
		return err
	}
	if err := b.chain.settled(ctx); err != nil {
		return err
	}
	var err error
	if b.service, err = startService(bundlerAPIs(b, vendor), port); err != nil {
		return err
	}
	b.chain.follow(b)
	b.stopped.Go(func() { b.run(ctx) })
	return nil
}

// NewBundler starts a bundler that ends with the test.
func NewBundler(t TB, cfg BundlerConfig) *Bundler {
	t.Helper()
	b, err := StartBundler(cfg)
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() { logClose(t, "bundler", b.Close) })
	return b
}

// URL returns the address of the bundler's JSON-RPC endpoint.
func (b *Bundler) URL() string { return b.service.url() }

// Bundles returns how many bundles the bundler has sent.
func (b *Bundler) Bundles() int { return b.pool.bundleCount() }

// Pause keeps operations in the mempool until [Bundler.Resume]. A bundle that is being sent still is.
func (b *Bundler) Pause() { b.pool.pause(true) }

// Resume ends [Bundler.Pause]: what waits is bundled.
func (b *Bundler) Resume() { b.pool.pause(false) }

// Close stops the bundler. Operations that are not in a bundle yet are lost.
func (b *Bundler) Close() error {
	err := b.service.close()
	b.chain.unfollow(b)
	b.stop()
	b.stopped.Wait()
	return err
}
