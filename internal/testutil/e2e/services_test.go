//go:build e2e && unix

package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/internal/localhttp"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/session/seal"
	"github.com/go-sesame/sesame/userop"
)

// Two bundlers behind a pool, of which one dies, forgets, or keeps what it was given.
func TestServices(t *testing.T) {
	t.Parallel()
	w := Start(t)
	require.NoError(t, w.StartSecond(t.Context()))
	for _, story := range []struct {
		name string
		run  func(*testing.T, *World)
	}{
		{"the bundler is killed in the middle of a send", testKilledWhileSending},
		{"a stuck operation is replaced", testReplaced},
		{"a stuck operation is cancelled", testCancelled},
		{"a killed process's send is taken over", testTakenOver},
		{"the bundler is killed with 64 in flight", testKilledWhileWaiting},
	} {
		if !t.Run(story.name, func(t *testing.T) { story.run(t, w) }) {
			return // the world is not as the next one wants it
		}
	}
}

// pooled returns a client with both bundlers, the first of which is at another URL where one is given.
func (w *World) pooled(t *testing.T, change func(*account.Config), first ...string) (*account.Client, *bundler.Pool) {
	t.Helper()
	urls := []string{w.Alto.URL, w.Second.URL}
	copy(urls, first)
	pool, hangUp, err := newPool(urls)
	require.NoError(t, err)
	t.Cleanup(hangUp)
	return w.client(t, func(cfg *account.Config) {
		cfg.Bundler = pool
		if change != nil {
			change(cfg)
		}
	}), pool
}

// roomy are fees for either bundler: their prices differ, as they last looked at this chain, whose price
// falls by an eighth with each block.
func roomy() account.Option {
	return account.WithMargins(userop.Margins{MaxFeePerGas: 100})
}

// hold has both bundlers keep operations in their pools.
func (w *World) hold(t *testing.T, hold bool) {
	t.Helper()
	require.NoError(t, w.Alto.Hold(t.Context(), hold))
	require.NoError(t, w.Second.Hold(t.Context(), hold))
}

// answerLost returns the URL of a way to a bundler on which the first operation's answer gets lost: lose is
// called when the bundler has given it, and nothing comes back.
func answerLost(t *testing.T, to string, lose func()) string {
	t.Helper()
	target, err := url.Parse(to)
	require.NoError(t, err)
	var lost atomic.Bool
	forward := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) },
		ModifyResponse: func(answer *http.Response) error {
			if answer.Request.Context().Value(http.ErrAbortHandler) != nil {
				lose()
				panic(http.ErrAbortHandler)
			}
			return nil
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	server, err := localhttp.Serve(http.HandlerFunc(func(answer http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		if bytes.Contains(body, []byte("eth_sendUserOperation")) && lost.CompareAndSwap(false, true) {
			r = r.WithContext(context.WithValue(r.Context(), http.ErrAbortHandler, true))
		}
		forward.ServeHTTP(answer, r)
	}), 0)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Shutdown()) })
	return server.URL
}

// testKilledWhileSending kills the first bundler when it has an operation in its pool and has not answered
// yet, sends one while it is dead, and has it come back. Each operation lands once.
func testKilledWhileSending(t *testing.T, w *World) {
	require.NoError(t, w.Alto.Hold(t.Context(), true))
	way := answerLost(t, w.Alto.URL, func() {
		if err := w.Alto.Kill(); err != nil {
			t.Errorf("kill: %v", err)
		}
	})
	client, pool := w.pooled(t, nil, way)
	second := w.client(t, func(cfg *account.Config) { cfg.Bundler = bundler.New(w.Second.URL) })
	a := w.actor(t, second)
	sess := a.grant(t, account.Sponsored())
	a.client, a.user = client, client.Account(a.user.Address())
	tx := a.send(t, sess, roomy())
	require.Equal(t, "second", pool.TakenBy(tx.Hash()))
	requireDone(t, tx)
	a.requireMinted(t, 1)

	client, pool = w.pooled(t, nil)
	a.client, a.user = client, client.Account(a.user.Address())
	tx = a.send(t, sess, roomy())
	require.Equal(t, "second", pool.TakenBy(tx.Hash()))
	requireDone(t, tx)
	a.requireMinted(t, 2)

	require.NoError(t, w.Alto.Start(t.Context()))
	minted := uint64(2)
	for by := "second"; by != "first"; minted++ {
		require.Less(t, minted, uint64(100), "the first is asked again once it is back")
		tx := a.send(t, sess, roomy())
		requireDone(t, tx)
		by = pool.TakenBy(tx.Hash())
	}
	a.requireMinted(t, minted)
}

