package bundler_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/bundler/bundlertest"
	"github.com/go-sesame/sesame/userop"
)

func newPool(t *testing.T, cfg bundler.PoolConfig) *bundler.Pool {
	t.Helper()
	if cfg.ChainID == 0 {
		cfg.ChainID = chainID
	}
	pool, err := bundler.NewPool(cfg)
	require.NoError(t, err)
	return pool
}

// twoServers are scripted bundlers, a before b, and their pool.
func twoServers(t *testing.T, times bundler.Times) (a, b *bundlertest.Server, pool *bundler.Pool) {
	t.Helper()
	a, b = bundlertest.NewServer(t, bundlertest.Config{Vendor: bundlertest.Pimlico}), bundlertest.NewServer(t, bundlertest.Config{Vendor: bundlertest.Pimlico})
	clients := []*bundler.Client{bundler.New(a.URL() + "/v2/k-123456"), bundler.New(b.URL() + "/v2/k-123456")}
	for _, client := range clients {
		t.Cleanup(client.Close)
	}
	return a, b, newPool(t, bundler.PoolConfig{Times: times, Members: []bundler.Member{{Name: "a", Bundler: clients[0]}, {Name: "b", Bundler: clients[1]}}})
}

// seal signs anything.
type seal struct{}

func (seal) DummySignature(*userop.Operation) ([]byte, error) { return []byte("dummy"), nil }

func (seal) Sign(_ context.Context, _ *userop.Operation, hash common.Hash) ([]byte, error) {
	return hash[:], nil
}

func newSender(t *testing.T, bundler userop.Bundler) *userop.Sender {
	t.Helper()
	sender, err := userop.NewSender(userop.SenderConfig{ChainID: chainID, EntryPoint: entryPoint, Bundler: bundler})
	require.NoError(t, err)
	return sender
}

func draft(nonce uint64) userop.Draft {
	return userop.Draft{
		Sender: operation().Sender, CallData: []byte{1, 2, 3, 4}, Signer: seal{},
		Nonce: func(context.Context) (uint256.Int, error) { return *uint256.NewInt(nonce), nil },
		Caps:  userop.Caps{MaxCost: new(uint256.Int).SetAllOne()},
	}
}

// What two bundlers are asked, in the order in which they are.
func TestPoolDialogue(t *testing.T) {
	failing, _ := play(t, "pool_failing.jsonl")
	taking, _ := play(t, "pool_taking.jsonl")
	pool := newPool(t, bundler.PoolConfig{Members: members(failing, taking), Times: bundler.Times{FirstPause: time.Hour, LongestPause: time.Hour}})
	op := operation()
	hash, err := pool.SendUserOperation(t.Context(), op, entryPoint)
	require.NoError(t, err)
	require.Equal(t, op.Hash(entryPoint, chainID), hash)
	gas, err := pool.EstimateUserOperationGas(t.Context(), op, entryPoint, nil)
	require.NoError(t, err)
	require.EqualValues(t, 3, gas.PreVerificationGas.Uint64())
	for range 2 {
		_, err = pool.UserOperationReceipt(t.Context(), hash)
		require.ErrorIs(t, err, userop.ErrNotFound)
	}
}

// Twenty sends while the preferred bundler is dead cost it a handful of requests, and land at the other one.
func TestPoolLeavesADeadBundlerAlone(t *testing.T) {
	soon, late := bundler.Times{FirstPause: time.Millisecond, LongestPause: time.Millisecond}, bundler.Times{FirstPause: time.Hour, LongestPause: time.Hour}
	for name, dead := range map[string]bundlertest.Answer{
		"503":         bundlertest.Status(http.StatusServiceUnavailable, "no"),
		"dropped":     bundlertest.Drop(),
		"no key":      bundlertest.Status(http.StatusUnauthorized, "no"),
		"a redirect":  bundlertest.Status(http.StatusMovedPermanently, ""),
		"retry after": bundlertest.Status(http.StatusTooManyRequests, "no").WithHeader("Retry-After", "60"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			times := late
			if name == "retry after" {
				times = soon // the answer says how long
			}
			a, b, pool := twoServers(t, times)
			for _, method := range []string{"eth_chainId", "eth_supportedEntryPoints", estimateMethod, "eth_sendUserOperation", receiptMethod, "pimlico_getUserOperationGasPrice"} {
				a.On(method, dead)
			}
			a.Otherwise(dead)
			sender := newSender(t, pool)
			for n := range uint64(20) {
				pending, err := sender.Send(t.Context(), draft(n))
				require.NoError(t, err)
				require.Equal(t, "b", pending.Bundler())
				receipt, err := pending.Wait(t.Context())
				require.NoError(t, err)
				require.Equal(t, pending.Hash(), receipt.UserOpHash)
			}
			require.Len(t, b.Sent(), 20)
			t.Logf("%d requests to the dead bundler", a.Count(""))
			require.LessOrEqual(t, a.Count(""), 6)
		})
	}
}

