package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/paymaster"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/tsstore"
)

// dapp is a backend that acts for users: it knows service URLs and a store, and no owner.
type dapp struct {
	node      account.Chain
	client    *account.Client
	sponsored bool
	close     func()
}

func newDapp(ctx context.Context, nodeURL, bundlerURL, paymasterURL string) (*dapp, error) {
	node, err := ethclient.DialContext(ctx, nodeURL)
	if err != nil {
		return nil, fmt.Errorf("-rpc: %w", keyless(err))
	}
	id, err := node.ChainID(ctx)
	if err != nil {
		node.Close()
		return nil, fmt.Errorf("chain ID of the node: %w", keyless(err))
	}
	cfg := account.Config{ChainID: id.Uint64(), Chain: node, Bundler: bundler.New(bundlerURL)}
	if paymasterURL != "" {
		cfg.Paymaster = paymaster.New(paymasterURL)
	}
	client, err := account.NewClient(cfg)
	if err != nil {
		node.Close()
		return nil, err
	}
	return &dapp{node: node, client: client, sponsored: paymasterURL != "", close: node.Close}, nil
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

// act sends one call for the account with one leaf of its stored session, and reports what became of it.
func (d *dapp) act(ctx context.Context, out io.Writer, store session.Store, user common.Address, leaf int, call account.Call, check bool) error {
	acting := d.client.Account(user)
	sess, err := session.Open(ctx, store, acting.Ref())
	if err != nil {
		return err
	}
	opts := []account.Option{account.WithSession(sess.Leaf(leaf))}
	if d.sponsored {
		opts = append(opts, account.Sponsored())
	}
	if !check {
		opts = append(opts, account.Unchecked())
	}
	start := time.Now()
	tx, err := acting.Send(ctx, []account.Call{call}, opts...)
	if err != nil {
		return err
	}
	line(out, "user operation", tx.Hash())
	receipt, err := tx.Wait(ctx)
	if err != nil {
		return err
	}
	line(out, "transaction", receipt.TransactionHash)
	line(out, "gas used", receipt.ActualGasUsed.Dec())
	line(out, "on chain after", time.Since(start).Round(time.Millisecond))
	if balance, ok := d.balance(ctx, call.To, user); ok {
		line(out, "NFT balance", balance)
	}
	return nil
}

// balance reads how many of the contract's tokens the account holds, where the contract has any.
func (d *dapp) balance(ctx context.Context, contract, holder common.Address) (string, bool) {
	const balanceOf = "function balanceOf(address holder) view returns (uint256)"
	data, err := abi.Pack(balanceOf, holder)
	if err != nil {
		return "", false
	}
	if data, err = d.node.CallContract(ctx, ethereum.CallMsg{To: &contract, Data: data}, nil); err != nil {
		return "", false
	}
	balance, err := abi.UnpackResult(balanceOf, data)
	if err != nil {
		return "", false
	}
	return fmt.Sprint(balance[0]), true
}

// outside sends the call of the command line to services elsewhere.
func outside(ctx context.Context, o *options, out io.Writer) error {
	if _, err := os.Stat(o.store); err != nil {
		return fmt.Errorf("-store: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	backend, err := newDapp(ctx, o.rpc, o.bundler, o.paymaster)
	if err != nil {
		return err
	}
	defer backend.close()
	store, err := tsstore.OpenPlaintext(o.store, backend.client.ChainID())
	if err != nil {
		return err
	}
	line(out, "chain", backend.client.ChainID())
	line(out, "account", o.account)
	return backend.act(ctx, out, store, o.account, o.leaf, o.call, o.check)
}
