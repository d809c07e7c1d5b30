package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
)

// What a process says of itself as services come and go, and what whoever asks gets to see.
func TestReadiness(t *testing.T) {
	var stored, all error
	var log strings.Builder
	now, asked := time.Now(), 0
	r := &readiness{
		ping:  func(context.Context) error { return stored },
		check: func(context.Context) error { asked++; return errors.Join(stored, all) },
		now:   func() time.Time { return now }, log: slog.New(slog.NewTextHandler(&log, nil)),
	}
	s := &service{ready: r}
	handler := s.probes(http.NotFoundHandler())
	probe := func(path string) (int, string) {
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		return answer.Code, strings.TrimSpace(answer.Body.String())
	}
	down := errors.New("down: https://bundler.example")
	for _, step := range []struct {
		stored, all error
		status      int
		body        string
	}{
		{nil, down, 503, `{"status":"starting"}`},
		{down, nil, 503, `{"status":"starting"}`},
		{nil, nil, 200, `{"status":"ready"}`},
		{nil, down, 200, `{"status":"degraded"}`},
		{down, down, 503, `{"status":"not ready"}`},
		{nil, nil, 200, `{"status":"ready"}`},
	} {
		now, stored, all = now.Add(answerKept), step.stored, step.all
		for range 3 { // and the answer stands for a while
			status, body := probe("/readyz")
			require.Equal(t, step.status, status)
			require.Equal(t, step.body, body)
			stored, all = nil, nil
		}
		status, body := probe("/livez")
		require.Equal(t, []any{200, `{"status":"alive"}`}, []any{status, body}, "whatever fails")
	}
	require.Equal(t, 6, asked)
	require.Equal(t, 6, strings.Count(log.String(), "\n"), "what changed is logged, once\n%s", log.String())
	require.Contains(t, log.String(), "https://bundler.example")
	status, _ := probe("/elsewhere")
	require.Equal(t, 404, status)
}

// One more service that fails is logged, too, by its name, and one that fails in other words is not.
func TestReadinessTellsWhatFails(t *testing.T) {
	var log strings.Builder
	var all error
	now := time.Now()
	r := &readiness{
		ping:  func(context.Context) error { return nil },
		check: func(context.Context) error { return all },
		now:   func() time.Time { return now }, log: slog.New(slog.NewTextHandler(&log, nil)),
	}
	failed := func(service, text string) account.CheckFailure {
		return account.CheckFailure{Service: service, Err: errors.New(text)}
	}
	for _, found := range [][]account.CheckFailure{
		nil, {failed("bundler", "1 down")}, {failed("bundler", "2 down")}, {failed("node", "3 down"), failed("bundler", "3 down")}, {failed("node", "4 down")},
	} {
		all = nil
		if found != nil {
			all = &account.CheckError{Failed: found}
		}
		now = now.Add(answerKept)
		r.ask(t.Context())
	}
	require.Equal(t, 4, strings.Count(log.String(), "\n"), log.String())
	require.Contains(t, log.String(), `error.services.node="3 down" error.services.bundler="3 down"`)
	require.NotContains(t, log.String(), "2 down")
	require.Contains(t, log.String(), `error.services.node="4 down"`)
}

// A store that takes all the time there is leaves the services theirs.
func TestReadinessOfASilentStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		r := &readiness{
			ping:  func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
			check: func(ctx context.Context) error { return ctx.Err() },
			now:   time.Now, log: slog.New(slog.NewTextHandler(&log, nil)),
		}
		require.Equal(t, stateNotReady, r.ask(t.Context()))
		require.NotContains(t, log.String(), " error=", "the services are well")
		require.Contains(t, log.String(), " store=")
	})
}

// Many who ask at once have the services asked once, and one who leaves does not spoil the answer.
func TestReadinessAtOnce(t *testing.T) {
	asked := 0
	r := &readiness{
		ping: func(ctx context.Context) error { return ctx.Err() },
		check: func(ctx context.Context) error {
			asked++
			return ctx.Err()
		},
		now: time.Now, log: slog.New(slog.DiscardHandler),
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	var asking sync.WaitGroup
	for range 20 {
		asking.Go(func() {
			if state := r.ask(gone); state != stateReady {
				t.Error(state)
			}
		})
	}
	asking.Wait()
	require.Equal(t, 1, asked)
}

// Probes go by the address, calls of the page by the service's name.
func TestProbes(t *testing.T) {
	devnet := accounttest.NewDevnet(t, accounttest.DevnetConfig{})
	b := start(t, devnet)
	for path, want := range map[string]int{"/livez": 200, "/readyz": 200, "/api/me": http.StatusMisdirectedRequest} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.url+path, nil)
		require.NoError(t, err)
		request.Host = "10.0.0.7:8080"
		answer, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		var said probe
		require.NoError(t, json.NewDecoder(answer.Body).Decode(&said))
		require.NoError(t, answer.Body.Close())
		require.Equal(t, want, answer.StatusCode, path)
		if path == "/readyz" {
			require.Equal(t, "ready", said.Status)
		}
		request.Method = http.MethodHead
		answer, err = http.DefaultClient.Do(request)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		require.Equal(t, want, answer.StatusCode, "a balancer may ask without the body: %s", path)
	}
	http.DefaultClient.CloseIdleConnections()
}
