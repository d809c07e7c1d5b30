package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"
	"golang.org/x/sync/errgroup"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/paymaster"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/userop"
)

// dapp is the backend of one process: one client for all users.
type dapp struct {
	client *account.Client
	store  session.Store
	nft    common.Address
	minted atomic.Int64
	close  func()
}

func newDapp(ctx context.Context, at accounttest.Services, nft common.Address, store session.Store) (*dapp, error) {
	pool := http.DefaultTransport.(*http.Transport).Clone()
	pool.MaxIdleConnsPerHost = 128 // the default keeps two connections, and workers are many
	conn, err := rpc.DialOptions(ctx, at.RPC, rpc.WithHTTPClient(&http.Client{Transport: pool}))
	if err != nil {
		return nil, err
	}
	node, send, sponsor := ethclient.NewClient(conn), bundler.New(at.Bundler), paymaster.New(at.Paymaster)
	d := &dapp{store: store, nft: nft}
	d.close = func() {
		node.Close()
		pool.CloseIdleConnections()
		send.Close()
		sponsor.Close()
	}
	id, err := node.ChainID(ctx)
	if err == nil {
		d.client, err = account.NewClient(account.Config{ChainID: id.Uint64(), Chain: node, Bundler: send, Paymaster: sponsor})
	}
	if err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

// work does the jobs of the queue until all are done.
func (d *dapp) work(ctx context.Context, q queue, workers int) error {
	group, ctx := errgroup.WithContext(ctx)
	for range workers {
		group.Go(func() error { return d.worker(ctx, q) })
	}
	return group.Wait()
}

// maxFailures is how often in a row a worker goes on after a failure that may pass.
const maxFailures = 10

func (d *dapp) worker(ctx context.Context, q queue) error {
	for failures := 0; ; {
		j, err := q.take(ctx)
		if errors.Is(err, errDone) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("take a job: %w", err)
		}
		err = d.do(ctx, j)
		switch {
		case err == nil:
			failures = 0
		case failures < maxFailures && (userop.SafeToRetry(err) || userop.MayBeAccepted(err)):
			failures++
			// The job is in the queue again, with what was signed for it.
			if err := pause(ctx, time.Second); err != nil {
				return err
			}
		default:
			return fmt.Errorf("mint for %s: %w", j.user, err)
		}
	}
}

// do takes a job one step on: it signs, or it sends what was signed.
func (d *dapp) do(ctx context.Context, j *job) error {
	ctx, cancel := context.WithTimeout(ctx, jobTimeout)
	defer cancel()
	if j.op == nil {
		op, err := d.sign(ctx, j.user)
		if err != nil {
			j.release(ctx)
			return err
		}
		return j.record(ctx, op)
	}
	receipt, err := d.send(ctx, j.op)
	if err != nil {
		j.release(ctx)
		return err
	}
	d.minted.Add(1)
	return j.finish(ctx, receipt.TransactionHash)
}

// sign makes the operation that mints for a user, and sends nothing.
func (d *dapp) sign(ctx context.Context, address common.Address) (*userop.Operation, error) {
	user := d.client.Account(address)
	sess, err := session.Open(ctx, d.store, user.Ref())
	if err != nil {
		return nil, err
	}
	data, err := abi.Pack("function safeMint(address to)", address)
	if err != nil {
		return nil, err
	}
	return user.Build(ctx, []account.Call{{To: d.nft, Data: data}}, account.WithSession(sess.Leaf(0)), account.Sponsored())
}

// send sends what was signed, perhaps once more, and waits for it. Another process may have sent it and not
// lived to note it: then it is found on chain. The session may have been revoked since it was signed: then it
// is not sent.
func (d *dapp) send(ctx context.Context, op *userop.Operation) (*userop.Receipt, error) {
	user := d.client.Account(op.Sender)
	sess, err := session.Open(ctx, d.store, user.Ref())
	if err != nil {
		return nil, err
	}
	tx, err := user.Resend(ctx, sess, op)
	if err != nil {
		return nil, err
	}
	return tx.Wait(ctx)
}