// testReplaced replaces what a bundler keeps in its pool, by Alto's rule: a tenth above in both fees, and the
// price of the day. What is in a bundle already it does not replace.
func testReplaced(t *testing.T, w *World) {
	ctx := soon(t)
	client, _ := w.pooled(t, nil)
	a := w.actor(t, client)
	sess := a.grant(t, account.Sponsored())
	fee := w.baseFee(t)

	w.hold(t, true)
	stuck := a.send(t, sess, roomy())
	use := []account.Option{account.WithSession(sess.Leaf(0)), account.Sponsored()}
	_, err := a.user.Replace(ctx, stuck, append(use, account.WithFees(moreBy(stuck, 9)))...)
	require.ErrorContains(t, err, "bump the gas price by minimum 10%")
	require.True(t, userop.MayBeAccepted(err))
	w.blockAt(t, times(fee, 20))
	tx, err := a.user.Replace(ctx, stuck, use...)
	require.NoError(t, err)
	require.NotEqual(t, stuck.Hash(), tx.Hash())
	require.Equal(t, stuck.Operation().Nonce, tx.Operation().Nonce)
	w.hold(t, false)
	requireDone(t, tx)
	receipt, err := stuck.Wait(ctx) // whichever landed ends both
	require.NoError(t, err)
	require.Equal(t, tx.Hash(), receipt.UserOpHash)
	a.requireMinted(t, 1)
	w.blockAt(t, fee)

	require.NoError(t, w.Anvil.MineEach(ctx, false))
	stuck = a.send(t, sess, roomy())
	w.untilInPool(t)
	_, err = a.user.Replace(ctx, stuck, use...)
	require.ErrorContains(t, err, "already being processed")
	require.True(t, userop.MayBeAccepted(err))
	require.NoError(t, w.Anvil.MineEach(ctx, true))
	require.NoError(t, w.Anvil.Mine(ctx, 1))
	receipt, err = stuck.Wait(ctx)
	require.NoError(t, err)
	require.Equal(t, stuck.Hash(), receipt.UserOpHash)
	a.requireMinted(t, 2)
	requireDone(t, a.send(t, sess, roomy())) // the nonce of both is used
	a.requireMinted(t, 3)
}

// moreBy are an operation's fees and so many percent.
func moreBy(tx *userop.Pending, percent uint64) userop.Fees {
	fees := tx.Operation().Fees()
	for _, fee := range []*uint256.Int{&fees.MaxFeePerGas, &fees.MaxPriorityFeePerGas} {
		fee.Mul(fee, uint256.NewInt(100+percent)).Div(fee, uint256.NewInt(100))
	}
	return fees
}

// testCancelled has the owner put nothing in the place of what a session sent, and of a grant.
func testCancelled(t *testing.T, w *World) {
	ctx := soon(t)
	client, _ := w.pooled(t, nil)
	a := w.actor(t, client)
	sess := a.grant(t, account.Sponsored())
	w.hold(t, true)
	stuck := a.send(t, sess, roomy())
	tx, err := a.owner.Cancel(ctx, stuck)
	require.NoError(t, err)
	require.Empty(t, tx.Operation().CallData)
	w.hold(t, false)
	requireDone(t, tx)
	_, err = stuck.Wait(ctx)
	require.ErrorIs(t, err, userop.ErrReplaced)
	ended, ok := errors.AsType[*userop.EndedError](err)
	require.True(t, ok)
	require.Equal(t, tx.Hash(), ended.By)
	a.requireMinted(t, 0)
	requireDone(t, a.send(t, sess, roomy()))
	a.requireMinted(t, 1)

	root := sess.Root()
	w.hold(t, true)
	changed, stuck, err := a.owner.Grant(ctx, a.store, []policy.Policy{session.Named("another", a.mayMintUntil(2*time.Hour))}, account.Sponsored())
	require.NoError(t, err)
	tx, err = a.owner.Cancel(ctx, stuck, account.OfSessions(changed))
	require.NoError(t, err)
	w.hold(t, false)
	requireDone(t, tx)
	require.NoError(t, changed.Refresh(ctx))
	require.Nil(t, changed.Pending(), "taken back")
	a.requireRoot(t, root)
}