// All are down: each is named with its cause, at once, and with no key.
func TestPoolWithAllDown(t *testing.T) {
	a, b, pool := twoServers(t, bundler.Times{FirstPause: time.Hour, LongestPause: time.Hour})
	require.NoError(t, a.Close())
	for _, method := range []string{"eth_chainId", "eth_supportedEntryPoints"} {
		b.On(method, bundlertest.Status(http.StatusForbidden, "no k-123456"))
	}
	sender := newSender(t, pool)
	for range 3 {
		_, err := sender.Send(t.Context(), draft(1))
		require.ErrorContains(t, err, "none of 2 bundlers will do: a: ")
		require.ErrorContains(t, err, "check that the service runs")
		require.ErrorContains(t, err, "b: ")
		require.ErrorContains(t, err, "HTTP 403")
		require.NotContains(t, err.Error(), "k-123456")
		require.False(t, userop.MayBeAccepted(err))
		require.True(t, userop.SafeToRetry(err), "the first may be back")
		var failed *bundler.PoolError
		require.ErrorAs(t, err, &failed)
		require.Equal(t, "a", failed.Members[0].Member)
		require.ErrorAs(t, failed.Members[1], new(*bundler.TransportError))
	}
	require.LessOrEqual(t, b.Count(""), 8)
}

