// Multichain-grant grants the same session on three chains with one signature of the owner, and uses it
// on each.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/examples/internal/stage"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/policy"
)

func main() { stage.Main(grantEverywhere) }

// chains are the two that are there beside the stage's own.
var chains = []uint64{137, 42161}

func grantEverywhere(ctx context.Context, first *stage.Stage, out io.Writer) (err error) {
	stages := []*stage.Stage{first}
	for _, id := range chains {
		s, err := stage.StartChain(id)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.Close()) }()
		stages = append(stages, s)
	}
	key, err := crypto.GenerateKey()
	if err != nil {
		return err
	}
	owner := &askedOwner{Owner: account.KeyOwner(key)}
	store := memstore.New()
	legs, err := plan(ctx, owner, store, stages)
	if err != nil {
		return err
	}

	fmt.Fprintln(out, "The owner grants a session on three chains")
	stage.Line(out, "account", legs[0].Account.Address())
	granted, err := account.GrantTogether(ctx, store, legs...)
	if err != nil {
		return err
	}
	for i, g := range granted {
		if _, err := g.Session.Activate(ctx, g.Tx); err != nil {
			return err
		}
		stage.Line(out, fmt.Sprintf("on chain %d", stages[i].Chain.ChainID()), g.Session.Leaves()[0].Status)
	}
	stage.Line(out, "signatures", owner.asked)

	fmt.Fprintln(out, "\nThe dapp mints on each")
	for i, g := range granted {
		if err := mint(ctx, out, stages[i], legs[i].Account.Address(), g.Session); err != nil {
			return err
		}
	}
	return nil
}

// plan has the same account of the owner grant the same key the same on every chain.
func plan(ctx context.Context, owner account.Owner, store *memstore.Store, stages []*stage.Stage) ([]account.GrantLeg, error) {
	sessionKey, err := crypto.GenerateKey()
	if err != nil {
		return nil, err
	}
	legs := make([]account.GrantLeg, len(stages))
	for i, s := range stages {
		client, err := s.Client()
		if err != nil {
			return nil, err
		}
		owned := client.OwnedAccount(owner, account.Multichain())
		key, err := store.ImportKey(ctx, owned.Ref(), sessionKey)
		if err != nil {
			return nil, err
		}
		legs[i] = account.GrantLeg{
			Account:  owned,
			Policies: []policy.Policy{s.MintPolicy(key, owned.Address())},
			Options:  []account.Option{account.Sponsored()},
		}
	}
	return legs, nil
}

func mint(ctx context.Context, out io.Writer, s *stage.Stage, user common.Address, sess *session.Sessions) error {
	client, err := s.Client()
	if err != nil {
		return err
	}
	call, err := s.Mint(user)
	if err != nil {
		return err
	}
	tx, err := client.Account(user).Send(ctx, []account.Call{call}, account.WithSession(sess.Leaf(0)), account.Sponsored())
	if err != nil {
		return err
	}
	receipt, err := tx.Wait(ctx)
	if err != nil {
		return err
	}
	stage.Line(out, fmt.Sprintf("on chain %d", s.Chain.ChainID()), receipt.TransactionHash)
	return nil
}

// askedOwner counts how often the owner is asked for a signature.
type askedOwner struct {
	account.Owner
	asked int
}

// SignMessage implements [account.Owner].
func (o *askedOwner) SignMessage(ctx context.Context, message []byte) ([]byte, error) {
	o.asked++
	return o.Owner.SignMessage(ctx, message)
}