// testTakenOver kills a process after its send, and the bundler that has the operation. Another process goes
// on with the send at the other bundler, and knows its end by the key.
func testTakenOver(t *testing.T, w *World) {
	ctx := soon(t)
	dir, dataKey := filepath.Join(t.TempDir(), "store"), bytes.Repeat([]byte{7}, seal.KeySize)
	require.NoError(t, os.Mkdir(dir, 0o700))
	store, err := openFiles(dir, dataKey)
	require.NoError(t, err)
	client, _ := w.pooled(t, nil)
	a := w.actorIn(t, client, store)
	a.grant(t, account.Sponsored())
	require.NoError(t, store.Close())

	w.hold(t, true)
	hash := w.sendAndKill(t, sending{Store: dir, DataKey: dataKey, Account: a.user.Address(), Calls: []account.Call{a.mint(t)}, Key: "order"})
	require.NoError(t, w.Alto.Kill())
	require.NoError(t, w.Second.Hold(ctx, false))
	a.requireMinted(t, 0)

	store, err = openFiles(dir, dataKey)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	reports := make(chan account.Report, 2)
	client, _ = w.pooled(t, func(cfg *account.Config) {
		cfg.Outbox = store
		cfg.Report = func(_ context.Context, r account.Report) error { reports <- r; return nil }
	})
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- client.Run(running) }()
	select {
	case report := <-reports:
		require.NoError(t, report.Err)
		require.Equal(t, hash, report.Hash)
		require.Equal(t, "order", report.Key)
	case <-ctx.Done():
		t.Error("nothing is reported")
	}
	stop()
	require.ErrorIs(t, <-ended, context.Canceled)
	a.requireMinted(t, 1)

	sess, err := session.Open(ctx, store, a.owner.Ref())
	require.NoError(t, err)
	user := client.Account(a.user.Address())
	tx, err := user.Send(ctx, []account.Call{a.mint(t)}, account.WithSession(sess.Leaf(0)), account.Sponsored(), account.Once("order"))
	require.NoError(t, err)
	require.Equal(t, hash, tx.Hash())
	requireDone(t, tx)
	a.requireMinted(t, 1)
	require.NoError(t, w.Alto.Start(t.Context()))
}

// sendAndKill has another process send, and kills it.
func (w *World) sendAndKill(t *testing.T, s sending) common.Hash {
	t.Helper()
	s.Node, s.Paymaster, s.Bundlers = w.Anvil.URL, w.Paymaster.URL, []string{w.Alto.URL, w.Second.URL}
	told, err := json.Marshal(s)
	require.NoError(t, err)
	process := exec.Command(os.Args[0])
	process.Env = append(os.Environ(), senderEnv+"="+string(told))
	stdin, err := process.StdinPipe() // it ends with this process, too
	require.NoError(t, err)
	defer func() { _ = stdin.Close() }()
	out, err := process.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, process.Start())
	said, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, errors.Join(err, process.Process.Kill()))
	require.Error(t, process.Wait())
	said = strings.TrimSpace(said)
	require.Len(t, said, 66, said)
	return common.HexToHash(said)
}

