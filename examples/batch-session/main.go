// Batch-session does two things for a user in one operation: it mints an NFT and some tokens, each
// allowed by a session leaf of its own, through the batched session router.
package main

import (
	"context"
	"fmt"
	"io"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/examples/internal/stage"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/policy"
)

func main() { stage.Main(batch) }

func batch(ctx context.Context, s *stage.Stage, out io.Writer) error {
	owner, err := s.NewOwner()
	if err != nil {
		return err
	}
	store := memstore.New()
	key, err := store.NewKey(ctx, owner.Ref())
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "The user grants two permissions to one session key, for use in batches")
	granted, err := stage.Grant(ctx, owner, store, []policy.Policy{
		s.MintPolicy(key, owner.Address()),
		s.TokenPolicy(key, owner.Address(), 100),
	}, account.ForBatches())
	if err != nil {
		return err
	}
	for _, leaf := range granted.Leaves() {
		stage.Line(out, leaf.ID, leaf.Describe(policy.Modules{}))
	}
	return act(ctx, s, out, store, owner.Ref())
}

// act is the dapp's side.
func act(ctx context.Context, s *stage.Stage, out io.Writer, store session.Store, ref session.Ref) error {
	client, err := s.Client()
	if err != nil {
		return err
	}
	user := client.Account(ref.Account)
	sess, err := session.Open(ctx, store, ref, session.WithChain(client))
	if err != nil {
		return err
	}
	mint, err := s.Mint(ref.Account)
	if err != nil {
		return err
	}
	tokens, err := s.MintTokens(ref.Account, 60)
	if err != nil {
		return err
	}
	calls := []account.Call{mint, tokens}

	fmt.Fprintln(out, "\nThe dapp mints both in one operation, a leaf for each call")
	tx, err := user.Send(ctx, calls, account.WithSession(sess.ByID("mint-nft"), sess.ByID("mint-tokens")), account.Sponsored())
	if err != nil {
		return err
	}
	receipt, err := tx.Wait(ctx)
	if err != nil {
		return err
	}
	stage.Line(out, "user operation", tx.Hash())
	stage.Line(out, "transaction", receipt.TransactionHash)

	fmt.Fprintln(out, "\nThe same with the leaves found by what they allow")
	tx, err = user.Send(ctx, calls, account.WithLeafOf(sess), account.Sponsored())
	if err != nil {
		return err
	}
	if _, err = tx.Wait(ctx); err != nil {
		return err
	}
	stage.Line(out, "user operation", tx.Hash())

	fmt.Fprintln(out, "\nMore tokens than allowed: all or nothing")
	if calls[1], err = s.MintTokens(ref.Account, 101); err != nil {
		return err
	}
	_, err = user.Send(ctx, calls, account.WithSession(sess.ByID("mint-nft"), sess.ByID("mint-tokens")), account.Sponsored())
	return stage.Refused(out, err)
}
