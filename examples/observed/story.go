package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/paymaster"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// story grants a session, unseen, and sends with it while everybody listens.
func story(ctx context.Context, out io.Writer, model bool) (err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	seen := newObservers()
	cfg, end, err := network(ctx, model, seen)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	store := memstore.New()
	sess, err := grant(ctx, cfg, store)
	if err != nil {
		return err
	}
	seen.forget() // how the services were met before

	var told []userop.Event
	cfg.TracerProvider, cfg.MeterProvider = seen.traces, seen.metrics
	cfg.Hooks.End = func(_ context.Context, e userop.Event) {
		if e.What == userop.StageSend || e.What == userop.StageWait {
			told = append(told, e) // one after the other, here; else it takes a lock
		}
	}
	client, err := account.NewClient(cfg)
	if err != nil {
		return err
	}
	if err := mint(ctx, client, sess); err != nil {
		return err
	}
	fmt.Fprintln(out, "The send and the wait, as traces")
	seen.printTraces(out)
	fmt.Fprintln(out, "\nWhat was counted and measured")
	if err := seen.printMetrics(ctx, out); err != nil {
		return err
	}
	fmt.Fprintln(out, "\nWhat the hook was told")
	for _, e := range told {
		fmt.Fprintf(out, "  %s\n", e)
	}
	return nil
}

// network is the configuration of a client: on a chain in this process, or on a model of one.
func network(ctx context.Context, model bool, seen *observers) (account.Config, func() error, error) {
	if model {
		return accounttest.NewModel(accounttest.ModelConfig{}).Config(), func() error { return nil }, nil
	}
	devnet, err := accounttest.Services{}.Open(ctx)
	if errors.Is(err, accounttest.ErrNoContracts) {
		err = fmt.Errorf("%w; with -model it runs without them", err)
	}
	if err != nil {
		return account.Config{}, nil, err
	}
	node, err := ethclient.DialContext(ctx, devnet.RPC)
	if err != nil {
		return account.Config{}, nil, errors.Join(err, devnet.Close())
	}
	cfg := account.Config{
		ChainID: devnet.Client.ChainID(), Chain: node,
		Bundler:   bundler.New(devnet.Bundler, bundler.WithTracerProvider(seen.traces), bundler.WithMeterProvider(seen.metrics)),
		Paymaster: paymaster.New(devnet.Paymaster, paymaster.WithTracerProvider(seen.traces), paymaster.WithMeterProvider(seen.metrics)),
	}
	return cfg, func() error { node.Close(); return devnet.Close() }, nil
}

// grant has an owner let a session key mint to the owner's account.
func grant(ctx context.Context, cfg account.Config, store *memstore.Store) (*session.Sessions, error) {
	client, err := account.NewClient(cfg)
	if err != nil {
		return nil, err
	}
	ownerKey, err := crypto.GenerateKey()
	if err != nil {
		return nil, err
	}
	owner := client.OwnedAccount(account.KeyOwner(ownerKey))
	key, err := store.NewKey(ctx, owner.Ref())
	if err != nil {
		return nil, err
	}
	sess, tx, err := owner.Grant(ctx, store, []policy.Policy{policy.ABI{
		Key: key, Contract: accounttest.WellKnownContracts().NFT, Function: "safeMint(address to)",
		Rules:  []policy.Rule{policy.Arg("to", policy.Equal, owner.Address())},
		Window: policy.Until(time.Now().Add(24 * time.Hour)),
	}}, account.Sponsored())
	if err != nil {
		return nil, err
	}
	_, err = sess.Activate(ctx, tx)
	return sess, err
}

// mint sends with the session, and waits.
func mint(ctx context.Context, client *account.Client, sess *session.Sessions) error {
	user := client.Account(sess.Ref().Account)
	data, err := abi.Pack("function safeMint(address to)", user.Address())
	if err != nil {
		return err
	}
	calls := []account.Call{{To: accounttest.WellKnownContracts().NFT, Data: data}}
	tx, err := user.Send(ctx, calls, account.WithLeafOf(sess), account.Sponsored())
	if err != nil {
		return err
	}
	_, err = tx.Wait(ctx)
	return err
}
