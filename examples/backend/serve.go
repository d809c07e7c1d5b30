package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/ethereum/go-ethereum/ethclient"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/ethnode"
	"github.com/go-sesame/sesame/paymaster"
)

const (
	// longestWait is how long a request waits for the chain. What takes longer goes on without it.
	longestWait = 25 * time.Second
	// longestRequest is how long a request takes at most, and its answer a little more.
	longestRequest = longestWait + 15*time.Second
	// lease is how long a send is left to the process that began it before another one goes on with it.
	lease = 10 * time.Second
)

// service is what the handlers share.
type service struct {
	client *account.Client
	store  keeper
	shop   shop
	login  login
	ready  *readiness
	// signWithin is how long a user may take to sign.
	signWithin time.Duration
	// grace is how long requests that are under way have to end when the service does.
	grace time.Duration
	log   *slog.Logger
}

// serve runs the service until ctx ends. Then it takes no more requests, lets those that are under way end,
// and leaves the rest to the next process: what was sent is written down in the store.
func serve(ctx context.Context, o *options, log *slog.Logger) (err error) {
	if o.database() && o.loginSecret == "" {
		log.Warn("logins and what is prepared are good in this process alone: processes that share a database share a " + secretEnv)
	}
	store, err := openStore(ctx, o)
	if err != nil {
		return toldToEnd(ctx, err, log)
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	client, disconnect, err := connect(ctx, o, store, log)
	if err != nil {
		return toldToEnd(ctx, err, log)
	}
	defer disconnect()
	login, err := newLogin(o.loginSecret, o.origin, client.ChainID())
	if err != nil {
		return err
	}
	s := &service{
		client: client, store: store, login: login, signWithin: o.signWithin, grace: o.grace, log: log,
		shop:  shop{nft: o.nft, token: o.token},
		ready: &readiness{ping: store.Ping, check: client.Check, now: time.Now, log: log},
	}
	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		return err
	}
	log.Info("the page is at "+o.origin.String(), "chain", client.ChainID(), "store", o.kind())

	// Run goes on with what a process that was killed left behind, and ends when the requests have.
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	ran := make(chan error, 1)
	go func() { ran <- client.Run(running) }()
	err = s.listen(ctx, listener)
	stop()
	if failed := <-ran; !errors.Is(failed, context.Canceled) {
		err = errors.Join(err, failed)
	}
	return err
}

// toldToEnd is why it cannot start, and nothing when it was told to end before it had: a supervisor that
// stops it just then is not to count a crash.
func toldToEnd(ctx context.Context, err error, log *slog.Logger) error {
	if ctx.Err() == nil {
		return err
	}
	log.Info("told to end before it had started", "during", err)
	return nil
}

// kind names the store without its place, which may hold a password.
func (o *options) kind() string {
	switch {
	case o.store == "":
		return "temporary; -store DIR keeps the sessions"
	case o.database():
		return "PostgreSQL"
	}
	return "directory"
}

// listen serves HTTP until ctx ends and what is under way has.
func (s *service) listen(ctx context.Context, listener net.Listener) error {
	requests, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	server := &http.Server{
		Handler:           s.handler(),
		BaseContext:       func(net.Listener) context.Context { return requests },
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      longestRequest + 5*time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	s.log.Info("ending: requests that are under way have " + s.grace.String())
	err := shutdown(server, s.grace)
	if errors.Is(err, context.DeadlineExceeded) {
		end() // waits end now, and tell the caller that it goes on
		err = shutdown(server, time.Second)
	}
	if err != nil {
		err = server.Close()
	}
	if failed := <-served; !errors.Is(failed, http.ErrServerClosed) {
		err = errors.Join(err, failed)
	}
	return err
}

// shutdown lets requests that are under way end within a time.
func shutdown(server *http.Server, within time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	return server.Shutdown(ctx)
}

// connect makes the client of the chain and its services.
func connect(ctx context.Context, o *options, store keeper, log *slog.Logger) (*account.Client, func(), error) {
	node, err := ethnode.Dial(o.rpc)
	if err != nil {
		return nil, nil, err
	}
	send, sponsor := bundler.New(o.bundler), paymaster.New(o.paymaster)
	disconnect := func() {
		node.Close()
		send.Close()
		sponsor.Close()
	}
	id, err := chainID(ctx, node, o.rpc, log)
	var client *account.Client
	if err == nil {
		client, err = account.NewClient(account.Config{
			ChainID: id, Chain: node, Bundler: send, Paymaster: sponsor, Confirmations: o.confirmations,
			Outbox: store, Lease: lease,
			// Here a program writes into its own tables what came of an order.
			Report: func(_ context.Context, end account.Report) error {
				log.Info("ended", "account", end.Ref.Account, "key", end.Key, "operation", end.Hash, "error", end.Err)
				return nil
			},
		})
	}
	if err != nil {
		disconnect()
		return nil, nil, err
	}
	return client, disconnect, nil
}

// chainID asks the node, for as long as it takes to be there.
func chainID(ctx context.Context, node *ethclient.Client, rpc string, log *slog.Logger) (uint64, error) {
	for said := false; ; said = true {
		id, err := node.ChainID(ctx)
		if err == nil {
			return id.Uint64(), nil
		}
		if !said {
			log.Warn("waiting for the node; go run ./examples/devnet starts one", "node", host(rpc), "error", err)
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("the node never answered: %w", err)
		case <-time.After(time.Second):
		}
	}
}

// host is the part of a URL without its key.
func host(text string) string {
	parsed, err := url.Parse(text)
	if err != nil {
		return "" // whose text quotes the URL
	}
	return parsed.Host
}
