package main

import (
	"context"
	"fmt"
	"math/big"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/ethnode"
	"github.com/go-sesame/sesame/userop"
)

// dialer connects to services by their URLs. Nothing is asked before it is used.
type dialer interface {
	node(url string) (ethnode.Node, func(), error)
	bundler(url string) (userop.Bundler, func())
}

// networkDialer connects over HTTP.
type networkDialer struct{}

func (networkDialer) node(url string) (ethnode.Node, func(), error) {
	client, err := ethnode.Dial(url)
	if err != nil {
		return nil, nil, err
	}
	return client, client.Close, nil
}

func (networkDialer) bundler(url string) (userop.Bundler, func()) {
	client := bundler.New(url)
	return client, client.Close
}

const (
	nodeUsage      = "`URL` of a node of the account's chain, or @FILE that has it; SESAME_NODE by default"
	bundlerUsage   = "`URL` of the bundler, or @FILE that has it; SESAME_BUNDLER by default"
	paymasterUsage = "`URL` of the paymaster, or @FILE that has it; SESAME_PAYMASTER by default"
)

// service is the URL that a flag or the environment gives, empty where neither does.
func (p *program) service(value, variable string) (string, error) {
	url, err := p.given(value, variable)
	if err == nil && url != "" {
		p.secrets.add(url)
	}
	return url, err
}

// network is a chain to look at, and its bundler where there is one.
type network struct {
	client *account.Client
	sends  bool // there is a bundler
	close  func()
}

// connect returns a client of the node's chain, which has to be that of -chain where it is set; nil where no
// node is given. Without a bundler nothing can be sent.
func (c *call) connect(ctx context.Context, node, bundlerURL string, chain uint64) (*network, error) {
	nodeURL, err := c.service(node, "SESAME_NODE")
	if err != nil || nodeURL == "" {
		return nil, err
	}
	reader, hangUp, err := c.dial.node(nodeURL)
	if err != nil {
		return nil, fmt.Errorf("-node: %w", err)
	}
	id, err := chainID(ctx, reader)
	if err == nil && chain != 0 && id != chain {
		err = fmt.Errorf("%w: the node serves chain %d, not %d", userop.ErrWrongChain, id, chain)
	}
	if err != nil {
		hangUp()
		return nil, err
	}
	sender, hangUpBundler := userop.Bundler(noBundler{}), func() {}
	if bundlerURL != "" {
		sender, hangUpBundler = c.dial.bundler(bundlerURL)
	}
	client, err := account.NewClient(account.Config{ChainID: id, Chain: reader, Bundler: sender})
	n := &network{client, bundlerURL != "", func() { hangUpBundler(); hangUp() }}
	if err != nil {
		n.close()
		return nil, err
	}
	return n, nil
}

// chainID asks the node which chain it serves.
func chainID(ctx context.Context, node account.Chain) (uint64, error) {
	id, err := node.ChainID(ctx)
	if err != nil {
		return 0, fmt.Errorf("chain ID of the node: %w", keyless(err))
	}
	if !id.IsUint64() || id.Sign() == 0 {
		return 0, fmt.Errorf("%w: the node says that it serves chain %s", userop.ErrWrongChain, short(id))
	}
	return id.Uint64(), nil
}

func short(n *big.Int) string {
	if n.BitLen() > 256 {
		return "of no sensible number"
	}
	return n.String()
}
