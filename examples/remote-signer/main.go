// Remote-signer keeps session keys out of the dapp: a service of its own holds them and signs over HTTP,
// and the dapp's keyring asks it.
//
// The service sees what it signs, so it can have rules of its own: here it signs nothing but the hash of
// the operation it is shown, and no more than two operations of a key a day. A session's policy could
// not say that: the chain judges each call by itself.
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/examples/internal/stage"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/policy"
)

func main() { stage.Main(scene) }

func scene(ctx context.Context, s *stage.Stage, out io.Writer) error {
	client, err := s.Client()
	if err != nil {
		return err
	}
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
	stage.Line(out, "signer", keys)

	ref, store, err := grant(ctx, s, out, keys)
	if err != nil {
		return err
	}
	sess, err := session.Open(ctx, store, ref, session.WithKeyring(keys), session.WithChain(client))
	if err != nil {
		return err
	}
	return act(ctx, s, out, client, sess, keys)
}

// grant is the user's side: a session for a key that the signer made and the dapp never sees.
func grant(ctx context.Context, s *stage.Stage, out io.Writer, keys session.Keyring) (session.Ref, session.Store, error) {
	fmt.Fprintln(out, "\nThe user grants a session to a key of the signer")
	owner, err := s.NewOwner()
	if err != nil {
		return session.Ref{}, nil, err
	}
	key, err := keys.NewKey(ctx, owner.Ref())
	if err != nil {
		return session.Ref{}, nil, err
	}
	store := memstore.New() // keeps the sessions, and no key
	sess, err := stage.Grant(ctx, owner, store, []policy.Policy{s.MintPolicy(key, owner.Address())})
	if err != nil {
		return session.Ref{}, nil, err
	}
	stage.Line(out, "session key", key)
	stage.Line(out, "session root", sess.Root())
	return owner.Ref(), store, nil
}

// act is the dapp's side.
func act(ctx context.Context, s *stage.Stage, out io.Writer, client *account.Client, sess *session.Sessions, keys session.Keyring) error {
	user := client.Account(sess.Ref().Account)
	mint, err := s.Mint(user.Address())
	if err != nil {
		return err
	}
	send := func() error {
		tx, err := user.Send(ctx, []account.Call{mint}, account.WithSession(sess.Leaf(0)), account.Sponsored())
		if err != nil {
			return err
		}
		receipt, err := tx.Wait(ctx)
		if err == nil {
			stage.Line(out, "transaction", receipt.TransactionHash)
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
	if err := stage.Refused(out, send()); err != nil {
		return err
	}
	leaf, err := sess.Leaf(0).Leaf()
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "\nSomebody who broke into the dapp asks for a signature of something else")
	_, err = keys.SignDigest(ctx, session.SignRequest{Ref: sess.Ref(), Key: leaf.Key, Digest: common.Hash{1}})
	return stage.Refused(out, err)
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
