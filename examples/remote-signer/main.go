// Remote-signer keeps session keys out of the dapp: a service of its own holds them and signs over HTTP, and
// the dapp's keyring asks it.
//
// The service sees what it signs, so it can have rules of its own: here it signs nothing but the hash of the
// operation it is shown, and no more than two operations of a key a day. A session's policy could not say
// that: the chain judges each call by itself.
//
// Without flags it runs on a devnet in its own process; with -rpc, -bundler and -paymaster on that chain.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
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
	services accounttest.Services
	nft      common.Address
}

func main() {
	var o options
	o.services.Flags(flag.CommandLine)
	flag.TextVar(&o.nft, "nft", accounttest.WellKnownContracts().NFT, "`address` of a contract with safeMint(address)")
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

func run(ctx context.Context, out io.Writer, o options) (err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	network, err := o.services.Open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, network.Close()) }()
	return scene(ctx, out, network.Client, o.nft)
}

func scene(ctx context.Context, out io.Writer, client *account.Client, nft common.Address) error {
	// In earnest the service is a process on another machine, with a filestore behind it.
	url, stop, err := serve(&service{
		keys:  memstore.New(),
		token: "what the dapp shows to the signer",
		rules: []rule{boundTo(client.Contracts().EntryPoint), atMost(2, 24*time.Hour)},
	})
	if err != nil {
		return err
	}
	defer stop()
	keys, err := NewKeyring(KeyringConfig{URL: url, Token: "what the dapp shows to the signer"})
	if err != nil {
		return err
	}
	defer keys.Close()
	line(out, "signer", keys)

	ref, store, err := grant(ctx, out, client, nft, keys)
	if err != nil {
		return err
	}
	sess, err := session.Open(ctx, store, ref, session.WithKeyring(keys), session.WithChain(client))
	if err != nil {
		return err
	}
	return act(ctx, out, client, nft, sess, keys)
}

// grant is the user's side: a session for a key that the signer made and the dapp never sees.
func grant(ctx context.Context, out io.Writer, client *account.Client, nft common.Address, keys session.Keyring) (session.Ref, session.Store, error) {
	fmt.Fprintln(out, "\nThe user grants a session to a key of the signer")
	ownerKey, err := crypto.GenerateKey()
	if err != nil {
		return session.Ref{}, nil, err
	}
	owner := client.OwnedAccount(account.KeyOwner(ownerKey))
	key, err := keys.NewKey(ctx, owner.Ref())
	if err != nil {
		return session.Ref{}, nil, err
	}
	store := memstore.New() // keeps the sessions, and no key
	sess, tx, err := owner.Grant(ctx, store, []policy.Policy{session.Named("mint-nft", policy.ABI{
		Key:      key,
		Contract: nft,
		Function: "safeMint(address to)",
		Rules:    []policy.Rule{policy.Arg("to", policy.Equal, owner.Address())},
		Window:   policy.Until(time.Now().Add(24 * time.Hour)),
	})}, account.Sponsored())
	if err != nil {
		return session.Ref{}, nil, err
	}
	if _, err := sess.Activate(ctx, tx); err != nil {
		return session.Ref{}, nil, err
	}
	line(out, "session key", key)
	line(out, "session root", sess.Root())
	return owner.Ref(), store, nil
}

// act is the dapp's side.
func act(ctx context.Context, out io.Writer, client *account.Client, nft common.Address, sess *session.Sessions, keys session.Keyring) error {
	user := client.Account(sess.Ref().Account)
	mint, err := abi.Pack("function safeMint(address to)", user.Address())
	if err != nil {
		return err
	}
	send := func() error {
		tx, err := user.Send(ctx, []account.Call{{To: nft, Data: mint}}, account.WithSession(sess.Leaf(0)), account.Sponsored())
		if err != nil {
			return err
		}
		receipt, err := tx.Wait(ctx)
		if err == nil {
			line(out, "transaction", receipt.TransactionHash)
		}
		return err
	}
	fmt.Fprintln(out, "\nThe dapp mints, with signatures from the signer")
	for range 2 {
		if err := send(); err != nil {
			return err
		}
	}
	fmt.Fprintln(out, "\nA third time would be within the policy, but not within the signer's rules")
	if err := showRefusal(out, send()); err != nil {
		return err
	}
	leaf, err := sess.Leaf(0).Leaf()
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "\nSomebody who broke into the dapp asks for a signature of something else")
	_, err = keys.SignDigest(ctx, session.SignRequest{Ref: sess.Ref(), Key: leaf.Key, Digest: common.Hash{1}})
	return showRefusal(out, err)
}

// serve runs the service on a free port of 127.0.0.1 until stop is called.
func serve(s *service) (url string, stop func(), err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{Handler: s.handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(listener) // ends with stop
	}()
	return "http://" + listener.Addr().String(), func() {
		_ = server.Close()
		<-ended
	}, nil
}

// line prints one fact.
func line(out io.Writer, name string, value any) { fmt.Fprintf(out, "  %-16s %v\n", name, value) }

// showRefusal prints the refusal that is expected.
func showRefusal(out io.Writer, err error) error {
	if err == nil {
		return errors.New("what a session does not allow went through")
	}
	line(out, "refused", err)
	return nil
}
