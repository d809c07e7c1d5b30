package account_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/paymaster"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// mostFrames is how many functions of this module a request may go through, from Account.Send to
// http.Client.Do or to a method of account.Chain.
const mostFrames = 9

// frames is an http.RoundTripper that keeps, for each JSON-RPC method, the longest way to it through the
// functions of this module. For the methods of a [framesChain] it keeps the same.
type frames struct {
	mu      sync.Mutex
	deepest map[string][]string
	seen    map[string]bool // the functions on any way
	// answers, where there are some for a method, come instead of the service's.
	answers map[string][]func() (*http.Response, error)
}

// script sets what answers the next requests of a method, in place of the service.
func (f *frames) script(method string, answers ...func() (*http.Response, error)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answers[method] = answers
}

func (f *frames) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var request struct{ Method string }
	if err := json.Unmarshal(body, &request); err != nil {
		return nil, err
	}
	f.note(request.Method)
	if answer := f.next(request.Method); answer != nil {
		return answer()
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return http.DefaultTransport.RoundTrip(r)
}

// next is the answer that comes in place of the service's, nil for none.
func (f *frames) next(method string) (answer func() (*http.Response, error)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if answers := f.answers[method]; len(answers) > 0 {
		answer, f.answers[method] = answers[0], answers[1:]
	}
	return answer
}

// note keeps the way to here, if it is the longest one to that method.
func (f *frames) note(method string) {
	way := wayFromSend()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, name := range way {
		f.seen[name] = true
	}
	if len(way) > len(f.deepest[method]) {
		f.deepest[method] = way
	}
}

// passed is whether a request came by a function. Who watches may ask while a test looks.
func (f *frames) passed(function string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.seen[function]
}

// way is the longest one to a method, from Send on.
func (f *frames) way(method string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.deepest[method] // which is replaced whole
}

// framesChain is a chain that counts the frames to what is read of it.
type framesChain struct {
	*ethclient.Client
	f *frames
}

func (c framesChain) ChainID(ctx context.Context) (*big.Int, error) {
	c.f.note("Chain.ChainID")
	return c.Client.ChainID(ctx)
}

func (c framesChain) CodeAt(ctx context.Context, account common.Address, block *big.Int) ([]byte, error) {
	c.f.note("Chain.CodeAt")
	return c.Client.CodeAt(ctx, account, block)
}

func (c framesChain) CallContract(ctx context.Context, call ethereum.CallMsg, block *big.Int) ([]byte, error) {
	method := "Chain.CallContract"
	if call.To == nil {
		method += ", batched"
	}
	c.f.note(method)
	return c.Client.CallContract(ctx, call, block)
}

func (c framesChain) BlockNumber(ctx context.Context) (uint64, error) {
	c.f.note("Chain.BlockNumber")
	return c.Client.BlockNumber(ctx)
}

func (c framesChain) FilterLogs(ctx context.Context, query ethereum.FilterQuery) ([]types.Log, error) {
	c.f.note("Chain.FilterLogs")
	return c.Client.FilterLogs(ctx, query)
}

// wayFromSend lists the functions of this module from Send down to here, across goroutines, as frames of the
// stack; nil where Send is not on the way.
func wayFromSend() []string {
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	goroutines := map[string][]string{} // their lines, by number
	var current string
	for _, text := range strings.Split(string(stacks), "\n\n") {
		lines := strings.Split(text, "\n")
		number := strings.Fields(lines[0])[1]
		goroutines[number] = lines[1:]
		if current == "" {
			current = number // the one that asks is the first
		}
	}
	var way []string
	for creator := ""; current != ""; {
		names, met, by, parent := ours(goroutines[current], creator)
		if len(way) > 0 && !met {
			names = fromWhereItBegan(names, way[len(way)-1])
		}
		way, creator, current = append(way, names...), by, parent
	}
	send := slices.IndexFunc(way, func(name string) bool { return sendFunc.MatchString(name) })
	if send < 0 {
		return nil
	}
	way = way[:send+1]
	slices.Reverse(way)
	return way
}

