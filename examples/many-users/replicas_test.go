package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account/accounttest"
)

// inDatabase returns options for a database of the test's own, and makes processes that are started from here
// replicas.
func inDatabase(t *testing.T, users, workers, replicas int) *options {
	t.Helper()
	requireContracts(t)
	t.Setenv(replicaEnv, "1")
	t.Setenv(passphraseEnv, "correct horse")
	return &options{users: users, workers: workers, replicas: replicas, store: database(t), passphrase: "correct horse", nft: accounttest.WellKnownContracts().NFT}
}

func TestReplicas(t *testing.T) {
	for name, replicas := range map[string]string{"this process": "0", "two more": "2"} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(storeEnv, inDatabase(t, 0, 0, 0).store)
			var out, said bytes.Buffer
			require.NoError(t, run(t.Context(), []string{"-users", "8", "-workers", "3", "-replicas", replicas}, &out, &said), "%s", &said)
			require.Regexp(t, `operations       16 in \d+ transactions\n(?s:.*)NFTs             1 for each user\n`, out.String())
			require.Equal(t, replicas, fmt.Sprint(strings.Count(said.String(), "replica: went through 8 users")), "%s", &said)
		})
	}
}

func TestJoinNothing(t *testing.T) {
	o := &options{workers: 1, store: database(t), passphrase: "correct horse", join: "minting-x"}
	require.EqualError(t, join(t.Context(), o, io.Discard), `no users of a run "minting-x" in this store: start many-users without -join first, which tells the name of its run`)
}

// TestKilledReplica kills a replica at the worst moment: the bundler has accepted an operation of each of its
// workers, and none was told.
func TestKilledReplica(t *testing.T) {
	const workers, replicas = 3, 2
	o := inDatabase(t, 12, workers, replicas)
	devnet, err := accounttest.StartDevnet(t.Context(), accounttest.DevnetConfig{})
	require.NoError(t, err)
	defer func() { require.NoError(t, devnet.Close()) }()
	store, err := openStore(t.Context(), o)
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Close()) }()
	between := newGate(t, devnet.Services.Bundler)
	run := newRun()
	users, err := enrol(t.Context(), o, run, devnet.Client, store, io.Discard)
	require.NoError(t, err)

	var said bytes.Buffer
	r, err := startReplicas(t.Context(), o, run, accounttest.Services{RPC: devnet.RPC, Bundler: between.url, Paymaster: devnet.Services.Paymaster}, &lockedWriter{w: &said})
	require.NoError(t, err)
	go between.open(workers*replicas, r.processes[0].Process)
	r.wait()
	require.Contains(t, said.String(), "signal: killed")
	require.Equal(t, 1, strings.Count(said.String(), "replica: went through 12 users"), "%s", &said)

	_, err = look(context.WithoutCancel(t.Context()), &devnet.Network, o.nft, users, 0)
	require.NoError(t, err)
	between.check(t, users, workers)
}

// gate lies between replicas and the bundler. It withholds the answers to the first operations until all
// workers wait for one.
type gate struct {
	url     string
	bundler http.Handler
	waiting chan struct{}
	opened  chan struct{}

	mu   sync.Mutex
	sent map[common.Address][]string // operations as they were sent
}

func newGate(t *testing.T, bundler string) *gate {
	t.Helper()
	target, err := url.Parse(bundler)
	require.NoError(t, err)
	g := &gate{
		bundler: httputil.NewSingleHostReverseProxy(target),
		waiting: make(chan struct{}),
		opened:  make(chan struct{}),
		sent:    make(map[common.Address][]string),
	}
	proxy := httptest.NewServer(g)
	t.Cleanup(proxy.Close)
	g.url = proxy.URL
	return g
}

// open waits until that many workers wait, kills the process and lets the answers through.
func (g *gate) open(workers int, process *os.Process) {
	for range workers {
		g.waiting <- struct{}{}
	}
	_ = process.Kill()
	close(g.opened)
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if !g.note(body) {
		g.bundler.ServeHTTP(w, r)
		return
	}
	answer := httptest.NewRecorder()
	g.bundler.ServeHTTP(answer, r)
	select {
	case <-g.waiting:
	case <-g.opened:
	}
	<-g.opened
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(answer.Body.Bytes())
}

// note keeps an operation that is sent, and says whether the request sends one.
func (g *gate) note(body []byte) bool {
	var request struct {
		Method string
		Params []json.RawMessage
	}
	var op struct{ Sender common.Address }
	if json.Unmarshal(body, &request) != nil || request.Method != "eth_sendUserOperation" || json.Unmarshal(request.Params[0], &op) != nil {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.sent[op.Sender] = append(g.sent[op.Sender], string(request.Params[0]))
	return true
}

// check requires one operation for each user, and that at least so many were handed to the bundler again.
func (g *gate) check(t *testing.T, users []common.Address, atLeast int) {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	again := 0
	for _, user := range users {
		require.NotEmpty(t, g.sent[user])
		for _, op := range g.sent[user][1:] {
			require.Equal(t, g.sent[user][0], op, "two operations for user %s", user)
			again++
		}
	}
	require.GreaterOrEqual(t, again, atLeast)
}
