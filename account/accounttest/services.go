package accounttest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/url"

	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/paymaster"
)

// Services are the URLs of a chain's services: those of a devnet, or real ones. Where there are none,
// [Services.Open] starts a devnet: a program that takes them as flags runs by itself, and against services
// that run already.
type Services struct {
	// RPC is a node of the chain. Bundler and Paymaster are the ERC-4337 services.
	RPC, Bundler, Paymaster string
}

// Flags defines the flags -rpc, -bundler and -paymaster.
func (s *Services) Flags(set *flag.FlagSet) {
	set.StringVar(&s.RPC, "rpc", s.RPC, "`URL` of a node; without one a devnet is started in this process")
	set.StringVar(&s.Bundler, "bundler", s.Bundler, "`URL` of the bundler")
	set.StringVar(&s.Paymaster, "paymaster", s.Paymaster, "`URL` of the paymaster")
}

// Network is a chain with its services, ready to use.
type Network struct {
	Services
	// Node is a client of the chain's node, Client one of the chain and its services.
	Node   *ethclient.Client
	Client *account.Client

	close      func() error
	disconnect func()
}

// Open connects to the services, or starts a devnet where no URL is set. The caller closes what it returns.
// It is an error if only some are set. No URL is ever in an error: it may hold a key.
func (s Services) Open(ctx context.Context) (*Network, error) {
	switch {
	case s == Services{}:
		d, err := StartDevnet(ctx, DevnetConfig{})
		if err != nil {
			return nil, err
		}
		return &d.Network, nil
	case s.RPC == "" || s.Bundler == "" || s.Paymaster == "":
		return nil, errors.New("-rpc, -bundler and -paymaster belong together; without any a devnet is started")
	}
	n := &Network{Services: s}
	if err := n.dial(ctx); err != nil {
		return nil, err
	}
	return n, nil
}

// Close ends the connections, and the devnet if there is one.
func (n *Network) Close() error { return n.close() }

// dial connects to services elsewhere.
func (n *Network) dial(ctx context.Context) error {
	pool := http.DefaultTransport.(*http.Transport).Clone()
	conn, err := rpc.DialOptions(ctx, n.RPC, rpc.WithHTTPClient(&http.Client{Transport: pool}))
	if err != nil {
		return fmt.Errorf("-rpc: %w", keyless(err))
	}
	n.Node = ethclient.NewClient(conn)
	hangUp := func() {
		n.Node.Close()
		pool.CloseIdleConnections()
	}
	id, err := n.Node.ChainID(ctx)
	if err != nil {
		hangUp()
		return fmt.Errorf("chain ID of the node: %w", keyless(err))
	}
	if err := n.connect(id.Uint64()); err != nil {
		hangUp()
		return err
	}
	n.close = func() error {
		n.disconnect()
		hangUp()
		return nil
	}
	return nil
}

// connect makes the client of the chain.
func (n *Network) connect(chainID uint64) (err error) {
	send, sponsor := bundler.New(n.Bundler), paymaster.New(n.Paymaster)
	n.disconnect = func() {
		send.Close()
		sponsor.Close()
	}
	n.Client, err = account.NewClient(account.Config{ChainID: chainID, Chain: n.Node, Bundler: send, Paymaster: sponsor})
	return err
}

// keyless is an error of a node without its URL, which may hold a key: net/http quotes it, and what a server
// says behind an HTTP status may quote it too.
func keyless(err error) error {
	if failed, ok := errors.AsType[*url.Error](err); ok {
		return failed.Err
	}
	if failed, ok := errors.AsType[rpc.HTTPError](err); ok {
		return errors.New(failed.Status)
	}
	return err
}
