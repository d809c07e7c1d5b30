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
	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/internal/testutil"
	"github.com/go-sesame/sesame/paymaster"
	"github.com/go-sesame/sesame/session"
)

// services are a chain, a bundler and a paymaster on 127.0.0.1, as a real dapp has them elsewhere.
type services struct {
	chain     *testutil.Chain
	bundler   *testutil.Bundler
	paymaster *testutil.Paymaster
	rpc       string
}

func startServices() (_ *services, err error) {
	var s services
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.chain, err = testutil.StartChain(testutil.ChainConfig{}); err != nil {
		return nil, err
	}
	if s.rpc, err = s.chain.RPCURL(); err != nil {
		return nil, err
	}
	if s.bundler, err = testutil.StartBundler(testutil.BundlerConfig{Chain: s.chain}); err != nil {
		return nil, err
	}
	s.paymaster, err = testutil.StartPaymaster(testutil.PaymasterConfig{Chain: s.chain})
	return &s, err
}

func (s *services) close() error {
	var errs []error
	if s.paymaster != nil {
		errs = append(errs, s.paymaster.Close())
	}
	if s.bundler != nil {
		errs = append(errs, s.bundler.Close())
	}
	if s.chain != nil {
		errs = append(errs, s.chain.Close())
	}
	return errors.Join(errs...)
}

// demo plays both sides: the user who grants a session, and the dapp that acts with it.
func demo(ctx context.Context, out io.Writer) (err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	s, err := startServices()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	store := session.NewMemory()

	fmt.Fprintln(out, "The user grants a session")
	user, err := grantSession(ctx, out, s, store)
	if err != nil {
		return err
	}
	backend, err := newDapp(ctx, s.rpc, s.bundler.URL(), s.paymaster.URL())
	if err != nil {
		return err
	}
	defer backend.close()
	return useSession(ctx, out, backend, store, user, s.chain.Contracts.NFT)
}

// grantSession is the user's side: the owner's key signs, once. It returns the account's address.
func grantSession(ctx context.Context, out io.Writer, s *services, store *session.Memory) (common.Address, error) {
	client, err := account.NewClient(account.Config{
		ChainID:   s.chain.ChainID(),
		Chain:     s.chain.Client(),
		Bundler:   bundler.New(s.bundler.URL()),
		Paymaster: paymaster.New(s.paymaster.URL()),
	})
	if err != nil {
		return common.Address{}, err
	}
	ownerKey, err := crypto.GenerateKey()
	if err != nil {
		return common.Address{}, err
	}
	owner := client.OwnedAccount(account.KeyOwner(ownerKey))
	sessionKey, err := store.NewKey(ctx, owner.Ref())
	if err != nil {
		return common.Address{}, err
	}
	line(out, "chain", fmt.Sprintf("%d, in this process", client.ChainID()))
	line(out, "owner", owner.Owner().Address())
	line(out, "account", owner.Address())

	sess, tx, err := owner.Grant(ctx, store, []session.Policy{session.ABIPolicy{
		Key:      sessionKey,
		Contract: s.chain.Contracts.NFT,
		Function: "safeMint(address to)",
		Rules:    []session.Rule{session.Arg("to", session.Equal, owner.Address())},
		Window:   session.Until(time.Now().Add(24 * time.Hour)),
	}}, account.Sponsored())
	if err != nil {
		return common.Address{}, err
	}
	line(out, "user operation", tx.Hash())
	if err := sess.Activate(ctx, tx); err != nil {
		return common.Address{}, err
	}
	leaf, err := sess.Leaf(0).Leaf()
	if err != nil {
		return common.Address{}, err
	}
	line(out, "session key", sessionKey)
	line(out, "which", leaf.Describe(client.Contracts().Session))
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

// refused prints the refusal that is expected here.
func refused(out io.Writer, err error) error {
	if err == nil {
		return errors.New("a call outside the session went through")
	}
	line(out, "refused", err)
	return nil
}