var (
	sendFunc  = regexp.MustCompile(`^account\.\(\*(Owned)?Account\)\.Send$`)
	createdBy = regexp.MustCompile(`^created by (\S+) in goroutine (\d+)$`)
)

// ours lists the functions of this module in a goroutine's stack, the innermost first, and says which
// function of which goroutine created it. from is the function that created the goroutine looked at before,
// if that is met; what it went on to call meanwhile is not on the way.
func ours(lines []string, from string) (names []string, met bool, creator, parent string) {
	const module = "github.com/go-sesame/sesame/"
	for i := 0; i+1 < len(lines); i += 2 { // a function, then its place
		if m := createdBy.FindStringSubmatch(lines[i]); m != nil {
			return names, met, m[1], m[2]
		}
		name := lines[i]
		if args := strings.LastIndex(name, "("); args >= 0 {
			name = name[:args]
		}
		if name == from {
			names, met = nil, true
		}
		if strings.HasPrefix(name, module) && !strings.Contains(lines[i+1], "_test.go:") {
			names = append(names, strings.TrimPrefix(name, module))
		}
	}
	return names, met, "", ""
}

// fromWhereItBegan leaves out what a goroutine called since it began another one, of which began is the
// outermost function, where the creator that the stack names has returned by now, as another module's group
// of goroutines: of a closure, the function that it is written in began it.
func fromWhereItBegan(names []string, began string) []string {
	at := slices.IndexFunc(names, func(name string) bool { return strings.HasPrefix(began, name+".") })
	return names[max(0, at):]
}

// framesWorld is a world whose services count frames.
func framesWorld(t *testing.T) (*world, *frames, *http.Client) {
	t.Helper()
	f := &frames{deepest: map[string][]string{}, seen: map[string]bool{}, answers: map[string][]func() (*http.Response, error){}}
	w := newWorld(t)
	w.grant(t, []policy.Policy{w.nftPolicy()}, account.ForBatches())
	w.fund(t, 1)
	w.giveTokens(t, w.chain.Contracts.Token6, 100_000_000)
	return w, f, &http.Client{Transport: f}
}

// framesClient is a client that knows nothing yet, as a process that has just begun.
func (w *world) framesClient(t *testing.T, counted *http.Client, paymaster userop.Paymaster) *account.Client {
	t.Helper()
	w.config.Chain = framesChain{w.chain.Client(), counted.Transport.(*frames)}
	w.config.Bundler = bundler.New(w.bundler.URL(), bundler.WithHTTPClient(counted))
	w.config.Paymaster = paymaster
	return w.clientWith(t, account.Contracts{})
}