// What a bundler decides is an answer; what it fails with is asked of the next, in each vendor's words.
func TestPoolGoesOnByKind(t *testing.T) {
	file, err := os.Open("testdata/vendors.jsonl")
	require.NoError(t, err)
	defer file.Close()
	elsewhere := map[string]bool{"Rundler, throttled": true, "Rundler, account too busy": true}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var row struct {
			Name, Method, Want string
			Status             int
			Error              json.RawMessage
		}
		require.NoError(t, json.Unmarshal(lines.Bytes(), &row))
		next := row.Want != "refused" && row.Want != "known" || elsewhere[row.Name]
		body := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"error":%s}`, row.Error)
		answer := bundlertest.Body(body)
		if row.Status != 200 {
			answer = bundlertest.Status(row.Status, body)
		}
		requireNext(t, row.Name, row.Method, answer, next)
	}
	for _, c := range fieldCases(t) {
		method := map[string]string{"G4a": "eth_sendUserOperation", "G4b": "eth_sendUserOperation", "G6a": receiptMethod, "G6b": receiptMethod}[c.ID]
		if method != "" {
			requireNext(t, c.ID, method, bundlertest.Body(strings.Replace(c.Body, "$ID", "1", 1)), method == receiptMethod)
		}
	}
	for name, answer := range map[string]bundlertest.Answer{
		"502": bundlertest.Status(502, "bad gateway"), "404": bundlertest.Status(404, "no such path"), "403": bundlertest.Status(403, ""),
		"400": bundlertest.Status(400, "what?"), "301": bundlertest.Status(301, ""), "garbage": bundlertest.Garbage(), "cut": bundlertest.Truncated("0x1"), "dropped": bundlertest.Drop(),
		"no such method": bundlertest.Fail(-32601, "Method not found"), "a page": bundlertest.Body("<html>"),
		"too often": bundlertest.Status(429, "").WithHeader("Retry-After", "3600"),
	} {
		for _, method := range []string{"eth_sendUserOperation", estimateMethod, receiptMethod} {
			requireNext(t, name, method, answer, true)
		}
	}
	requireNext(t, "AA25", "eth_sendUserOperation", bundlertest.Fail(-32500, "AA25 invalid account nonce"), false)
	requireNext(t, "AA23", estimateMethod, bundlertest.Fail(-32500, "AA23 reverted"), false)
}

// requireNext asks a pool whose preferred bundler answers so.
func requireNext(t *testing.T, name, method string, answer bundlertest.Answer, next bool) {
	t.Helper()
	a, b, pool := twoServers(t, bundler.Times{})
	op := operation()
	hash := op.Hash(entryPoint, chainID)
	a.On(method, answer)
	var err error
	switch method {
	case "eth_sendUserOperation":
		_, err = pool.SendUserOperation(t.Context(), op, entryPoint)
	case receiptMethod:
		_, err = bundler.New(b.URL()).SendUserOperation(t.Context(), op, entryPoint)
		require.NoError(t, err)
		_, err = pool.UserOperationReceipt(t.Context(), hash)
	case estimateMethod:
		_, err = pool.EstimateUserOperationGas(t.Context(), op, entryPoint, nil)
	case biconomyFees:
		a.On("pimlico_getUserOperationGasPrice", answer)
		_, err = pool.Fees(t.Context())
	}
	asked := b.Count(method)
	if method == biconomyFees {
		asked = b.Count("pimlico_getUserOperationGasPrice")
	}
	require.Equal(t, next, asked > 0, "%s: %v", name, err)
	if next {
		require.NoError(t, err, name)
	}
}

// What may have reached the first goes to the second as the same bytes; a refusal there is no refusal.
func TestPoolKeepsDoubts(t *testing.T) {
	a, b, pool := twoServers(t, bundler.Times{FirstPause: time.Hour, LongestPause: time.Hour})
	a.On("eth_sendUserOperation", bundlertest.Drop())
	pending, err := newSender(t, pool).Send(t.Context(), draft(1))
	require.NoError(t, err)
	require.Equal(t, "b", pending.Bundler())
	require.Equal(t, a.Requests("eth_sendUserOperation")[0].Params, b.Requests("eth_sendUserOperation")[0].Params)

	a, b, pool = twoServers(t, bundler.Times{})
	a.On("eth_sendUserOperation", bundlertest.Drop())
	b.On("eth_sendUserOperation", bundlertest.Fail(-32500, "AA24 signature error"))
	a.On(receiptMethod, bundlertest.Result(nil))
	_, err = newSender(t, pool).Send(t.Context(), draft(1))
	require.ErrorIs(t, err, bundler.ErrRejected)
	require.True(t, userop.MayBeAccepted(err), "%v", err)
	var failed *userop.Error
	require.ErrorAs(t, err, &failed)
	require.True(t, failed.Given)

	// Where the first surely did not get it, the second's refusal is one.
	a, b, pool = twoServers(t, bundler.Times{})
	require.NoError(t, a.Close())
	b.On("eth_sendUserOperation", bundlertest.Fail(-32500, "AA24 signature error"))
	_, err = newSender(t, pool).Send(t.Context(), draft(1))
	require.False(t, userop.MayBeAccepted(err), "%v", err)
	require.ErrorAs(t, err, &failed)
	require.True(t, failed.Refused)
	var by *bundler.MemberError
	require.ErrorAs(t, err, &by)
	require.Equal(t, "b", by.Member)

	// The second has it already: that is success.
	a, b, pool = twoServers(t, bundler.Times{})
	a.On("eth_sendUserOperation", bundlertest.Drop())
	b.On("eth_sendUserOperation", bundlertest.Fail(-32602, "Operation already known"))
	pending, err = newSender(t, pool).Send(t.Context(), draft(1))
	require.NoError(t, err)
	require.Equal(t, "b", pending.Bundler())
}

// Before each member that is handed an operation its guard is asked, which may hold it back in between.
func TestPoolAsksTheGuard(t *testing.T) {
	revoked := errors.New("the session was revoked")
	for name, test := range map[string]struct {
		fails  userop.Bundler
		doubt  bool
		guards []error // what the guard says, one after the other
		sent   int     // to the second
	}{
		"in between, in doubt": {identified{&fake{sendErr: passing{delivered: true}, receipt: userop.ErrNotFound}}, true, []error{nil, revoked}, 0},
		"in between":           {identified{&fake{sendErr: passing{}, receipt: userop.ErrNotFound}}, false, []error{nil, revoked}, 0},
		"never":                {identified{&fake{sendErr: passing{}, receipt: userop.ErrNotFound}}, false, []error{nil, nil}, 1},
		"at first":             {identified{&fake{receipt: userop.ErrNotFound}}, false, []error{revoked}, 0},
	} {
		second := identified{&fake{receipt: userop.ErrNotFound}}
		sender := newSender(t, newPool(t, bundler.PoolConfig{Members: members(test.fails, second)}))
		asked := 0
		_, err := sender.SendSigned(t.Context(), operation(), func(context.Context, *userop.Operation) error {
			asked++
			return test.guards[min(asked, len(test.guards))-1]
		})
		sent := 0
		for _, what := range second.asked {
			if what == "send" {
				sent++
			}
		}
		require.Equal(t, test.sent, sent, name)
		require.Equal(t, test.sent == 0, errors.Is(err, revoked), "%s: %v", name, err)
		require.Equal(t, test.doubt, err != nil && userop.MayBeAccepted(err), "%s: %v", name, err)
	}
	first, second := identified{&fake{sendErr: passing{}, receipt: userop.ErrNotFound}}, identified{&fake{receipt: userop.ErrNotFound}}
	sender, err := userop.NewSender(userop.SenderConfig{
		ChainID: chainID, EntryPoint: entryPoint, Bundler: newPool(t, bundler.PoolConfig{Members: members(first, second)}),
		MayResend: func(*userop.Operation) error { return revoked },
	})
	require.NoError(t, err)
	_, err = sender.Send(t.Context(), userop.Draft{
		Sender: operation().Sender, CallData: []byte{1}, Signer: seal{}, Nonce: draft(1).Nonce, Caps: draft(1).Caps,
		Fees: userop.Fees{MaxFeePerGas: *uint256.NewInt(2), MaxPriorityFeePerGas: *uint256.NewInt(1)},
	})
	require.ErrorContains(t, err, "it needs a guard, and has none")
	require.NotContains(t, second.asked, "send")
}

// A member on another chain, or without the EntryPoint, is given nothing, and the error says which it is.
func TestPoolChecksEachIdentity(t *testing.T) {
	a, b, pool := twoServers(t, bundler.Times{FirstPause: time.Millisecond, LongestPause: 2 * time.Millisecond})
	a.On("eth_chainId", bundlertest.Result("0x5"))
	sender := newSender(t, pool)
	for n := range uint64(5) {
		pending, err := sender.Send(t.Context(), draft(n))
		require.NoError(t, err)
		require.Equal(t, "b", pending.Bundler())
		time.Sleep(5 * time.Millisecond)
	}
	b.On("eth_supportedEntryPoints", bundlertest.Result([]string{"0x0000000071727De22E5E9d8BAf0edAc6f37da032"}))
	b.On(estimateMethod, bundlertest.Status(503, ""))
	var err error
	for range 4 {
		_, err = sender.Send(t.Context(), draft(9))
		time.Sleep(5 * time.Millisecond)
	}
	require.ErrorIs(t, err, userop.ErrWrongChain)
	require.ErrorContains(t, err, "a: ")
	require.ErrorContains(t, err, "it serves chain 5, this pool is for chain 80002")
	require.ErrorContains(t, err, "it supports EntryPoints [0x0000000071727De22E5E9d8BAf0edAc6f37da032], not "+entryPoint.Hex())
	require.Zero(t, a.Count("eth_sendUserOperation")+a.Count(estimateMethod)+a.Count("pimlico_getUserOperationGasPrice"))
	require.Len(t, b.Sent(), 5)

	_, err = pool.SendUserOperation(t.Context(), operation(), common.Address{1})
	require.ErrorIs(t, err, userop.ErrWrongChain)
	require.Equal(t, 5, b.Count("eth_sendUserOperation"))
}

// fake is a bundler in memory with the abilities that are embedded in it.
type fake struct {
	mu       sync.Mutex
	hash     common.Hash
	sendErr  error
	receipt  error
	asked    []string
	dropped  bool
	dropErr  error
	state    bundler.State
	settled  chan struct{}
	fees     uint64
	feesErr  error
	landed   map[common.Hash]int
	outOfGas func() error // asked before each call
}

func (f *fake) note(what string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, what)
	if f.outOfGas != nil {
		return f.outOfGas()
	}
	return nil
}

func (f *fake) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.asked)
}

func (f *fake) SendUserOperation(_ context.Context, op *userop.Operation, at common.Address) (common.Hash, error) {
	if err := f.note("send"); err != nil {
		return common.Hash{}, err
	}
	hash := op.Hash(at, chainID)
	if f.landed != nil {
		f.mu.Lock()
		f.landed[hash]++
		f.mu.Unlock()
	}
	if f.hash != (common.Hash{}) {
		return f.hash, nil
	}
	return hash, f.sendErr
}

func (f *fake) EstimateUserOperationGas(context.Context, *userop.Operation, common.Address, userop.StateOverride) (userop.Gas, error) {
	return userop.Gas{CallGasLimit: *uint256.NewInt(1), VerificationGasLimit: *uint256.NewInt(1), PreVerificationGas: *uint256.NewInt(1)}, f.note("estimate")
}

func (f *fake) UserOperationReceipt(_ context.Context, hash common.Hash) (*userop.Receipt, error) {
	if err := f.note("receipt"); err != nil {
		return nil, err
	}
	if f.receipt != nil {
		return nil, f.receipt
	}
	return &userop.Receipt{UserOpHash: hash, Success: true}, nil
}

// identified is one that says which chain it serves.
type identified struct{ *fake }

func (f identified) ChainID(context.Context) (uint64, error) { return chainID, f.note("chain") }

func (f identified) SupportedEntryPoints(context.Context) ([]common.Address, error) {
	return []common.Address{entryPoint}, nil
}

// able has all abilities.
type able struct{ identified }

func (f able) Fees(context.Context) (userop.Fees, error) {
	_ = f.note("fees")
	return userop.Fees{MaxFeePerGas: *uint256.NewInt(f.fees)}, f.feesErr
}
func (f able) Forget() { _ = f.note("forget") }
func (f able) UserOperationDropped(context.Context, common.Hash) (bool, error) {
	_ = f.note("dropped")
	return f.dropped, f.dropErr
}
func (f able) UserOperationStatus(context.Context, common.Hash) (bundler.Status, error) {
	return bundler.Status{State: f.state}, nil
}
func (f able) Settled(common.Hash) <-chan struct{} { return f.settled }
func (f able) MaxPriorityFeePerGas(context.Context) (uint256.Int, error) {
	return *uint256.NewInt(f.fees), f.feesErr
}

// wrapper hides all that a bundler can do, but says what it wraps.
type wrapper struct{ userop.Bundler }

func (w wrapper) Unwrap() userop.Bundler { return w.Bundler }

func members(all ...userop.Bundler) (members []bundler.Member) {
	for i, b := range all {
		members = append(members, bundler.Member{Name: string(rune('a' + i)), Bundler: b})
	}
	return members
}

// An ability that one member has is the pool's, and one that none has is told as that.
func TestPoolPassesAbilitiesOn(t *testing.T) {
	plain, gifted := identified{new(fake)}, able{identified{&fake{fees: 7, settled: make(chan struct{}), dropped: true, state: bundler.Dropped}}}
	pool := newPool(t, bundler.PoolConfig{Members: members(plain, wrapper{wrapper{gifted}})})
	fees, err := pool.Fees(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 7, fees.MaxFeePerGas.Uint64())
	tip, err := pool.MaxPriorityFeePerGas(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 7, tip.Uint64())
	require.NotNil(t, pool.Settled(opHash))
	pool.Forget()
	require.Contains(t, gifted.asked, "forget")
	dropped, err := pool.UserOperationDropped(t.Context(), opHash)
	require.NoError(t, err)
	require.True(t, dropped)

	none := newPool(t, bundler.PoolConfig{Members: members(plain, plain)})
	_, err = none.Fees(t.Context())
	require.ErrorIs(t, err, userop.ErrNoFees)
	_, err = none.MaxPriorityFeePerGas(t.Context())
	require.ErrorIs(t, err, userop.ErrNoFees)
	require.Nil(t, none.Settled(opHash))
	dropped, err = none.UserOperationDropped(t.Context(), opHash)
	require.NoError(t, err)
	require.False(t, dropped)

	_, err = bundler.NewPool(bundler.PoolConfig{ChainID: chainID, Members: members(gifted, new(fake))})
	require.ErrorContains(t, err, "member 2 (*bundler_test.fake) does not say which chain it serves")
	_, err = bundler.NewPool(bundler.PoolConfig{ChainID: chainID, Members: members(gifted, new(fake)), Unidentified: true})
	require.NoError(t, err)
	for want, cfg := range map[string]bundler.PoolConfig{
		"without a ChainID":   {Members: members(plain)},
		"no bundler is named": {ChainID: 1},
		"bundler 1 is nil":    {ChainID: 1, Members: members(nil)},
		"negative":            {ChainID: 1, Members: members(plain), Times: bundler.Times{Try: -1}},
	} {
		_, err := bundler.NewPool(cfg)
		require.ErrorContains(t, err, want)
	}
}

// A bundler that knows the operation under another hash is not the one that was meant: it stays in doubt.
func TestPoolWithAnotherHash(t *testing.T) {
	a, b := identified{&fake{hash: opHash}}, identified{new(fake)}
	pool := newPool(t, bundler.PoolConfig{Members: members(a, b)})
	hash, err := pool.SendUserOperation(t.Context(), operation(), entryPoint)
	require.NoError(t, err)
	require.Equal(t, "b", pool.TakenBy(hash))
	b.hash = opHash
	_, err = pool.SendUserOperation(t.Context(), operation(), entryPoint)
	require.ErrorIs(t, err, userop.ErrWrongChain)
	require.ErrorContains(t, err, "the bundler knows the operation as")
}

// Who took the operation is asked first; that it is not known is said by all that answer.
func TestPoolReceipts(t *testing.T) {
	gone := fmt.Errorf("%w: gone", userop.ErrNotFound)
	outage := passing{}
	for name, test := range map[string]struct {
		a, b  error // what the receipts fail with; b took the operation
		asked [2]int
		want  error
	}{
		"the taker has it":             {gone, nil, [2]int{0, 1}, nil},
		"the other has it":             {nil, gone, [2]int{1, 1}, nil},
		"the taker is down":            {nil, outage, [2]int{1, 1}, nil},
		"none knows it":                {gone, gone, [2]int{1, 1}, userop.ErrNotFound},
		"none that answers knows it":   {gone, outage, [2]int{1, 1}, userop.ErrNotFound},
		"nor the taker, which answers": {outage, gone, [2]int{1, 1}, userop.ErrNotFound},
		"none answers":                 {outage, outage, [2]int{1, 1}, outage},
	} {
		a, b := identified{&fake{sendErr: passing{}}}, identified{new(fake)}
		pool := newPool(t, bundler.PoolConfig{Members: members(a, b)})
		hash, err := pool.SendUserOperation(t.Context(), operation(), entryPoint)
		require.NoError(t, err)
		require.Equal(t, "b", pool.TakenBy(hash))
		a.receipt, b.receipt, a.asked, b.asked = test.a, test.b, nil, nil
		_, err = pool.UserOperationReceipt(t.Context(), hash)
		require.ErrorIs(t, err, test.want, name)
		require.Equal(t, test.want == userop.ErrNotFound, errors.Is(err, userop.ErrNotFound), name)
		count := func(f *fake) (n int) {
			for _, what := range f.asked {
				if what == "receipt" {
					n++
				}
			}
			return n
		}
		require.Equal(t, test.asked, [2]int{count(a.fake), count(b.fake)}, name)
	}
}

// passing is an outage.
type passing struct{ delivered bool }

func (passing) Error() string          { return "503" }
func (passing) Temporary() bool        { return true }
func (p passing) MayBeDelivered() bool { return p.delivered }

// An operation is dropped where all say so that may have it, and no other has it.
func TestPoolDropped(t *testing.T) {
	for name, test := range map[string]struct {
		a, b  *fake // b took it
		maybe bool  // a may have it
		want  bool
	}{
		"the taker says so":                     {&fake{}, &fake{dropped: true}, false, true},
		"only the other says so":                {&fake{dropped: true}, &fake{}, false, false},
		"the other has it":                      {&fake{state: bundler.Pending}, &fake{dropped: true}, false, false},
		"the other has it in a block":           {&fake{state: bundler.Included}, &fake{dropped: true}, false, false},
		"the other may have it, and says no":    {&fake{}, &fake{dropped: true}, true, false},
		"both say so":                           {&fake{dropped: true}, &fake{dropped: true}, true, true},
		"the taker cannot tell":                 {&fake{dropped: true}, &fake{dropErr: passing{}}, true, false},
		"the other, which may have it, cannot":  {&fake{dropErr: passing{}}, &fake{dropped: true}, true, false},
		"the other, which was not given it, is": {&fake{dropErr: passing{}}, &fake{dropped: true}, false, true},
	} {
		a, b := test.a, test.b
		a.sendErr = passing{delivered: test.maybe}
		pool := newPool(t, bundler.PoolConfig{Members: members(able{identified{a}}, able{identified{b}}), Times: bundler.Times{FirstPause: time.Nanosecond, LongestPause: time.Nanosecond}})
		hash, err := pool.SendUserOperation(t.Context(), operation(), entryPoint)
		require.NoError(t, err)
		dropped, _ := pool.UserOperationDropped(t.Context(), hash)
		require.Equal(t, test.want, dropped, name)
	}
	// Of one that another process gave away, every member may have it.
	for _, test := range []struct {
		a, b *fake
		want bool
	}{
		{&fake{dropped: true}, &fake{dropped: true}, true}, {&fake{dropped: true}, &fake{}, true}, {&fake{}, &fake{}, false},
		{&fake{dropped: true}, &fake{state: bundler.Submitted}, false}, {&fake{dropped: true}, &fake{dropErr: passing{}}, true},
	} {
		pool := newPool(t, bundler.PoolConfig{Members: members(able{identified{test.a}}, able{identified{test.b}})})
		dropped, err := pool.UserOperationDropped(t.Context(), opHash)
		require.NoError(t, err)
		require.Equal(t, test.want, dropped)
	}
}

// keeper knows the receipts of some operations, and of some others that it has them, or lost them.
type keeper struct {
	identified
	has     []common.Hash
	lost    bool
	lostErr error
	batch   error
}

func (k keeper) UserOperationLost(context.Context, common.Hash) (bool, error) {
	return k.lost, k.lostErr
}

func (k keeper) UserOperationReceipts(_ context.Context, hashes []common.Hash) ([]userop.ReceiptAnswer, error) {
	_ = k.note("receipts")
	answers := make([]userop.ReceiptAnswer, len(hashes))
	for i, hash := range hashes {
		if answers[i].Err = userop.ErrNotFound; slices.Contains(k.has, hash) {
			answers[i] = userop.ReceiptAnswer{Receipt: &userop.Receipt{UserOpHash: hash}}
		}
	}
	return answers, k.batch
}

func TestPoolReceiptsInBatches(t *testing.T) {
	one, two, three := common.Hash{1}, common.Hash{2}, common.Hash{3}
	a, b, c := &fake{}, &fake{}, &fake{}
	ask := func(first, second userop.Bundler) ([]userop.ReceiptAnswer, error) {
		pool := newPool(t, bundler.PoolConfig{Members: members(first, second)})
		return pool.UserOperationReceipts(t.Context(), []common.Hash{one, two, three})
	}
	knows := func(f *fake, has ...common.Hash) keeper { return keeper{identified: identified{f}, has: has} }
	answers, err := ask(knows(a, one), knows(b, one, three))
	require.NoError(t, err)
	require.Equal(t, []common.Hash{one, three}, []common.Hash{answers[0].Receipt.UserOpHash, answers[2].Receipt.UserOpHash})
	require.ErrorIs(t, answers[1].Err, userop.ErrNotFound)

	answers, err = ask(knows(a, one, two, three), knows(c))
	require.NoError(t, err)
	require.Len(t, answers, 3)
	require.Zero(t, c.count(), "all were known to the first")

	down := knows(a)
	down.batch = passing{}
	answers, err = ask(down, knows(b, two))
	require.NoError(t, err)
	require.NotNil(t, answers[1].Receipt)
	require.ErrorIs(t, answers[0].Err, userop.ErrNotFound)
	_, err = ask(down, down)
	require.Error(t, err)
	require.NotErrorIs(t, err, userop.ErrNoBatch)

	single := knows(a)
	single.batch = userop.ErrNoBatch
	for _, without := range []userop.Bundler{single, identified{a}} {
		_, err = ask(knows(b, one), without)
		require.ErrorIs(t, err, userop.ErrNoBatch, "what it has, nobody else may know")
	}
}

// The same bytes go out again where nobody who answers has them.
func TestPoolLost(t *testing.T) {
	keep := func(lost bool, err error) keeper {
		return keeper{identified: identified{&fake{}}, lost: lost, lostErr: err}
	}
	for name, test := range map[string]struct {
		taker, other userop.Bundler
		want         bool
	}{
		"nobody knows it":              {keep(true, nil), keep(true, nil), true},
		"the taker has it":             {keep(false, nil), keep(true, nil), false},
		"another one has it":           {keep(true, nil), keep(false, nil), false},
		"the taker is gone":            {keep(false, passing{}), keep(true, nil), true},
		"nobody answers":               {keep(false, passing{}), keep(false, passing{}), false},
		"the taker cannot tell":        {identified{&fake{}}, keep(true, nil), false},
		"one that never had it cannot": {keep(true, nil), identified{&fake{}}, true},
		"nor by its status":            {keep(true, nil), silent(bundler.Status{}, bundler.ErrNoStatus), true},
		"nor anything heard of":        {keep(true, nil), silent(bundler.Status{Raw: "?"}, nil), true},
		"it has it":                    {keep(true, nil), silent(bundler.Status{State: bundler.Submitted}, nil), false},
		"the taker has no status":      {silent(bundler.Status{}, bundler.ErrNoStatus), keep(true, nil), false},
	} {
		pool := newPool(t, bundler.PoolConfig{Members: members(test.taker, test.other)})
		hash, err := pool.SendUserOperation(t.Context(), operation(), entryPoint)
		require.NoError(t, err)
		lost, _ := pool.UserOperationLost(t.Context(), hash)
		require.Equal(t, test.want, lost, name)
	}
}

// silence is a bundler that does not say that it lost an operation.
type silence struct {
	keeper
	status bundler.Status
	failed error
}

func silent(status bundler.Status, err error) silence {
	return silence{keeper{identified: identified{&fake{}}}, status, err}
}

func (s silence) UserOperationStatus(context.Context, common.Hash) (bundler.Status, error) {
	return s.status, s.failed
}

// Of an operation that another process gave away, it is not known who has it: the order of the members makes
// no difference.
func TestPoolLostElsewhere(t *testing.T) {
	lost := keeper{identified: identified{&fake{}}, lost: true}
	for _, all := range [][]userop.Bundler{{lost, identified{&fake{}}}, {identified{&fake{}}, lost}} {
		told, err := newPool(t, bundler.PoolConfig{Members: members(all...)}).UserOperationLost(t.Context(), opHash)
		require.NoError(t, err)
		require.True(t, told)
	}
}

// unanswering is a bundler that does not answer what it is asked of several operations, or of one it has.
type unanswering struct{ keeper }

func (unanswering) UserOperationReceipts(ctx context.Context, _ []common.Hash) ([]userop.ReceiptAnswer, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (unanswering) UserOperationLost(ctx context.Context, _ common.Hash) (bool, error) {
	<-ctx.Done()
	return false, ctx.Err()
}

func (unanswering) UserOperationDropped(ctx context.Context, _ common.Hash) (bool, error) {
	<-ctx.Done()
	return false, ctx.Err()
}

// A member that does not answer leaves time for the next one, whatever is asked of each.
func TestPoolMemberThatDoesNotAnswer(t *testing.T) {
	for name, ask := range map[string]func(context.Context, *bundler.Pool) bool{
		"receipts": func(ctx context.Context, pool *bundler.Pool) bool {
			answers, err := pool.UserOperationReceipts(ctx, []common.Hash{opHash})
			return err == nil && answers[0].Receipt != nil
		},
		"lost": func(ctx context.Context, pool *bundler.Pool) bool {
			lost, err := pool.UserOperationLost(ctx, opHash)
			return err == nil && lost
		},
		"dropped": func(ctx context.Context, pool *bundler.Pool) bool {
			dropped, err := pool.UserOperationDropped(ctx, opHash)
			return err == nil && dropped
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				other := keeper{identified: identified{&fake{}}, has: []common.Hash{opHash}, lost: true}
				pool := newPool(t, bundler.PoolConfig{Members: members(unanswering{keeper{identified: identified{&fake{}}}}, dropper{other})})
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				require.True(t, ask(ctx, pool))
			})
		})
	}
}

// dropper says that it dropped what it is asked about.
type dropper struct{ keeper }

func (dropper) UserOperationDropped(ctx context.Context, _ common.Hash) (bool, error) {
	return ctx.Err() == nil, ctx.Err()
}

// What several fail with in a batch asks to be left alone as long as all of them do.
func TestPoolReceiptsThatFailForAWhile(t *testing.T) {
	a, b := keeper{identified: identified{&fake{}}}, keeper{identified: identified{&fake{}}}
	a.batch, b.batch = resting{}, passing{}
	_, err := newPool(t, bundler.PoolConfig{Members: members(a, b)}).UserOperationReceipts(t.Context(), []common.Hash{opHash})
	failed, ok := errors.AsType[*bundler.PoolError](err)
	require.True(t, ok, "%v", err)
	require.Len(t, failed.Members, 2)
	require.Zero(t, failed.RetryDelay())
	require.NotContains(t, err.Error(), "\n")
}

// resting is an outage that tells how long it lasts.
type resting struct{ passing }

func (resting) RetryDelay() time.Duration { return time.Minute }

// That one member is left alone for now is no reason to leave the pool alone.
func TestPoolAsksNobodyToStayAway(t *testing.T) {
	a, _, pool := twoServers(t, bundler.Times{FirstPause: time.Hour, LongestPause: time.Hour})
	hash, err := pool.SendUserOperation(t.Context(), operation(), entryPoint)
	require.NoError(t, err)
	a.On("pimlico_getUserOperationStatus", bundlertest.Status(http.StatusServiceUnavailable, "no"))
	for range 3 {
		_, err = pool.UserOperationDropped(t.Context(), hash)
	}
	require.ErrorContains(t, err, "not asked for now")
	var told interface{ RetryDelay() time.Duration }
	require.ErrorAs(t, err, &told)
	require.Zero(t, told.RetryDelay())
}

// Fees are those of the bundler that the send goes to. Where it fails in between and the next one demands
// more, that refuses, and the next send is signed anew, at its price.
func TestPoolFeesAreOfWhoTakesTheOperation(t *testing.T) {
	const demanded = 0x77359400 // what b's script proposes
	a, b, pool := twoServers(t, bundler.Times{FirstPause: time.Hour, LongestPause: time.Hour})
	cheap := map[string]string{"maxFeePerGas": "0x2", "maxPriorityFeePerGas": "0x1"}
	a.On("pimlico_getUserOperationGasPrice", bundlertest.Result(map[string]any{"slow": cheap, "standard": cheap, "fast": cheap}))
	a.On("eth_sendUserOperation", bundlertest.Status(http.StatusTooManyRequests, "").WithHeader("Retry-After", "60"))
	taken := bundlertest.NewServer(t, bundlertest.Config{})
	b.On("eth_sendUserOperation", bundlertest.Compute(func(ctx context.Context, request bundlertest.Request) (any, error) {
		var op userop.Operation
		if err := json.Unmarshal(request.Params[0], &op); err != nil {
			return nil, err
		}
		if op.MaxFeePerGas.Uint64() < demanded {
			return nil, coded{-32602, "maxFeePerGas must be at least 2000000000"}
		}
		return bundler.New(taken.URL()).SendUserOperation(ctx, &op, entryPoint)
	}))
	sender := newSender(t, pool)
	_, err := sender.Send(t.Context(), draft(1))
	require.ErrorContains(t, err, "b: bundler: eth_sendUserOperation: maxFeePerGas must be at least 2000000000")
	require.False(t, userop.MayBeAccepted(err))
	pending, err := sender.Send(t.Context(), draft(1))
	require.NoError(t, err)
	require.Equal(t, "b", pending.Bundler())
	require.EqualValues(t, demanded, pending.Operation().MaxFeePerGas.Uint64())
	require.Len(t, taken.Sent(), 1)
}

type coded struct {
	code int
	text string
}

func (c coded) Error() string  { return c.text }
func (c coded) ErrorCode() int { return c.code }

// Who answered is in the log, and no key.
func TestPoolLogsWhoAnswered(t *testing.T) {
	a, b := bundlertest.NewServer(t, bundlertest.Config{}), bundlertest.NewServer(t, bundlertest.Config{})
	require.NoError(t, a.Close())
	var log bytes.Buffer
	one, two := bundler.New(a.URL()+"/v2/k-123456"), bundler.New(b.URL()+"/v2/k-123456")
	defer one.Close()
	defer two.Close()
	pool := newPool(t, bundler.PoolConfig{
		Members: []bundler.Member{{Bundler: one}, {Bundler: wrapper{two}}},
		Logger:  slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	hash, err := pool.SendUserOperation(t.Context(), operation(), entryPoint)
	require.NoError(t, err)
	host := strings.TrimPrefix(b.URL(), "http://")
	require.Equal(t, host, pool.TakenBy(hash))
	require.Contains(t, log.String(), "member="+host+" what=eth_sendUserOperation\n")
	require.Contains(t, log.String(), "level=WARN")
	require.Equal(t, "bundlers "+strings.TrimPrefix(a.URL(), "http://")+", "+host, pool.String())
	require.NotContains(t, log.String()+fmt.Sprintf("%v %+v %#v", pool, pool, pool), "k-123456")
}

// Whichever bundlers die and come back, an operation that is sent until it is taken is taken, as the same
// bytes, and a dead one is not asked for each.
func TestPoolOfBundlersThatDieAndComeBack(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 13))
			landed := make(map[common.Hash]int)
			var fakes []*fake
			var all []userop.Bundler
			for range 3 {
				f := &fake{landed: make(map[common.Hash]int)}
				fakes, all = append(fakes, f), append(all, identified{f})
			}
			pool := newPool(t, bundler.PoolConfig{Members: members(all...)})
			for n := range uint64(200) {
				if n%20 == 0 {
					for _, f := range fakes {
						if f.outOfGas = nil; random.IntN(2) == 0 {
							f.outOfGas = func() error { return passing{delivered: true} }
						}
						f.asked = nil
					}
				}
				op := operation()
				op.Nonce = *uint256.NewInt(n)
				hash := op.Hash(entryPoint, chainID)
				_, err := pool.SendUserOperation(t.Context(), op, entryPoint)
				for tries := 0; err != nil && tries < 3; tries++ {
					time.Sleep(time.Second)
					_, err = pool.SendUserOperation(t.Context(), op, entryPoint)
				}
				if err == nil {
					landed[hash]++
					require.NotEmpty(t, pool.TakenBy(hash))
				}
				time.Sleep(200 * time.Millisecond)
				if n%20 == 19 {
					for i, f := range fakes {
						if f.outOfGas != nil {
							require.LessOrEqual(t, f.count(), 20, "member %d", i)
						}
					}
				}
			}
			for hash := range landed {
				taken := 0
				for _, f := range fakes {
					taken += f.landed[hash]
				}
				require.Equal(t, 1, taken)
			}
		})
	}
}

func ExamplePool() {
	first := service(map[string]string{}) // it has no method at all
	second := service(map[string]string{
		"eth_chainId":              `"result":"0x13882"`,
		"eth_supportedEntryPoints": `"result":["0x5FF137D4b0FDCD49DcA30c7CF57E578a026d2789"]`,
		"eth_sendUserOperation":    `"error":{"code":-32602,"message":"Operation already known"}`,
	})
	defer first.Close()
	defer second.Close()
	pool, err := bundler.NewPool(bundler.PoolConfig{
		ChainID: 80002,
		Members: []bundler.Member{
			{Name: "ours", Bundler: bundler.New(first.URL + "/api-key")}, // named by its host without a Name
			{Name: "theirs", Bundler: bundler.New(second.URL + "/api-key")},
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	// account.Config has it as its Bundler. What it took, and who did:
	hash, err := pool.SendUserOperation(context.Background(), operation(), entryPoint)
	fmt.Println(pool.TakenBy(hash), err)
	// Output: theirs <nil>
}
