package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/session/policy"
)

const (
	// grantTime is how long granting for one user may take.
	grantTime = 2 * time.Minute
	// orderTime is how long it may take to place orders.
	orderTime = time.Minute
)

// enrolAndOrder plays users who grant, and places orders for them.
func enrolAndOrder(ctx context.Context, o *options, stderr io.Writer) (err error) {
	b, err := openBackend(ctx, o, stderr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	users, err := b.enrol(ctx, o.enrol)
	if err != nil {
		return fmt.Errorf("grant sessions: %w", err)
	}
	fmt.Fprintf(stderr, "%d users granted a session\n", len(users))
	orders := newOrders(b.client.ChainID(), users, o.orders)
	placed, err := b.place(ctx, orders, stderr)
	if err != nil {
		return err
	}
	fmt.Fprintf(stderr, "%d orders placed\n", placed)
	return nil
}

// enrol plays users: each makes an account and grants a session to a key of the store, in one operation of
// their own, as examples/backend has it done by a wallet in a browser.
func (b *backend) enrol(ctx context.Context, n int) ([]common.Address, error) {
	users := make([]common.Address, n)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(b.options.atOnce)
	for i := range users {
		group.Go(func() (err error) {
			ctx, cancel := context.WithTimeout(ctx, grantTime)
			defer cancel()
			users[i], err = b.grant(ctx)
			return err
		})
	}
	return users, group.Wait()
}

func (b *backend) grant(ctx context.Context) (common.Address, error) {
	ownerKey, err := crypto.GenerateKey()
	if err != nil {
		return common.Address{}, err
	}
	owner := b.client.OwnedAccount(account.KeyOwner(ownerKey))
	key, err := b.store.NewKey(ctx, owner.Ref())
	if err != nil {
		return common.Address{}, err
	}
	sess, tx, err := owner.Grant(ctx, b.store, []policy.Policy{policy.ABI{
		Key:      key,
		Contract: b.options.nft,
		Function: "safeMint(address to)",
		Window:   policy.Until(time.Now().Add(24 * time.Hour)),
	}}, account.Sponsored())
	if err != nil {
		return common.Address{}, err
	}
	_, err = sess.Activate(ctx, tx)
	return owner.Address(), err
}

// newOrders makes orders, each for somebody else, so that the chain shows which of them happened.
func newOrders(chainID uint64, users []common.Address, each int) (orders []Order) {
	for range each {
		for _, user := range users {
			var to common.Address
			_, _ = rand.Read(to[:]) // which never fails
			orders = append(orders, Order{ChainID: chainID, Account: user, Number: strings.ToLower(rand.Text()[:12]), To: to})
		}
	}
	return orders
}

// place places orders in one transaction.
func (b *backend) place(ctx context.Context, orders []Order, stderr io.Writer) (placed int, err error) {
	ctx, cancel := context.WithTimeout(ctx, orderTime)
	defer cancel()
	queue, err := b.newQueue(nil, stderr)
	if err != nil {
		return 0, err
	}
	err = pgx.BeginFunc(ctx, b.pool, func(tx pgx.Tx) error {
		placed, err = place(ctx, queue, tx, orders)
		return err
	})
	return placed, err
}
