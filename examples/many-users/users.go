package main

import (
	"context"
	"io"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"golang.org/x/sync/errgroup"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
)

// enrol plays the users: each makes an account and grants a session to a key of the store, in one operation
// of their own. It returns the accounts.
func enrol(ctx context.Context, o *options, client *account.Client, store keeper, stderr io.Writer) ([]common.Address, error) {
	var granted atomic.Int64
	defer report(stderr, "granted", o.users, func() (int, error) { return int(granted.Load()), nil })()
	users := make([]common.Address, o.users)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(o.workers)
	for i := range users {
		group.Go(func() (err error) {
			users[i], err = grant(ctx, client, o.nft, store)
			granted.Add(1)
			return err
		})
	}
	return users, group.Wait()
}

func grant(ctx context.Context, client *account.Client, nft common.Address, store keeper) (common.Address, error) {
	ownerKey, err := crypto.GenerateKey()
	if err != nil {
		return common.Address{}, err
	}
	owner := client.OwnedAccount(account.KeyOwner(ownerKey))
	key, err := store.NewKey(ctx, owner.Ref())
	if err != nil {
		return common.Address{}, err
	}
	sess, tx, err := owner.Grant(ctx, store, []policy.Policy{session.Named("mint-nft", policy.ABI{
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
