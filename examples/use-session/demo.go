package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/policy"
)

// demo plays both sides: the user who grants a session, and the dapp that acts with it.
func demo(ctx context.Context, out io.Writer, o *options) (err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if o.model {
		return demoOnModel(ctx, out, o)
	}
	network, err := o.services().Open(ctx)
	switch {
	case errors.Is(err, accounttest.ErrNoContracts):
		return fmt.Errorf("%w; with -model the story runs without them", err)
	case err != nil:
		return err
	}
	defer func() { err = errors.Join(err, network.Close()) }()
	chain := fmt.Sprint(network.Client.ChainID())
	if o.rpc == "" {
		chain += ", in this process"
	}
	store := memstore.New()
	fmt.Fprintln(out, "The user grants a session")
	line(out, "chain", chain)
	user, err := grantSession(ctx, out, network.Client, store, o.nft)
	if err != nil {
		return err
	}
	backend, err := newDapp(ctx, network.RPC, network.Bundler, network.Paymaster)
	if err != nil {
		return err
	}
	defer backend.close()
	return useSession(ctx, out, backend, store, user, o.nft)
}

// demoOnModel is the same story without contracts.
func demoOnModel(ctx context.Context, out io.Writer, o *options) error {
	model := accounttest.NewModel(accounttest.ModelConfig{})
	fmt.Fprintln(out, "This is a model: Go code that does what the contracts do. It runs no EVM, and gas is nominal.")
	fmt.Fprintln(out, "Without -model the story runs on the real contracts.")
	fmt.Fprintln(out, "\nThe user grants a session")
	line(out, "chain", fmt.Sprint(model.Client().ChainID(), ", a model"))
	store := memstore.New()
	user, err := grantSession(ctx, out, model.Client(), store, o.nft)
	if err != nil {
		return err
	}
	backend := &dapp{node: model.Chain, client: model.Client(), sponsored: true}
	return useSession(ctx, out, backend, store, user, o.nft)
}

// grantSession is the user's side: the owner's key signs, once. It returns the account's address.
func grantSession(ctx context.Context, out io.Writer, client *account.Client, store *memstore.Store, nft common.Address) (common.Address, error) {
	ownerKey, err := crypto.GenerateKey()
	if err != nil {
		return common.Address{}, err
	}
	owner := client.OwnedAccount(account.KeyOwner(ownerKey))
	sessionKey, err := store.NewKey(ctx, owner.Ref())
	if err != nil {
		return common.Address{}, err
	}
	line(out, "owner", owner.Owner().Address())
	line(out, "account", owner.Address())

	sess, tx, err := owner.Grant(ctx, store, []policy.Policy{policy.ABI{
		Key:      sessionKey,
		Contract: nft,
		Function: "safeMint(address to)",
		Rules:    []policy.Rule{policy.Arg("to", policy.Equal, owner.Address())},
		Window:   policy.Until(time.Now().Add(24 * time.Hour)),
	}}, account.Sponsored())
	if err != nil {
		return common.Address{}, err
	}
	line(out, "user operation", tx.Hash())
	if _, err := sess.Activate(ctx, tx); err != nil {
		return common.Address{}, err
	}
	leaf, err := sess.Leaf(0).Leaf()
	if err != nil {
		return common.Address{}, err
	}
	line(out, "session key", sessionKey)
	line(out, "which", leaf.Describe(policy.Modules{}))
	return owner.Address(), nil
}

// useSession is the dapp's side. It knows the account's address, the store and the service URLs.
func useSession(ctx context.Context, out io.Writer, backend *dapp, store session.Store, user, nft common.Address) error {
	mintTo := func(to common.Address) (account.Call, error) {
		data, err := abi.Pack("function safeMint(address to)", to)
		return account.Call{To: nft, Data: data}, err
	}
	mint, err := mintTo(user)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "\nThe dapp mints for the user")
	if err := backend.act(ctx, out, store, user, 0, mint, true); err != nil {
		return err
	}

	theft, err := mintTo(common.HexToAddress("0x00000000000000000000000000000000DeaDBeef"))
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "\nThe dapp tries to mint for someone else")
	if err := refused(out, backend.act(ctx, out, store, user, 0, theft, true)); err != nil {
		return err
	}
	fmt.Fprintln(out, "\nThe same with the local check off, so that the chain has to refuse it")
	return refused(out, backend.act(ctx, out, store, user, 0, theft, false))
}
