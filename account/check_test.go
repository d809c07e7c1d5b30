package account_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/bundler/bundlertest"
	"github.com/go-sesame/sesame/ethnode"
	"github.com/go-sesame/sesame/paymaster"
	"github.com/go-sesame/sesame/paymaster/paymastertest"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/userop"
)

// checked returns what a client's check finds, by service.
func checked(t *testing.T, ctx context.Context, cfg account.Config) map[string]error {
	t.Helper()
	client, err := account.NewClient(cfg)
	require.NoError(t, err)
	return failures(t, client.Check(ctx))
}

func failures(t *testing.T, err error) map[string]error {
	t.Helper()
	if err == nil {
		return nil
	}
	var failed *account.CheckError
	require.ErrorAs(t, err, &failed)
	require.Len(t, strings.Split(err.Error(), "\n"), len(failed.Failed)+1, "a line for each")
	all := make(map[string]error)
	for _, f := range failed.Failed {
		require.ErrorIs(t, err, f.Err)
		require.Contains(t, err.Error(), "\n"+f.Service+": ")
		all[f.Service] = f.Err
	}
	return all
}

// Each service that fails is told, whatever the others do.
func TestCheckTellsEachService(t *testing.T) {
	down := errors.New("out of order\nfor now")
	breaks := map[string]func(*accounttest.Model, *memstore.Store){
		"node":      func(m *accounttest.Model, _ *memstore.Store) { m.Chain.Fail(down) },
		"bundler":   func(m *accounttest.Model, _ *memstore.Store) { m.Bundler.Fail(down) },
		"paymaster": func(m *accounttest.Model, _ *memstore.Store) { m.Paymaster.Fail(down) },
		"outbox":    func(_ *accounttest.Model, s *memstore.Store) { _ = s.Close() },
	}
	names := []string{"node", "bundler", "paymaster", "outbox"}
	for set := range 1 << len(names) {
		model, store := accounttest.NewModel(accounttest.ModelConfig{}), memstore.New()
		cfg := model.Config()
		cfg.Outbox = store
		var broken []string
		for i, name := range names {
			if set>>i&1 == 1 {
				breaks[name](model, store)
				broken = append(broken, name)
			}
		}
		found := checked(t, t.Context(), cfg)
		require.Len(t, found, len(broken))
		for _, name := range broken {
			want := down
			if name == "outbox" {
				want = session.ErrClosed
			}
			require.ErrorIs(t, found[name], want)
		}
		for _, r := range model.Bundler.Requests() {
			require.NotEqual(t, "eth_sendUserOperation", r.Method)
		}
	}
}

// otherChain is a chain that says that it is another one, from some time on.
type otherChain struct {
	account.Chain
	id     *big.Int
	err    error
	before func() // once, before the next answer
}

func (c *otherChain) ChainID(ctx context.Context) (*big.Int, error) {
	if before := c.before; before != nil {
		c.before = nil
		before()
	}
	if c.err != nil {
		return nil, c.err
	}
	if c.id != nil {
		return c.id, nil
	}
	return c.Chain.ChainID(ctx)
}

