package accounttest

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"sync"
	"syscall"

	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/go-sesame/sesame/account"
)

// DevnetConfig says what devnet to start. The zero value is a good one.
type DevnetConfig struct {
	// ChainID is [DefaultChainID] when zero.
	ChainID uint64
	// Port is where the node listens; the bundler and the paymaster listen on the two ports that follow. Free
	// ones are taken when zero.
	Port int
}

// Devnet is a chain with its services, for programs: it stays up until it is closed, and other processes use
// it by its URLs, which are its Services. Unlike on a [Chain] alone, a transaction that is sent to its node
// is put into a block at once.
type Devnet struct {
	Network
	Chain     *Chain
	Bundler   *Bundler
	Paymaster *Paymaster
	// Owner is the key of an owner who has money: a hundred ether, and as much on the smart account, which is
	// not deployed yet. It is [Key]("devnet owner"), which anybody can derive.
	Owner *ecdsa.PrivateKey

	stop    context.CancelFunc
	stopped sync.WaitGroup
}

// StartDevnet starts a chain, a bundler and a paymaster on 127.0.0.1; the caller closes them. The error
// matches [ErrNoContracts] when the compiled contracts are not there.
func StartDevnet(ctx context.Context, cfg DevnetConfig) (*Devnet, error) {
	d := &Devnet{Owner: Key("devnet owner"), stop: func() {}}
	d.close, d.disconnect = d.Close, func() {}
	err := d.start(ctx, cfg)
	if err != nil {
		if errors.Is(err, syscall.EADDRINUSE) {
			err = fmt.Errorf("%w; another program listens there: name another port, or 0 for free ones", err)
		}
		return nil, errors.Join(fmt.Errorf("start devnet: %w", err), d.Close())
	}
	return d, nil
}

// NewDevnet starts a devnet that ends with the test. Where the compiled contracts are not there the test is
// skipped, or fails if SESAME_REQUIRE_CONTRACTS=1.
func NewDevnet(t TB, cfg DevnetConfig) *Devnet {
	t.Helper()
	d, err := StartDevnet(context.Background(), cfg)
	checkStart(t, err)
	t.Cleanup(func() { logClose(t, "devnet", d.Close) })
	return d
}

func (d *Devnet) start(ctx context.Context, cfg DevnetConfig) (err error) {
	if d.Chain, err = StartChain(ChainConfig{ChainID: cfg.ChainID, port: cfg.Port}); err != nil {
		return err
	}
	if d.RPC, err = d.Chain.RPCURL(); err != nil {
		return err
	}
	if d.Bundler, err = StartBundler(BundlerConfig{Chain: d.Chain, port: following(cfg.Port, 1)}); err != nil {
		return err
	}
	if d.Paymaster, err = StartPaymaster(PaymasterConfig{Chain: d.Chain, port: following(cfg.Port, 2)}); err != nil {
		return err
	}
	d.Services = Services{RPC: d.RPC, Bundler: d.Bundler.URL(), Paymaster: d.Paymaster.URL()}
	d.Node = d.Chain.Client()
	if err := d.connect(d.Chain.ChainID()); err != nil {
		return err
	}
	if err := d.fundOwner(ctx); err != nil {
		return err
	}
	background, stop := context.WithCancel(context.Background())
	d.stop = stop
	d.stopped.Go(func() { d.Chain.mine(background) })
	return nil
}

// following is the n-th port after one that was asked for.
func following(port, n int) int {
	if port == 0 {
		return 0
	}
	return port + n
}

func (d *Devnet) fundOwner(ctx context.Context) error {
	owner := account.KeyOwner(d.Owner)
	if err := d.Chain.Fund(ctx, owner.Address(), ether(100)); err != nil {
		return err
	}
	if err := d.Chain.Fund(ctx, d.Client.OwnedAccount(owner).Address(), ether(100)); err != nil {
		return err
	}
	return d.Chain.settled(ctx)
}

// NewOwner returns the account of a new owner, with a hundred ether; it is not deployed yet.
func (d *Devnet) NewOwner(ctx context.Context) (*account.OwnedAccount, error) {
	key, err := crypto.GenerateKey()
	if err != nil {
		return nil, err
	}
	owned := d.Client.OwnedAccount(account.KeyOwner(key))
	if err := d.Chain.Fund(ctx, owned.Address(), ether(100)); err != nil {
		return nil, err
	}
	return owned, nil
}

// Close stops everything, the last started first.
func (d *Devnet) Close() error {
	d.stop()
	d.stopped.Wait()
	d.disconnect()
	var errs []error
	if d.Paymaster != nil {
		errs = append(errs, d.Paymaster.Close())
	}
	if d.Bundler != nil {
		errs = append(errs, d.Bundler.Close())
	}
	if d.Chain != nil {
		errs = append(errs, d.Chain.Close())
	}
	return errors.Join(errs...)
}

// mine makes a block whenever transactions wait, until ctx ends.
func (c *Chain) mine(ctx context.Context) {
	sent := make(chan core.NewTxsEvent, 1)
	subscription := c.node.SubscribeTransactions(sent)
	defer subscription.Unsubscribe()
	for {
		select {
		case <-ctx.Done():
			return
		case <-subscription.Err():
			return
		case <-sent:
			c.mu.Lock()
			if c.node.Waiting() {
				c.node.Commit()
			}
			c.mu.Unlock()
		}
	}
}
