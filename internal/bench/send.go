package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/paymaster"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/userop"
)

// sending are accounts that send, each with a session in memory, through services in another process.
type sending struct {
	services *child
	url      string
	client   *account.Client
	accounts []*account.Account
	leaves   []session.LeafRef
	calls    []account.Call
	closes   []func()
}

// sendingConfig says what is to be ready.
type sendingConfig struct {
	accounts  int
	blockTime time.Duration
	// transport, where there is one, is what all clients use; front, what stands before the services.
	transport http.RoundTripper
	front     func(url string) string
	// client changes the client's configuration.
	client func(c *account.Config, url string)
}

// warm keeps what a client remembers for as long as anything here lasts.
func warm(c *account.Config, _ string) { c.Freshness = time.Hour }

// newSending has accounts ready to send.
func newSending(ctx context.Context, cfg sendingConfig) (s *sending, err error) {
	leaf, err := leafOf(0)
	if err != nil {
		return nil, err
	}
	s = new(sending)
	if s.services, s.url, err = startServices(ctx, servicesQuestion{Root: leaf.Hash(), BlockTime: cfg.blockTime}); err != nil {
		return nil, err
	}
	if cfg.front != nil {
		s.url = cfg.front(s.url)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.client, err = s.newClient(ctx, cfg); err != nil {
		return s, err
	}
	mint, err := call(0)
	if err != nil {
		return s, err
	}
	s.calls = []account.Call{mint}
	store := memstore.New()
	for i := range cfg.accounts {
		user := s.client.Account(numbered(1000 + i))
		if _, err = store.ImportKey(ctx, user.Ref(), sessionKey()); err != nil {
			return s, err
		}
		if err = fill(ctx, store, user.Ref(), 1); err != nil {
			return s, err
		}
		sess, err := session.Open(ctx, store, user.Ref())
		if err != nil {
			return s, err
		}
		s.accounts, s.leaves = append(s.accounts, user), append(s.leaves, sess.Leaf(0))
	}
	return s, nil
}

// newClient makes a client of the services.
func (s *sending) newClient(ctx context.Context, cfg sendingConfig) (*account.Client, error) {
	var sends []bundler.Option
	var pays []paymaster.Option
	pool := tuned()
	s.closes = append(s.closes, pool.CloseIdleConnections)
	toNode := &http.Client{Transport: pool}
	if cfg.transport != nil {
		toNode.Transport = cfg.transport
		sends, pays = append(sends, bundler.WithHTTPClient(toNode)), append(pays, paymaster.WithHTTPClient(toNode))
	}
	conn, err := rpc.DialOptions(ctx, s.url, rpc.WithHTTPClient(toNode))
	if err != nil {
		return nil, err
	}
	send, pay := bundler.New(s.url, sends...), paymaster.New(s.url, pays...)
	s.closes = append(s.closes, conn.Close, send.Close, pay.Close)
	config := account.Config{ChainID: chainID, Chain: ethclient.NewClient(conn), Bundler: send, Paymaster: pay}
	if cfg.client != nil {
		cfg.client(&config, s.url)
	}
	return account.NewClient(config)
}

func (s *sending) close() error {
	for _, end := range s.closes {
		end()
	}
	return s.services.close()
}

// send sends with one of the accounts.
func (s *sending) send(ctx context.Context, n int, opts ...account.Option) (*userop.Pending, error) {
	return s.accounts[n].Send(ctx, s.calls, append(opts, account.WithSession(s.leaves[n]))...)
}

// requests is how many requests the services have got.
func (s *sending) requests() (int64, error) {
	var answer servicesAnswer
	err := s.services.ask(servicesQuestion{Do: "requests"}, &answer)
	return answer.Requests, err
}

const (
	sendsInFlight = 16
	sendsOfOne    = 16 // in a round, each in a lane of its own, so that none waits for the one before
)

// round sends as often as a round does, sponsored and with warm caches, for 16 accounts at once.
func (s *sending) round(ctx context.Context) error {
	lanes := s.client.NewLanes(account.LanesConfig{Size: sendsOfOne})
	err := s.roundIn(ctx, lanes)
	return errors.Join(err, lanes.Close(ctx))
}

func (s *sending) roundIn(ctx context.Context, lanes *account.Lanes) error {
	return together(ctx, sendsInFlight, sendsOfOne, func(ctx context.Context, worker int) error {
		_, err := s.send(ctx, worker, account.Sponsored(), account.InLane(lanes))
		return err
	})
}

// recorder keeps the bodies of the last requests.
type recorder struct {
	http.RoundTripper
	mu     sync.Mutex
	bodies [][]byte
}

func (r *recorder) RoundTrip(request *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	r.bodies = append(r.bodies, body)
	r.mu.Unlock()
	again := request.Clone(request.Context())
	again.Body = io.NopCloser(bytes.NewReader(body))
	return r.RoundTripper.RoundTrip(again)
}

var errNotTwo = errors.New("a warm send in a lane should be two requests")

// record returns what a warm sponsored send asks the services: two requests.
func record(ctx context.Context) ([][]byte, error) {
	pool := tuned()
	defer pool.CloseIdleConnections()
	r := &recorder{RoundTripper: pool}
	s, err := newSending(ctx, sendingConfig{accounts: 1, transport: r, client: warm})
	if err != nil {
		return nil, err
	}
	lanes := s.client.NewLanes(account.LanesConfig{})
	for range 2 {
		r.bodies = nil
		if _, err = s.send(ctx, 0, account.Sponsored(), account.InLane(lanes)); err != nil {
			break
		}
	}
	err = errors.Join(err, lanes.Close(ctx), s.close())
	if err == nil && len(r.bodies) != 2 {
		err = fmt.Errorf("%w: %d", errNotTwo, len(r.bodies))
	}
	return r.bodies, err
}

// measureSend is of a sponsored send with warm caches in a lane, 16 in flight: what it costs this process in
// processor time, beside what it cannot do without, and in allocations.
func measureSend(ctx context.Context, b *bench) (err error) {
	bodies, err := record(ctx)
	if err != nil {
		return err
	}
	s, err := newSending(ctx, sendingConfig{accounts: sendsInFlight, client: warm})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	pool := tuned()
	defer pool.CloseIdleConnections()
	key, client := sessionKey(), &http.Client{Transport: pool}
	bare := func(ctx context.Context, _ int) error {
		for _, body := range bodies {
			if err := post(ctx, client, s.url, body); err != nil {
				return err
			}
		}
		_, err := crypto.Sign(common.Hash{1}.Bytes(), key)
		return err
	}
	const total = sendsInFlight * sendsOfOne
	ours := func(ctx context.Context) error { return s.round(ctx) }
	theirs := func(ctx context.Context) error { return together(ctx, sendsInFlight, sendsOfOne, bare) }
	if err := errors.Join(ours(ctx), theirs(ctx)); err != nil { // caches and connections
		return err
	}
	values, err := interleave(ctx, b.rounds(60), cpuOf(total, ours), cpuOf(total, theirs))
	if err != nil {
		return err
	}
	b.add(row{
		name: "sponsored send, 16 in flight: CPU ÷ 2 bare POSTs and a signature", other: "bare", unit: nanoseconds,
		least: 1.6, want: 1.25,
	}, paired(values[0], values[1]))
	return s.measureAllocations(ctx, b)
}

func (s *sending) measureAllocations(ctx context.Context, b *bench) error {
	const total = sendsInFlight * sendsOfOne
	before, err := s.requests()
	if err != nil {
		return err
	}
	const rounds = 5
	var pairs []pair
	for range rounds {
		lanes := s.client.NewLanes(account.LanesConfig{Size: sendsOfOne})
		var start, end runtime.MemStats
		runtime.ReadMemStats(&start)
		err := s.roundIn(ctx, lanes)
		runtime.ReadMemStats(&end)
		if err = errors.Join(err, lanes.Close(ctx)); err != nil {
			return err
		}
		pairs = append(pairs, pair{ours: float64(end.Mallocs-start.Mallocs) / total})
	}
	after, err := s.requests()
	if err != nil {
		return err
	}
	b.add(row{name: "allocations of a sponsored send, 16 in flight", unit: allocations, least: 300, want: 220}, pairs)
	b.add(row{name: "requests of a sponsored send in a lane", unit: requests, least: 2.1, want: 2}, []pair{{ours: float64(after-before) / (rounds * total)}})
	return nil
}

// post posts bytes and reads the answer to its end.
func post(ctx context.Context, client *http.Client, url string, body []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	_, err = io.ReadAll(response.Body)
	return errors.Join(err, response.Body.Close())
}

// cpuOf is the processor time of this process for each of what do does in total.
func cpuOf(total int, do func(ctx context.Context) error) side {
	return func(ctx context.Context) (float64, error) {
		runtime.GC() // of what the other side left
		before, err := cpuTime()
		if err != nil {
			return 0, err
		}
		if err := do(ctx); err != nil {
			return 0, err
		}
		after, err := cpuTime()
		return float64(after-before) / float64(total), err
	}
}

// versusInFlight is how many sends are under way at once beside the SDK, each of an account of its own.
const versusInFlight = 64

// sendsOfOneVersus are of each account in a round beside the SDK.
const sendsOfOneVersus = 20

// measureVersusSend is of sponsored sends a second, ours and the reference SDK's, through the same services:
// each account sends again as soon as it has an answer. Ours is in lanes, as a backend sends what need not
// wait for each other; the SDK has none, and the form without them is there, too.
func measureVersusSend(ctx context.Context, b *bench) (err error) {
	s, err := newSending(ctx, sendingConfig{accounts: versusInFlight})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	v, err := newVersusAt(ctx, s.url)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, v.close()) }()
	all, root, err := leaves(1)
	if err != nil {
		return err
	}
	file, err := writeSDKFile(v.dir, user, all, root)
	if err != nil {
		return err
	}
	accounts := make([]common.Address, len(s.accounts))
	for i := range accounts {
		accounts[i] = s.accounts[i].Address()
	}
	question := map[string]any{
		"do": "prepareSend", "accounts": accounts, "file": file, "sessionID": all[0].ID,
		"call": map[string]any{"to": s.calls[0].To, "data": fmt.Sprintf("%#x", s.calls[0].Data)},
	}
	if err := v.sdk.ask(question, new(struct{})); err != nil {
		return err
	}
	sends := func(opts ...account.Option) side {
		return inFlight(versusInFlight, sendsOfOneVersus, func(ctx context.Context, worker int) error {
			_, err := s.send(ctx, worker, append(opts[:len(opts):len(opts)], account.Sponsored())...)
			return err
		})
	}
	without := sends()
	inLanes := func(ctx context.Context) (float64, error) {
		lanes := s.client.NewLanes(account.LanesConfig{Size: sendsOfOneVersus})
		took, err := sends(account.InLane(lanes))(ctx)
		return took, errors.Join(err, lanes.Close(ctx))
	}
	theirs := func(context.Context) (float64, error) { return v.sdk.duration("send", 2*versusInFlight) }
	for range 2 {
		for _, warm := range []side{inLanes, without, theirs} {
			if _, err := warm(ctx); err != nil {
				return err
			}
		}
	}
	values, err := interleave(ctx, b.rounds(16), inLanes, without, theirs)
	if err != nil {
		return err
	}
	b.add(row{
		name: "sponsored sends a second, 64 in flight ÷ TypeScript SDK", other: "SDK", unit: nanoseconds,
		least: 15, want: 30, more: true,
	}, paired(values[0], values[2]))
	b.add(row{name: "the same without lanes", other: "SDK", unit: nanoseconds, more: true, free: true}, paired(values[1], values[2]))
	return nil
}