func TestFewFramesFromSendToTheServices(t *testing.T) {
	w, f, counted := framesWorld(t)
	biconomy := paymaster.New(w.paymaster.URL(), paymaster.WithHTTPClient(counted))
	standard := paymaster.NewERC7677(w.paymaster.URL(), nil, paymaster.WithHTTPClient(counted))
	sess, err := session.Open(t.Context(), w.store, w.owner.Ref())
	require.NoError(t, err)
	calls := []account.Call{w.mint(t, w.owner.Address())}
	withSession := account.WithSession(sess.Leaf(0))
	fixed := account.WithGas(userop.Gas{
		CallGasLimit: *uint256.NewInt(300_000), VerificationGasLimit: *uint256.NewInt(500_000), PreVerificationGas: *uint256.NewInt(100_000),
	})
	margins := account.WithMargins(userop.Margins{CallGasLimit: 10})
	token := account.PayWith(quote(t, w.owner, w.chain.Contracts.Token6, calls, account.ApproveExact()))

	for name, test := range map[string]struct {
		paymaster userop.Paymaster
		owner     bool
		opts      []account.Option
	}{
		"session, sponsored":                     {biconomy, false, []account.Option{withSession, account.Sponsored()}},
		"session, sponsored, fixed limits":       {biconomy, false, []account.Option{withSession, account.Sponsored(), fixed}},
		"session, sponsored, margins":            {biconomy, false, []account.Option{withSession, account.Sponsored(), margins}},
		"session, self-paid":                     {biconomy, false, []account.Option{withSession}},
		"session, batch":                         {biconomy, false, []account.Option{withSession, account.AsBatch(), account.Sponsored()}},
		"session, ERC-7677":                      {standard, false, []account.Option{withSession, account.Sponsored()}},
		"session, ERC-7677, fixed limits":        {standard, false, []account.Option{withSession, account.Sponsored(), fixed}},
		"session found, self-paid if it must be": {biconomy, false, []account.Option{account.WithLeafOf(sess), account.SponsoredOrSelf()}},
		"owner, sponsored":                       {biconomy, true, []account.Option{account.Sponsored()}},
		"owner, self-paid":                       {biconomy, true, nil},
		"owner, ERC-7677":                        {standard, true, []account.Option{account.Sponsored()}},
		"owner, token":                           {biconomy, true, []account.Option{token, account.ApproveExact()}},
	} {
		t.Run(name, func(t *testing.T) {
			client := w.framesClient(t, counted, test.paymaster)
			send := client.Account(w.owner.Address()).Send
			if test.owner {
				send = client.OwnedAccount(account.KeyOwner(w.ownerKey)).Send
			}
			tx, err := send(t.Context(), calls, test.opts...)
			require.NoError(t, err)
			_, err = tx.Wait(t.Context())
			require.NoError(t, err)
		})
	}

	t.Run("a lane is waited for", func(t *testing.T) {
		client := w.framesClient(t, counted, biconomy)
		lanes := client.NewLanes(account.LanesConfig{Size: 1, Leaser: w.store})
		for range 2 { // nobody waits for the first operation: the second has to ask what became of it
			_, err := client.Account(w.owner.Address()).Send(t.Context(), calls, withSession, account.Sponsored(), account.InLane(lanes))
			require.NoError(t, err)
		}
		require.True(t, f.passed("account.(*lanePool).poll"))
		require.NoError(t, lanes.Close(t.Context()))
	})

	t.Run("a lane is waited for, and nothing lands", func(t *testing.T) {
		client := w.framesClient(t, counted, biconomy)
		lanes := client.NewLanes(account.LanesConfig{Size: 1})
		w.bundler.Pause()
		defer w.bundler.Resume()
		send := func(ctx context.Context) error {
			_, err := client.Account(w.owner.Address()).Send(ctx, calls, withSession, account.Sponsored(), account.InLane(lanes))
			return err
		}
		require.NoError(t, send(t.Context()))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var asked sync.WaitGroup // the bundler is asked after two seconds, in both vendors' forms
		for _, method := range []string{"biconomy_getUserOperationStatus", "pimlico_getUserOperationStatus"} {
			asked.Add(1)
			f.script(method, func() (*http.Response, error) {
				asked.Done()
				asked.Wait()
				cancel()
				return nil, io.ErrUnexpectedEOF
			})
		}
		require.ErrorIs(t, send(ctx), context.Canceled)
		require.NoError(t, lanes.Close(t.Context()))
	})

	t.Run("a lane in doubt", func(t *testing.T) {
		client := w.framesClient(t, counted, biconomy)
		lanes := client.NewLanes(account.LanesConfig{Size: 1})
		send := func() error {
			_, err := client.Account(w.owner.Address()).Send(t.Context(), calls, withSession, account.Sponsored(), account.InLane(lanes))
			return err
		}
		lost := func() (*http.Response, error) { return nil, io.ErrUnexpectedEOF }
		f.script("eth_sendUserOperation", lost, lost, lost)
		require.True(t, userop.MayBeAccepted(send()))
		f.script("eth_sendUserOperation", func() (*http.Response, error) { // of the one in doubt
			body := `{"error":{"code":-32500,"message":"AA25 invalid account nonce"}}`
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}, nil
		})
		require.NoError(t, send())
		require.True(t, f.passed("userop.(*run).settle"))
		require.NoError(t, lanes.Close(t.Context()))
	})

	t.Run("a refusal after a lost answer", func(t *testing.T) {
		f.script("eth_sendUserOperation",
			func() (*http.Response, error) { return nil, io.ErrUnexpectedEOF },
			func() (*http.Response, error) {
				body := `{"error":{"code":-32500,"message":"AA25 invalid account nonce"}}`
				return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}, nil
			})
		user := w.framesClient(t, counted, biconomy).Account(w.owner.Address())
		_, err := user.Send(t.Context(), calls, withSession, account.Sponsored())
		require.True(t, userop.MayBeAccepted(err))
	})

	t.Run("a refusal for a nonce that is used", func(t *testing.T) {
		user := w.framesClient(t, counted, biconomy).Account(w.owner.Address())
		_, err := user.Send(t.Context(), calls, withSession, account.Sponsored(), fixed, account.WithNonce(new(uint256.Int)))
		require.Error(t, err)
		f.script("eth_sendUserOperation", func() (*http.Response, error) {
			body := `{"error":{"code":-32500,"message":"AA25 invalid account nonce"}}`
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}, nil
		})
		w.fund(t, 1)
		_, err = user.Send(t.Context(), calls, withSession, fixed, account.WithNonce(new(uint256.Int)))
		require.ErrorIs(t, err, userop.ErrReplaced)
		require.False(t, userop.MayBeAccepted(err))
	})

	for _, method := range []string{
		"eth_chainId", "eth_supportedEntryPoints", "biconomy_getGasFeeValues", "pimlico_getUserOperationGasPrice",
		"pm_sponsorUserOperation", "pm_getPaymasterStubData", "pm_getPaymasterData",
		"eth_estimateUserOperationGas", "eth_sendUserOperation", "eth_getUserOperationReceipt",
		"biconomy_getUserOperationStatus", "pimlico_getUserOperationStatus",
		"Chain.ChainID", "Chain.CodeAt", "Chain.CallContract", "Chain.CallContract, batched",
		"Chain.BlockNumber", "Chain.FilterLogs",
	} {
		way := f.way(method)
		require.NotEmpty(t, way, method)
		report := fmt.Sprintf("%s: %d frames: %s", method, len(way), strings.Join(way, " → "))
		t.Log(report)
		require.LessOrEqual(t, len(way), mostFrames, report)
	}
}

