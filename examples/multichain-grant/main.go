// Multichain-grant grants the same session on several chains, three unless flags name others, with one
// signature of the owner, and uses it on each.
//
// Without flags it does so on three devnets in its own process; with -chain, given once for each, on those
// chains.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
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

// options are the command line.
type options struct {
	chains []accounttest.Services // three devnets where there are none
	nft    common.Address
}

func main() {
	var o options
	flag.Func("chain", "`URLs` of a chain's node, bundler and paymaster, separated by commas; once for each chain", o.addChain)
	flag.TextVar(&o.nft, "nft", accounttest.WellKnownContracts().NFT, "`address` of a contract with safeMint(address), the same on each chain")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "error: unexpected argument %q; -h explains the flags\n", flag.Arg(0))
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, o); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func (o *options) addChain(text string) error {
	urls := strings.Split(text, ",")
	if len(urls) != 3 {
		return errors.New("want three URLs: of a node, a bundler and a paymaster")
	}
	o.chains = append(o.chains, accounttest.Services{RPC: urls[0], Bundler: urls[1], Paymaster: urls[2]})
	return nil
}

func run(ctx context.Context, out io.Writer, o options) (err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	networks, closeAll, err := open(ctx, o.chains)
	defer func() { err = errors.Join(err, closeAll()) }()
	if err != nil {
		return err
	}
	return grantEverywhere(ctx, out, networks, o.nft)
}

// open connects to the chains, or starts some. What was opened is closed by closeAll, also after an error.
func open(ctx context.Context, chains []accounttest.Services) (networks []*accounttest.Network, closeAll func() error, err error) {
	closeAll = func() error {
		var errs []error
		for _, network := range slices.Backward(networks) {
			errs = append(errs, network.Close())
		}
		return errors.Join(errs...)
	}
	for _, services := range chains {
		network, err := services.Open(ctx)
		if err != nil {
			return networks, closeAll, err
		}
		networks = append(networks, network)
	}
	if len(networks) > 0 {
		return networks, closeAll, nil
	}
	for _, id := range []uint64{accounttest.DefaultChainID, 137, 42161} {
		devnet, err := accounttest.StartDevnet(ctx, accounttest.DevnetConfig{ChainID: id})
		if err != nil {
			return networks, closeAll, err
		}
		networks = append(networks, &devnet.Network)
	}
	return networks, closeAll, nil
}

func grantEverywhere(ctx context.Context, out io.Writer, networks []*accounttest.Network, nft common.Address) error {
	key, err := crypto.GenerateKey()
	if err != nil {
		return err
	}
	owner := &askedOwner{Owner: account.KeyOwner(key)}
	store := memstore.New()
	legs, err := plan(ctx, owner, store, networks, nft)
	if err != nil {
		return err
	}

	fmt.Fprintf(out, "The owner grants a session on %d chains\n", len(legs))
	line(out, "account", legs[0].Account.Address())
	granted, err := account.GrantTogether(ctx, store, legs...)
	if err != nil {
		return err
	}
	for i, g := range granted {
		if _, err := g.Sessions.Activate(ctx, g.Tx); err != nil {
			return err
		}
		line(out, fmt.Sprintf("on chain %d", networks[i].Client.ChainID()), g.Sessions.Leaves()[0].Status)
	}
	line(out, "signatures", owner.asked)

	fmt.Fprintln(out, "\nThe dapp mints on each")
	for i, g := range granted {
		if err := mint(ctx, out, networks[i].Client, nft, legs[i].Account.Address(), g.Sessions); err != nil {
			return err
		}
	}
	return nil
}

// plan has the same account of the owner grant the same key the same on every chain.
func plan(ctx context.Context, owner account.Owner, store *memstore.Store, networks []*accounttest.Network, nft common.Address) ([]account.GrantLeg, error) {
	sessionKey, err := crypto.GenerateKey()
	if err != nil {
		return nil, err
	}
	legs := make([]account.GrantLeg, len(networks))
	for i, network := range networks {
		owned := network.Client.OwnedAccount(owner, account.Multichain())
		key, err := store.ImportKey(ctx, owned.Ref(), sessionKey)
		if err != nil {
			return nil, err
		}
		legs[i] = account.GrantLeg{
			Account:  owned,
			Policies: []policy.Policy{mintPolicy(nft, key, owned.Address())},
			Options:  []account.Option{account.Sponsored()},
		}
	}
	return legs, nil
}

// mintPolicy lets key mint NFTs to the user, for a day.
func mintPolicy(nft, key, user common.Address) policy.Policy {
	return session.Named("mint-nft", policy.ABI{
		Key:      key,
		Contract: nft,
		Function: "safeMint(address to)",
		Rules:    []policy.Rule{policy.Arg("to", policy.Equal, user)},
		Window:   policy.Until(time.Now().Add(24 * time.Hour)),
	})
}

func mint(ctx context.Context, out io.Writer, client *account.Client, nft, user common.Address, sess *session.Sessions) error {
	data, err := abi.Pack("function safeMint(address to)", user)
	if err != nil {
		return err
	}
	tx, err := client.Account(user).Send(ctx, []account.Call{{To: nft, Data: data}}, account.WithSession(sess.Leaf(0)), account.Sponsored())
	if err != nil {
		return err
	}
	receipt, err := tx.Wait(ctx)
	if err != nil {
		return err
	}
	line(out, fmt.Sprintf("on chain %d", client.ChainID()), receipt.TransactionHash)
	return nil
}

// line prints one fact.
func line(out io.Writer, name string, value any) { fmt.Fprintf(out, "  %-16s %v\n", name, value) }

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
