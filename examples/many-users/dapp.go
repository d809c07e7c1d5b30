package main

import (
	"context"
	"errors"
	"fmt"
	"io"
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
	store  keeper
	nft    common.Address
	minted atomic.Int64
	close  func()
}

// newDapp makes a backend whose sends are written down beside the sessions. What becomes of a send that fails
// for good is told on stderr.
func newDapp(ctx context.Context, o *options, at accounttest.Services, store keeper, stderr io.Writer) (*dapp, error) {
	pool := http.DefaultTransport.(*http.Transport).Clone()
	pool.MaxIdleConnsPerHost = 128 // the default keeps two connections, and workers are many
	conn, err := rpc.DialOptions(ctx, at.RPC, rpc.WithHTTPClient(&http.Client{Transport: pool}))
	if err != nil {
		return nil, err
	}
	node, send, sponsor := ethclient.NewClient(conn), bundler.New(at.Bundler), paymaster.New(at.Paymaster)
	d := &dapp{store: store, nft: o.nft}
	d.close = func() {
		node.Close()
		pool.CloseIdleConnections()
		send.Close()
		sponsor.Close()
	}
	id, err := node.ChainID(ctx)
	if err == nil {
		d.client, err = account.NewClient(account.Config{
			ChainID: id.Uint64(), Chain: node, Bundler: send, Paymaster: sponsor,
			Outbox: store,
			Report: func(_ context.Context, end account.Report) error {
				if end.Err != nil {
					fmt.Fprintf(stderr, "%s for %s: %v\n", end.Key, end.Ref.Account, end.Err)
				}
				return nil
			},
			WaitTimeout: time.Minute,
		})
	}
	if err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

// work mints for all users, beginning with one of them, for so many at once. Beside that it goes on with what
// other processes left behind.
func (d *dapp) work(ctx context.Context, users []common.Address, from, workers int) error {
	running, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- d.client.Run(running) }()

	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	for i := range users {
		user := users[(from+i)%len(users)]
		group.Go(func() error { return d.mint(ctx, user) })
	}
	err := group.Wait()
	stop()
	if ran := <-ended; !errors.Is(ran, context.Canceled) {
		err = errors.Join(err, ran)
	}
	return err
}

const (
	maxTries = 10
	// A service that is down is asked again after a while.
	betweenTries = time.Second
)

// mint mints for a user. After an error it sends again under the same key, unless that is how the chain ended
// the mint.
func (d *dapp) mint(ctx context.Context, user common.Address) error {
	for try := 1; ; try++ {
		err := d.mintOnce(ctx, user)
		if err == nil {
			d.minted.Add(1)
			return nil
		}
		if try == maxTries || over(err) || pause(ctx, betweenTries) != nil {
			return fmt.Errorf("mint for %s: %w", user, err)
		}
	}
}

// mintOnce sends the mint for a user, or goes on with the one that was sent, in whichever process, and waits.
func (d *dapp) mintOnce(ctx context.Context, address common.Address) error {
	user := d.client.Account(address)
	sess, err := session.Open(ctx, d.store, user.Ref())
	if err != nil {
		return err
	}
	data, err := abi.Pack("function safeMint(address to)", address)
	if err != nil {
		return err
	}
	tx, err := user.Send(ctx, []account.Call{{To: d.nft, Data: data}},
		account.WithSession(sess.Leaf(0)), account.Sponsored(), account.Once("mint"))
	if err != nil {
		return err
	}
	_, err = tx.Wait(ctx)
	return err
}

// over reports whether err is how the chain ended a mint, which stays so under its key.
func over(err error) bool {
	_, reverted := errors.AsType[*userop.RevertError](err)
	_, ended := errors.AsType[*userop.EndedError](err)
	return reverted || ended
}

// pause waits for a moment, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
