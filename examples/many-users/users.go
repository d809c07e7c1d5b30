package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"golang.org/x/sync/errgroup"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
)

// newRun returns a name for a run of this program: the ID of its users' sessions, by which other processes
// tell them from those of earlier runs in the same store.
func newRun() string { return "minting-" + strings.ToLower(rand.Text()[:8]) }

// enrol plays the users: each makes an account and grants a session to a key of the store, in one operation
// of their own. It returns the accounts.
func enrol(ctx context.Context, o *options, run string, client *account.Client, store keeper, stderr io.Writer) ([]common.Address, error) {
	var granted atomic.Int64
	defer report(stderr, "granted", o.users, func() int { return int(granted.Load()) })()
	users := make([]common.Address, o.users)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(o.workers)
	for i := range users {
		group.Go(func() (err error) {
			users[i], err = grant(ctx, client, o.nft, run, store)
			granted.Add(1)
			return err
		})
	}
	return users, group.Wait()
}

func grant(ctx context.Context, client *account.Client, nft common.Address, run string, store keeper) (common.Address, error) {
	ownerKey, err := crypto.GenerateKey()
	if err != nil {
		return common.Address{}, err
	}
	owner := client.OwnedAccount(account.KeyOwner(ownerKey))
	key, err := store.NewKey(ctx, owner.Ref())
	if err != nil {
		return common.Address{}, err
	}
	sess, tx, err := owner.Grant(ctx, store, []policy.Policy{session.Named(run, policy.ABI{
		Key:      key,
		Contract: nft,
		Function: "safeMint(address to)",
		Rules:    []policy.Rule{policy.Arg("to", policy.Equal, owner.Address())},
		Window:   policy.Until(time.Now().Add(24 * time.Hour)),
	})}, account.Sponsored())
	if err != nil {
		return common.Address{}, err
	}
	_, err = sess.Activate(ctx, tx)
	return owner.Address(), err
}

// usersOf lists the users of a run, in the same order for each process.
func usersOf(ctx context.Context, store session.Lister, run string) (users []common.Address, err error) {
	query := session.Query{Status: session.StatusActive, Limit: 1000}
	for {
		page, err := store.List(ctx, query)
		if err != nil {
			return nil, fmt.Errorf("list sessions: %w", err)
		}
		for i := range page.Items {
			if page.Items[i].Leaf.ID == run {
				users = append(users, page.Items[i].Ref.Account)
			}
		}
		if query.Cursor = page.Next; page.Next == "" {
			break
		}
	}
	if len(users) == 0 {
		return nil, fmt.Errorf("no users of a run %q in this store: start many-users without -join first, which tells the name of its run", run)
	}
	return users, nil
}
