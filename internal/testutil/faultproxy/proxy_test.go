package faultproxy_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/testutil/faultproxy"
)

// unpack reads the body as what it is.
func (w *wire) unpack() {
	w.t.Helper()
	require.NoError(w.t, w.err)
	require.Equal(w.t, "gzip", w.header.Get("Content-Encoding"))
	unpacked, err := gzip.NewReader(bytes.NewReader([]byte(w.body)))
	require.NoError(w.t, err)
	body, err := io.ReadAll(unpacked)
	require.NoError(w.t, err)
	w.body = string(body)
}

// quick are kinds that take no time, so that many can be drawn.
func quick() map[faultproxy.Kind]int {
	return map[faultproxy.Kind]int{
		faultproxy.HTML200: 100, faultproxy.HTML502: 100, faultproxy.Status401: 50, faultproxy.WrongID: 100, faultproxy.WrongChain: 100,
	}
}

// drawn are the kinds that the requests meet one after another.
func drawn(t *testing.T, seed uint64, beside bool) (kinds []faultproxy.Kind) {
	w := &wire{t: t, service: newService(t)}
	var err error
	w.proxy, err = faultproxy.Start(faultproxy.Config{
		Target: w.service.URL, Role: faultproxy.Bundler, Seed: seed, PerMille: quick(),
		Log: func(e faultproxy.Event) {
			if e.Method == "eth_chainId" {
				kinds = append(kinds, e.Kind)
			}
		},
	})
	require.NoError(t, err)
	defer func() { require.NoError(t, w.proxy.Close()) }()
	client := plain(t)
	for range 100 {
		before := len(kinds)
		if w.post(client, ask("eth_chainId")); len(kinds) == before {
			kinds = append(kinds, "")
		}
		if beside {
			w.post(client, receiptOf(known))
		}
	}
	return kinds
}

func TestTheSeedDecides(t *testing.T) {
	t.Parallel()
	one := drawn(t, 1, false)
	require.Equal(t, one, drawn(t, 1, true), "what goes on beside changes nothing")
	require.NotEqual(t, one, drawn(t, 2, false))
	met := map[faultproxy.Kind]int{}
	for _, kind := range one {
		met[kind]++
	}
	require.Len(t, met, len(quick())+1)
	require.InDelta(t, 55, met[""], 15)
}

func TestTheDefaultMixHasEveryKind(t *testing.T) {
	t.Parallel()
	for _, role := range []faultproxy.Role{faultproxy.Bundler, faultproxy.Paymaster, faultproxy.Node} {
		mix := faultproxy.Default(role)
		require.Len(t, mix, len(faultproxy.Kinds(role)))
		for kind, n := range mix {
			require.Positive(t, n, kind)
		}
	}
}

func TestAMixThatCannotBe(t *testing.T) {
	t.Parallel()
	for want, cfg := range map[string]faultproxy.Config{
		"no http or https URL":               {Role: faultproxy.Node},
		`there is no role "miner"`:           {Target: "http://127.0.0.1:1", Role: "miner"},
		"lagging is no fault of a bundler":   {Target: "http://127.0.0.1:1", Role: faultproxy.Bundler, PerMille: map[faultproxy.Kind]int{faultproxy.Lagging: 1}},
		"1001 of a thousand requests cannot": {Target: "http://127.0.0.1:1", Role: faultproxy.Node, PerMille: map[faultproxy.Kind]int{faultproxy.Lagging: 1001}},
		"1200 of a thousand requests cannot": {Target: "http://127.0.0.1:1", Role: faultproxy.Node, PerMille: map[faultproxy.Kind]int{faultproxy.Lagging: 600, faultproxy.Reset: 600}},
	} {
		_, err := faultproxy.Start(cfg)
		require.ErrorContains(t, err, want)
	}
}

func TestTheKeyIsAskedFor(t *testing.T) {
	t.Parallel()
	w := start(t, faultproxy.Node, map[faultproxy.Kind]int{})
	response, err := plain(t).Post(strings.TrimSuffix(w.proxy.URL(), w.proxy.Secret()), "application/json", strings.NewReader("{}"))
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, 404, response.StatusCode)
	w.reached()
	require.Greater(t, len(w.proxy.Secret()), 30)
}

func TestCloseEndsWhatHangs(t *testing.T) {
	t.Parallel()
	for _, kind := range []faultproxy.Kind{
		faultproxy.Hanging, faultproxy.HangingAfterAcceptance, faultproxy.Endless, faultproxy.Reordered, faultproxy.Delayed,
	} {
		begun := make(chan struct{}, 1)
		service := newService(t)
		proxy, err := faultproxy.Start(faultproxy.Config{
			Target: service.URL, Role: faultproxy.Node, PerMille: map[faultproxy.Kind]int{kind: 1000},
			Log: func(faultproxy.Event) { begun <- struct{}{} },
		})
		require.NoError(t, err)
		pool := new(http.Transport)
		var done sync.WaitGroup
		done.Go(func() {
			response, err := (&http.Client{Transport: pool}).Post(proxy.URL(), "application/json", strings.NewReader(ask("eth_chainId")))
			if err == nil {
				_, _ = io.Copy(io.Discard, response.Body)
				_ = response.Body.Close()
			}
		})
		<-begun
		require.NoError(t, proxy.Close())
		done.Wait()
		pool.CloseIdleConnections()
		require.NoError(t, proxy.Close(), "again")
		require.Equal(t, map[faultproxy.Kind]int{kind: 1}, proxy.Counts())
	}
}

// Many at once, for the race detector, with all that a proxy can be asked meanwhile.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	w := start(t, faultproxy.Bundler, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	client := plain(t)
	client.Timeout = 300 * time.Millisecond
	var done sync.WaitGroup
	for i := range 16 {
		done.Go(func() {
			mine := &wire{t: t, proxy: w.proxy}
			for n := 0; ctx.Err() == nil; n++ {
				mine.post(client, []string{ask("eth_chainId"), send(), receiptOf(known), receiptOf(unknown)}[n%4])
				if i == 0 {
					w.proxy.Calm(n%10 == 9)
					w.proxy.Counts()
				}
			}
		})
	}
	done.Wait()
	require.NotEmpty(t, w.proxy.Counts())
}
