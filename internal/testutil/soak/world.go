package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/internal/localhttp"
	"github.com/go-sesame/sesame/internal/testutil/faultproxy"
)

const (
	// sponsoredFor is how long a sponsorship is valid.
	sponsoredFor = 30 * time.Second
	// bundleEvery keeps the chain's time, which goes on by a second with each block, near the wall clock's.
	bundleEvery = time.Second
)

// world is the chain and its services, with a fault proxy before each.
type world struct {
	chain     *accounttest.Chain
	paymaster *accounttest.Paymaster
	between   *switchboard
	proxies   map[faultproxy.Role]*faultproxy.Proxy
	closes    []func() error

	mu      sync.Mutex
	bundler *accounttest.Bundler

	bundlersLost, reorgs atomic.Int64
}

func newWorld(seed uint64) (w *world, err error) {
	w = &world{proxies: make(map[faultproxy.Role]*faultproxy.Proxy)}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	if w.chain, err = accounttest.StartChain(accounttest.ChainConfig{}); err != nil {
		return nil, err
	}
	w.closes = append(w.closes, w.chain.Close)
	node, err := w.chain.RPCURL()
	if err != nil {
		return nil, err
	}
	if w.paymaster, err = accounttest.StartPaymaster(accounttest.PaymasterConfig{Chain: w.chain, Validity: sponsoredFor}); err != nil {
		return nil, err
	}
	w.closes = append(w.closes, w.paymaster.Close)
	if w.bundler, err = w.startBundler(); err != nil {
		return nil, err
	}
	w.closes = append(w.closes, func() error { return w.bundler.Close() })
	if w.between, err = newSwitchboard(w.bundler.URL()); err != nil {
		return nil, err
	}
	w.closes = append(w.closes, w.between.close)
	targets := map[faultproxy.Role]string{
		faultproxy.Node:      node,
		faultproxy.Bundler:   w.between.server.URL,
		faultproxy.Paymaster: w.paymaster.URL(),
	}
	for role, target := range targets {
		proxy, err := faultproxy.Start(faultproxy.Config{Target: target, Role: role, Seed: seed})
		if err != nil {
			return nil, err
		}
		w.proxies[role] = proxy
		w.closes = append(w.closes, proxy.Close)
	}
	return w, nil
}

func (w *world) startBundler() (*accounttest.Bundler, error) {
	return accounttest.StartBundler(accounttest.BundlerConfig{Chain: w.chain, BundleInterval: bundleEvery})
}

// close closes everything, the last started first.
func (w *world) close() (err error) {
	slices.Reverse(w.closes)
	for _, end := range w.closes {
		err = errors.Join(err, end())
	}
	return err
}

// calm has the proxies forward faithfully.
func (w *world) calm() {
	for _, proxy := range w.proxies {
		proxy.Calm(true)
	}
}

// tick makes a block where there was none for a while, until ctx ends: time goes on, and what waits for
// confirmations gets them.
func (w *world) tick(ctx context.Context) error {
	for pause(ctx, bundleEvery/2) {
		now, err := w.chain.Now(ctx)
		if err != nil {
			return err
		}
		if time.Since(now) > bundleEvery {
			w.chain.Commit()
		}
	}
	return nil
}

// loseMempool ends the bundler and starts another one, which knows nothing of what the first one had.
func (w *world) loseMempool() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	err := w.bundler.Close()
	fresh, startErr := w.startBundler()
	if startErr != nil {
		return errors.Join(err, startErr)
	}
	w.bundler = fresh
	w.between.turn(fresh.URL())
	w.bundlersLost.Add(1)
	return err
}

// reorg loses the newest blocks.
func (w *world) reorg(ctx context.Context, depth uint64) error {
	w.mu.Lock() // a bundler that starts makes blocks that stay
	defer w.mu.Unlock()
	if err := w.chain.Reorg(ctx, depth); errors.Is(err, accounttest.ErrReorg) {
		return nil // a bundler has just started
	} else if err != nil {
		return err
	}
	w.reorgs.Add(1)
	return nil
}

// switchboard forwards to a service that may be replaced by another one.
type switchboard struct {
	server *localhttp.Server
	to     atomic.Pointer[url.URL]
}

func newSwitchboard(to string) (*switchboard, error) {
	s := new(switchboard)
	s.turn(to)
	var err error
	s.server, err = localhttp.Serve(&httputil.ReverseProxy{
		Rewrite:      func(r *httputil.ProxyRequest) { r.SetURL(s.to.Load()) },
		ErrorHandler: func(answer http.ResponseWriter, _ *http.Request, _ error) { answer.WriteHeader(http.StatusBadGateway) },
	}, 0)
	return s, err
}

func (s *switchboard) turn(to string) {
	target, err := url.Parse(to)
	if err != nil {
		panic(fmt.Sprintf("the URL of a service: %v", err))
	}
	s.to.Store(target)
}

func (s *switchboard) close() error { return s.server.Shutdown() }