// testKilledWhileWaiting kills the first bundler with 64 operations in its pool, and one of a client that
// waits for nothing else: the waits themselves hand the same bytes to the second one. A client that knows no
// other bundler has its operation land when the first one is back and has forgotten it.
func testKilledWhileWaiting(t *testing.T, w *World) {
	many, pool := w.pooled(t, nil)
	f := w.newFlight(t, many)
	one, _ := w.pooled(t, nil)
	a := w.actor(t, one)
	b := w.actor(t, w.client(t, nil))
	ofA, ofB := a.grant(t, account.Sponsored()), b.grant(t, account.Sponsored())

	require.NoError(t, w.Alto.Hold(t.Context(), true))
	txB := b.send(t, ofB, roomy())
	waited := make(chan error, 2)
	wait := func(tx *userop.Pending) {
		receipt, err := tx.Wait(within(t, 2*patience))
		if err == nil && receipt.UserOpHash != tx.Hash() {
			err = errors.New("another operation landed")
		}
		waited <- err
	}
	go wait(txB)
	txA := a.send(t, ofA, roomy())
	go wait(txA)
	f.takeOff(t)
	require.Equal(t, "first", pool.TakenBy(f.sent[0].Hash()))
	require.NoError(t, w.Alto.Kill())
	f.land(t)
	require.NoError(t, <-waited)
	a.requireMinted(t, 1)
	b.requireMinted(t, 0)
	require.Equal(t, "second", pool.TakenBy(f.sent[0].Hash()))

	require.NoError(t, w.Alto.Start(t.Context()))
	require.NoError(t, <-waited)
	b.requireMinted(t, 1)
}

// flight is 64 operations of eight accounts, each account's in eight lanes.
type flight struct {
	inLanes *account.Lanes
	actors  []*actor
	granted []*session.Sessions
	sent    []*userop.Pending
}

const flightAccounts, flightLanes = 8, 8

// newFlight has the accounts granted that send.
func (w *World) newFlight(t *testing.T, client *account.Client) *flight {
	t.Helper()
	ctx := soon(t)
	f := &flight{
		inLanes: client.NewLanes(account.LanesConfig{Size: flightLanes}),
		actors:  make([]*actor, flightAccounts), granted: make([]*session.Sessions, flightAccounts),
		sent: make([]*userop.Pending, flightAccounts*flightLanes),
	}
	t.Cleanup(func() { require.NoError(t, f.inLanes.Close(context.Background())) })
	var group errgroup.Group
	for i := range f.actors {
		a := w.actor(t, client)
		f.actors[i] = a
		group.Go(func() error {
			sess, tx, err := a.owner.Grant(ctx, a.store, []policy.Policy{a.mayMint()}, account.Sponsored())
			if err == nil {
				_, err = sess.Activate(ctx, tx)
			}
			f.granted[i] = sess
			return err
		})
	}
	require.NoError(t, group.Wait())
	return f
}

// takeOff sends all of them, to a bundler that makes no bundle.
func (f *flight) takeOff(t *testing.T) {
	t.Helper()
	ctx := soon(t)
	var group errgroup.Group
	for i := range f.sent {
		a, sess := f.actors[i%flightAccounts], f.granted[i%flightAccounts]
		call := a.mint(t)
		group.Go(func() (err error) {
			f.sent[i], err = a.user.Send(ctx, []account.Call{call},
				account.WithSession(sess.Leaf(0)), account.Sponsored(), account.InLane(f.inLanes), roomy())
			return err
		})
	}
	require.NoError(t, group.Wait())
	for _, a := range f.actors {
		a.requireMinted(t, 0)
	}
}

// land waits until all of them are on chain.
func (f *flight) land(t *testing.T) {
	t.Helper()
	ctx := soon(t)
	var group errgroup.Group
	for _, tx := range f.sent {
		group.Go(func() error {
			receipt, err := tx.Wait(ctx)
			if err == nil && (!receipt.Confirmed || receipt.UserOpHash != tx.Hash()) {
				err = fmt.Errorf("%s is not confirmed", tx.Hash())
			}
			return err
		})
	}
	require.NoError(t, group.Wait())
	for _, a := range f.actors {
		a.requireMinted(t, flightLanes)
	}
}
