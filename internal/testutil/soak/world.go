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
	// blockEvery keeps the chain's time, which goes on by a second with each block, near the wall clock's:
	// each of several bundlers makes one so much less often.
	blockEvery = time.Second
	// longestBlock is after how long there is a further block at least, also while the chain's time is ahead.
	longestBlock = 2 * blockEvery
)

// Each service is there several times, the preferred one first.
const eachService = 2

// world is the chain and its services, with a fault proxy before each.
type world struct {
	chain     *accounttest.Chain
	paymaster *accounttest.Paymaster
	bundlers  []*standin
	proxies   map[faultproxy.Role][]*faultproxy.Proxy
	closes    []func() error

	starting               sync.Mutex // of bundlers, which make blocks that stay; or a reorg
	deaths, pauses, reorgs atomic.Int64
}

// standin is the place of a bundler that may be replaced by another one.
type standin struct {
	between *switchboard

	mu      sync.Mutex
	bundler *accounttest.Bundler // nil while it is dead
}

func newWorld(seed uint64) (_ *world, err error) {
	w := &world{proxies: make(map[faultproxy.Role][]*faultproxy.Proxy)}
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
	for n := range eachService {
		bundler, err := w.newStandin()
		if err != nil {
			return nil, err
		}
		targets := map[faultproxy.Role]string{
			faultproxy.Node:      node,
			faultproxy.Bundler:   bundler.between.server.URL,
			faultproxy.Paymaster: w.paymaster.URL(),
		}
		for role, target := range targets {
			proxy, err := faultproxy.Start(faultproxy.Config{Target: target, Role: role, Seed: seed + uint64(n)})
			if err != nil {
				return nil, err
			}
			w.proxies[role] = append(w.proxies[role], proxy)
			w.closes = append(w.closes, proxy.Close)
		}
	}
	return w, nil
}

func (w *world) newStandin() (*standin, error) {
	bundler, err := w.startBundler()
	if err != nil {
		return nil, err
	}
	s := &standin{bundler: bundler}
	w.bundlers = append(w.bundlers, s)
	w.closes = append(w.closes, func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.bundler == nil {
			return nil
		}
		return s.bundler.Close()
	})
	if s.between, err = newSwitchboard(bundler.URL()); err == nil {
		w.closes = append(w.closes, s.between.close)
	}
	return s, err
}

func (w *world) startBundler() (*accounttest.Bundler, error) {
	w.starting.Lock()
	defer w.starting.Unlock()
	return accounttest.StartBundler(accounttest.BundlerConfig{Chain: w.chain, BundleInterval: eachService * blockEvery})
}

// urls are where a service is.
func (w *world) urls(role faultproxy.Role) (urls []string) {
	for _, proxy := range w.proxies[role] {
		urls = append(urls, proxy.URL())
	}
	return urls
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
	for _, proxies := range w.proxies {
		for _, proxy := range proxies {
			proxy.Calm(true)
		}
	}
}

// tick makes a block where there was none for a while, until ctx ends: time goes on, and what waits for
// confirmations gets them.
func (w *world) tick(ctx context.Context) error {
	last, since, whole := uint64(0), time.Now(), context.WithoutCancel(ctx)
	for pause(ctx, blockEvery/2) {
		head, err := w.chain.Client().BlockNumber(whole)
		if err != nil {
			return err
		}
		now, err := w.chain.Now(whole)
		if err != nil {
			return err
		}
		if head != last {
			last, since = head, time.Now()
		}
		if time.Since(now) > blockEvery || time.Since(since) > longestBlock {
			w.chain.Commit()
		}
	}
	return nil
}

// killBundler ends a bundler. Another one takes its place after a while, or once ctx ends, and knows nothing
// of what the first one had.
func (w *world) killBundler(ctx context.Context, n int, during time.Duration) error {
	s := w.bundlers[n]
	s.mu.Lock()
	defer s.mu.Unlock()
	w.proxies[faultproxy.Bundler][n].Shut(during)
	err := s.bundler.Close()
	s.bundler = nil
	pause(ctx, during)
	fresh, startErr := w.startBundler()
	if startErr != nil {
		return errors.Join(err, startErr)
	}
	s.bundler = fresh
	s.between.turn(fresh.URL())
	w.deaths.Add(1)
	return err
}

// shut has a service be gone for a while.
func (w *world) shut(role faultproxy.Role, n int, during time.Duration) error {
	if w.proxies[role][n].Shut(during) {
		w.pauses.Add(1)
	}
	return nil
}

// reorg loses the newest blocks.
func (w *world) reorg(ctx context.Context, depth uint64) error {
	w.starting.Lock()
	defer w.starting.Unlock()
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