func TestCheckOfWrongServices(t *testing.T) {
	model := accounttest.NewModel(accounttest.ModelConfig{})
	elsewhere := accounttest.NewModel(accounttest.ModelConfig{ChainID: 137})
	cfg := model.Config()
	cfg.Chain, cfg.Bundler = elsewhere.Chain, elsewhere.Bundler
	found := checked(t, t.Context(), cfg)
	require.Len(t, found, 2)
	require.ErrorIs(t, found["node"], userop.ErrWrongChain)
	require.ErrorContains(t, found["node"], "the node serves chain 137, this client is for chain 80002; use the URL of that chain's node, or mend Config.ChainID")
	require.ErrorIs(t, found["bundler"], userop.ErrWrongChain)
	require.ErrorContains(t, found["bundler"], "this client is for chain 80002; use ")

	// A contract that nobody needs may be missing, but not where somebody names it.
	cfg = model.Config()
	cfg.Contracts.Multichain = common.HexToAddress("0x0000000000000000000000000000000000004711")
	cfg.Contracts.Session.Manager = common.HexToAddress("0x0000000000000000000000000000000000004712")
	found = checked(t, t.Context(), cfg)
	require.Len(t, found, 1)
	require.ErrorIs(t, found["contracts"], account.ErrNoContract)
	require.EqualError(t, found["contracts"], "there is no contract: session key manager 0x0000000000000000000000000000000000004712, "+
		"multichain module 0x0000000000000000000000000000000000004711 on chain 80002; name this chain's deployment in Config.Contracts, or use a chain that has one")

	// A bundler that cannot say what it serves is asked for a receipt alone.
	cfg = model.Config()
	cfg.Bundler, cfg.UnidentifiedBundler = mute{model.Bundler}, true
	require.Empty(t, checked(t, t.Context(), cfg))
	model.Bundler.Fail(errors.New("down"))
	require.ErrorContains(t, checked(t, t.Context(), cfg)["bundler"], "down")
}

// mute is a bundler that says nothing of itself.
type mute struct{ userop.Bundler }

// After a check that found another chain nothing is signed before node and bundler say again what they serve.
func TestCheckUndoesWhatIsKnown(t *testing.T) {
	model := accounttest.NewModel(accounttest.ModelConfig{})
	chain := &otherChain{Chain: model.Chain}
	cfg := model.Config()
	cfg.Chain = chain
	client, err := account.NewClient(cfg)
	require.NoError(t, err)
	owner := client.OwnedAccount(account.KeyOwner(accounttest.Key("owner")))
	send := func() error {
		_, err := owner.Send(t.Context(), []account.Call{{To: common.Address{1}}}, account.Sponsored())
		return err
	}
	require.NoError(t, send())
	chain.id = big.NewInt(1)
	require.ErrorIs(t, client.Check(t.Context()), userop.ErrWrongChain)
	require.ErrorIs(t, send(), userop.ErrWrongChain)
	chain.id = nil
	require.NoError(t, client.Check(t.Context()))
	require.NoError(t, send())

	// One that learns nothing of the chain leaves what is known.
	chain.err = errors.New("out of order")
	require.ErrorIs(t, client.Check(t.Context()), chain.err)
	require.NoError(t, send())
	chain.err = nil

	// A send that is under way does not hide what the check finds.
	chain.before = func() {
		require.NoError(t, send())
		chain.id = big.NewInt(1)
	}
	require.ErrorIs(t, client.Check(t.Context()), userop.ErrWrongChain)
	require.ErrorIs(t, send(), userop.ErrWrongChain)
}

// Services that never answer take the time of one, and do not hide what another one fails with.
func TestCheckEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		model := accounttest.NewModel(accounttest.ModelConfig{})
		cfg := model.Config()
		cfg.Chain, cfg.Bundler = hanging{Chain: model.Chain}, hangingBundler{model.Bundler}
		model.Paymaster.Fail(errors.New("out of order"))
		begun := time.Now()
		found := checked(t, t.Context(), cfg)
		require.Less(t, time.Since(begun), 11*time.Second)
		require.Len(t, found, 3)
		require.ErrorIs(t, found["node"], context.DeadlineExceeded)
		require.ErrorIs(t, found["bundler"], context.DeadlineExceeded)
		require.ErrorContains(t, found["paymaster"], "out of order")

		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		begun = time.Now()
		require.Len(t, checked(t, ctx, cfg), 3)
		require.Equal(t, 2*time.Second, time.Since(begun), "the caller's time")
	})
}

type hanging struct{ account.Chain }

