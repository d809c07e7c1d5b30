package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"

	"github.com/go-sesame/sesame/account/accounttest"
)

// serve runs a chain with its services until ctx ends, and prints where they are: a process of their own,
// whose work can be told from that of the workers.
func serve(ctx context.Context, o *options, stdout io.Writer) (err error) {
	chain, err := accounttest.StartChain(accounttest.ChainConfig{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, chain.Close()) }()
	bundler, err := accounttest.StartBundler(accounttest.BundlerConfig{Chain: chain, BundleInterval: o.block})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, bundler.Close()) }()
	paymaster, err := accounttest.StartPaymaster(accounttest.PaymasterConfig{Chain: chain})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, paymaster.Close()) }()
	node, err := chain.RPCURL()
	if err != nil {
		return err
	}
	at := accounttest.Services{RPC: node, Bundler: bundler.URL(), Paymaster: paymaster.URL()}
	if err := json.NewEncoder(stdout).Encode(at); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}
