// Revoke-session takes one of two sessions back: the revoked one stops at once, here and on chain, and
// the other goes on.
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

func main() { stage.Main(revoke) }

func revoke(ctx context.Context, s *stage.Stage, out io.Writer) error {
	owner, err := s.NewOwner()
	if err != nil {
		return err
	}
	store := memstore.New()
	key, err := store.NewKey(ctx, owner.Ref())
	if err != nil {
		return err
	}
	sess, err := stage.Grant(ctx, owner, store, []policy.Policy{
		s.MintPolicy(key, owner.Address()),
		s.TokenPolicy(key, owner.Address(), 100),
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "The user granted two sessions")
	report(out, sess)

	tx, err := owner.Revoke(ctx, sess, "mint-nft", account.Sponsored())
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "\nThe user revokes the first; it stops signing before the chain knows")
	report(out, sess)
	mint, err := s.Mint(owner.Address())
	if err != nil {
		return err
	}
	_, err = owner.Send(ctx, []account.Call{mint}, account.WithSession(sess.ByID("mint-nft")), account.Sponsored())
	if err := stage.Refused(out, err); err != nil {
		return err
	}

	if _, err := sess.Activate(ctx, tx); err != nil {
		return err
	}
	fmt.Fprintln(out, "\nThe chain shows the new root; the other session still works")
	report(out, sess)
	tokens, err := s.MintTokens(owner.Address(), 5)
	if err != nil {
		return err
	}
	tx, err = owner.Send(ctx, []account.Call{tokens}, account.WithSession(sess.ByID("mint-tokens")), account.Sponsored())
	if err != nil {
		return err
	}
	receipt, err := tx.Wait(ctx)
	if err != nil {
		return err
	}
	stage.Line(out, "transaction", receipt.TransactionHash)
	return nil
}

func report(out io.Writer, sess *session.Sessions) {
	stage.Line(out, "session root", sess.Root())
	for _, leaf := range sess.Leaves() {
		stage.Line(out, leaf.ID, leaf.Status)
	}
}