func (hanging) ChainID(ctx context.Context) (*big.Int, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

type hangingBundler struct{ *accounttest.ModelBundler }

func (hangingBundler) ChainID(ctx context.Context) (uint64, error) {
	<-ctx.Done()
	return 0, ctx.Err()
}

// A check sends and sponsors nothing, and neither its text nor a log of it has the keys of the services.
func TestCheckOverHTTP(t *testing.T) {
	model := accounttest.NewModel(accounttest.ModelConfig{})
	send, sponsor := bundlertest.NewServer(t, bundlertest.Config{}), paymastertest.NewServer(t, paymastertest.Config{})
	cfg := account.Config{ChainID: 80002, Chain: model.Chain, Bundler: bundler.New(send.URL()), Paymaster: paymaster.New(sponsor.URL())}
	require.Empty(t, checked(t, t.Context(), cfg))
	for method, n := range map[string]int{"eth_chainId": 1, "eth_supportedEntryPoints": 1, "eth_getUserOperationReceipt": 1, "eth_sendUserOperation": 0} {
		require.Equal(t, n, send.Count(method), method)
	}
	require.Equal(t, 1, sponsor.Count("pm_getFeeQuoteOrData"))
	require.Zero(t, sponsor.Count("pm_sponsorUserOperation"))

	gateway := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		http.Error(rw, "no such key: "+r.URL.Path, http.StatusUnauthorized)
	}))
	defer gateway.Close()
	for _, url := range []string{gateway.URL + "/v3/sk-0123456789abcdef", "http://127.0.0.1:1/v3/sk-0123456789abcdef"} {
		node, err := ethnode.Dial(url)
		require.NoError(t, err)
		defer node.Close()
		client, err := account.NewClient(account.Config{ChainID: 80002, Chain: node, Bundler: bundler.New(url), Paymaster: paymaster.New(url)})
		require.NoError(t, err)
		err = client.Check(t.Context())
		require.Len(t, failures(t, err), 3)
		var log strings.Builder
		slog.New(slog.NewJSONHandler(&log, nil)).Warn("x", "error", err)
		require.NotContains(t, err.Error()+log.String(), "0123456789")
		require.Contains(t, log.String(), `"bundler":{"msg":"bundler http://127.0.0.1:`)
	}
}

// A pool that was told once what its members serve asks them whether they are there.
func TestCheckAsksThePools(t *testing.T) {
	model := accounttest.NewModel(accounttest.ModelConfig{})
	times := bundler.Times{Try: time.Second, FirstPause: time.Millisecond, LongestPause: time.Millisecond}
	send := bundlertest.NewServer(t, bundlertest.Config{})
	pool, err := bundler.NewPool(bundler.PoolConfig{ChainID: 80002, Times: times, Members: []bundler.Member{{Bundler: bundler.New(send.URL())}}})
	require.NoError(t, err)
	sponsors, err := paymaster.NewPool(paymaster.PoolConfig{ChainID: 80002, Times: times, Members: []paymaster.Member{{Name: "a", Paymaster: model.Paymaster}}})
	require.NoError(t, err)
	client, err := account.NewClient(account.Config{ChainID: 80002, Chain: model.Chain, Bundler: pool, Paymaster: sponsors})
	require.NoError(t, err)
	require.NoError(t, client.Check(t.Context()))
	for _, method := range []string{"eth_chainId", "eth_supportedEntryPoints", "eth_getUserOperationReceipt"} {
		send.On(method, bundlertest.Fail(-32603, "out of order"))
	}
	model.Paymaster.Fail(errors.New("out of order"))
	found := failures(t, client.Check(t.Context()))
	require.Len(t, found, 2)
	require.ErrorContains(t, found["bundler"], "out of order")
	require.ErrorContains(t, found["paymaster"], "out of order")
}

func ExampleClient_Check() {
	model := accounttest.NewModel(accounttest.ModelConfig{})
	client, err := account.NewClient(model.Config())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(client.Check(context.Background()))
	model.Bundler.Fail(errors.New("bundler: out of order"))
	model.Paymaster.Fail(errors.New("paymaster: out of order"))
	fmt.Println(client.Check(context.Background()))
	// Output:
	// <nil>
	// not ready:
	// bundler: bundler: out of order
	// paymaster: paymaster: out of order
}