// What began a goroutine may be further on by now.
func TestTheWayFromSendLeavesOutWhatCameAfter(t *testing.T) {
	now := []string{"userop.(*run).identities", "userop.(*run).checks", "userop.(*run).prepare", "userop.(*Sender).Send"}
	require.Equal(t, now[2:], fromWhereItBegan(now, "userop.(*run).prepare.readInto[...].func3"))
	require.Equal(t, now[1:], fromWhereItBegan(now, "userop.(*run).checks.func1"))
	require.Equal(t, now, fromWhereItBegan(now, "userop.(*watcher).run"))
}

// The measure counts what it should: each function once, also across a goroutine.
func TestTheWayFromSendGoesAcrossGoroutines(t *testing.T) {
	w, f, counted := framesWorld(t)
	user := w.framesClient(t, counted, w.config.Paymaster).Account(w.owner.Address())
	_, err := user.Send(t.Context(), []account.Call{{To: stranger}}, account.WithSigner(w.owner.Signer()))
	require.NoError(t, err)
	service, node := f.way("eth_chainId"), f.way("Chain.ChainID")
	require.Equal(t, "account.(*Account).Send", service[0])
	require.Equal(t, "userop.(*Sender).Send", service[1])
	require.Equal(t, "internal/jsonrpc.(*Client).Do", service[len(service)-1])
	require.Equal(t, "account.(*Client).checkChainID", node[len(node)-1])
}
