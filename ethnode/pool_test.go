package ethnode_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/ethnode"
	"github.com/go-sesame/sesame/userop"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var _ account.Chain = (*ethnode.Pool)(nil)

// fake is a node in memory.
type fake struct {
	mu    sync.Mutex
	id    int64
	head  uint64
	rises bool // a block a second, since begun
	begun time.Time
	err   error
	asked map[string]int
	logs  []types.Log
}

func newFake(head uint64) *fake { return &fake{id: 80002, head: head, asked: make(map[string]int)} }

func (f *fake) note(what string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked[what]++
	return f.err
}

func (f *fake) set(change func(*fake)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

func (f *fake) count(what string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked[what]
}

func (f *fake) ChainID(context.Context) (*big.Int, error) { return big.NewInt(f.id), f.note("chain") }

func (f *fake) CodeAt(context.Context, common.Address, *big.Int) ([]byte, error) {
	return []byte{1}, f.note("code")
}

func (f *fake) CallContract(context.Context, ethereum.CallMsg, *big.Int) ([]byte, error) {
	return []byte{2}, f.note("call")
}

func (f *fake) BlockNumber(context.Context) (uint64, error) {
	err := f.note("head")
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.rises {
		return f.head + uint64(time.Since(f.begun)/time.Second), err
	}
	return f.head, err
}

func (f *fake) FilterLogs(context.Context, ethereum.FilterQuery) ([]types.Log, error) {
	return f.logs, f.note("logs")
}

func (f *fake) HeaderByNumber(context.Context, *big.Int) (*types.Header, error) {
	return &types.Header{}, f.note("header")
}

func (f *fake) SuggestGasTipCap(context.Context) (*big.Int, error) {
	return big.NewInt(1), f.note("tip")
}

func (f *fake) SuggestGasPrice(context.Context) (*big.Int, error) {
	return big.NewInt(2), f.note("price")
}

func newPool(t *testing.T, cfg ethnode.PoolConfig, nodes ...*fake) *ethnode.Pool {
	t.Helper()
	cfg.ChainID = 80002
	for i, node := range nodes {
		cfg.Members = append(cfg.Members, ethnode.Member{Name: string(rune('a' + i)), Node: node})
	}
	pool, err := ethnode.NewPool(cfg)
	require.NoError(t, err)
	return pool
}

// coded is an answer of a node that is an error.
type coded struct {
	code int
	text string
}

func (c coded) Error() string  { return c.text }
func (c coded) ErrorCode() int { return c.code }

// What the chain says is an answer; what a node fails with, or lacks, is asked of the next.
func TestPoolGoesOnByKind(t *testing.T) {
	for _, test := range []struct {
		err        error
		call, logs bool // whether the next is asked
	}{
		{coded{3, "execution reverted"}, false, true},
		{coded{-32000, "execution reverted: no"}, false, true},
		{coded{-32000, "out of gas"}, false, true},
		{coded{-32602, "invalid argument"}, false, true},
		{coded{-32000, "header not found"}, true, true},
		{coded{-32000, "missing trie node 1234"}, true, true},
		{coded{-32005, "limit exceeded"}, true, true},
		{coded{429, "slow down"}, true, true},
		{coded{-32601, "the method eth_call does not exist"}, true, true},
		{coded{-32000, "block range is too wide"}, false, true},
		{errors.New("401 Unauthorized: who?"), true, true},
		{errors.New("404 Not Found"), true, true},
		{errors.New("503 Service Unavailable"), true, true},
		{ethereum.NotFound, true, true},
		{json.Unmarshal([]byte("<"), new(any)), true, true},
	} {
		a, b := newFake(100), newFake(100)
		pool := newPool(t, ethnode.PoolConfig{}, a, b)
		_, err := pool.BlockNumber(t.Context())
		require.NoError(t, err)
		a.err = test.err
		_, err = pool.CallContract(t.Context(), ethereum.CallMsg{}, nil)
		require.Equal(t, test.call, b.count("call") == 1, "%v", test.err)
		if test.call {
			require.NoError(t, err)
		} else {
			require.Equal(t, test.err, err, "as the node told it")
		}
		_, err = pool.FilterLogs(t.Context(), ethereum.FilterQuery{})
		require.Equal(t, test.logs, err == nil, "%v", test.err)
		require.Equal(t, 1, b.count("logs"), "%v", test.err)
	}
}

// All reads are of one node, as long as it answers.
func TestPoolReadsFromOneNode(t *testing.T) {
	a, b := newFake(100), newFake(110)
	pool := newPool(t, ethnode.PoolConfig{}, a, b)
	ctx := t.Context()
	id, err := pool.ChainID(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 80002, id.Int64())
	for range 5 {
		_, err = pool.CodeAt(ctx, common.Address{}, nil)
		require.NoError(t, err)
		_, err = pool.HeaderByNumber(ctx, nil)
		require.NoError(t, err)
		_, err = pool.SuggestGasTipCap(ctx)
		require.NoError(t, err)
		_, err = pool.SuggestGasPrice(ctx)
		require.NoError(t, err)
		head, err := pool.BlockNumber(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 100, head)
	}
	require.Equal(t, map[string]int{"chain": 1, "head": 1}, b.asked, "to know it, and how far it is")
	a.err = errors.New("503 Service Unavailable")
	for range 20 {
		_, err = pool.CallContract(ctx, ethereum.CallMsg{}, nil)
		require.NoError(t, err)
	}
	require.Equal(t, 20, b.count("call"))
	require.LessOrEqual(t, a.count("call"), 3)
}

// A node that is far behind the others, or goes back, comes last until it has caught up.
func TestPoolPrefersNodesThatKeepUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newFake(1000), newFake(1000)
		a.rises, b.rises, a.begun, b.begun = true, true, time.Now(), time.Now()
		pool := newPool(t, ethnode.PoolConfig{MaxLag: 10}, a, b)
		call := func() (byA, byB int) {
			byA, byB = a.count("call"), b.count("call")
			_, err := pool.CallContract(t.Context(), ethereum.CallMsg{}, nil)
			require.NoError(t, err)
			return a.count("call") - byA, b.count("call") - byB
		}
		byA, byB := call()
		require.Equal(t, [2]int{1, 0}, [2]int{byA, byB})
		a.set(func(f *fake) { f.rises = false }) // it stands still
		for range 30 {
			time.Sleep(time.Second)
			byA, byB = call()
		}
		require.Equal(t, [2]int{0, 1}, [2]int{byA, byB})
		require.Less(t, a.count("head")+b.count("head"), 12)
		a.set(func(f *fake) { f.rises = true })
		time.Sleep(11 * time.Second)
		byA, byB = call()
		require.Equal(t, [2]int{1, 0}, [2]int{byA, byB}, "it has caught up")

		a.set(func(f *fake) { f.rises, f.head = false, 20 }) // it goes back
		_, err := pool.BlockNumber(t.Context())
		require.NoError(t, err)
		byA, byB = call()
		require.Equal(t, [2]int{0, 1}, [2]int{byA, byB})
		b.set(func(f *fake) { f.err = errors.New("503 Service Unavailable") })
		byA, _ = call()
		require.Equal(t, 1, byA, "better one that lags than none")
	})
}

// Who goes away while all are asked for their newest block does not bring back a node that lags, nor keep the
// others from knowing it.
func TestPoolOfACallerThatGoesAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newFake(20), newFake(1000)
		for _, node := range []*fake{a, b} {
			node.err = context.Canceled
		}
		pool := newPool(t, ethnode.PoolConfig{MaxLag: 10}, a, b)
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := pool.CodeAt(gone, common.Address{}, nil)
		require.Error(t, err)
		for _, node := range []*fake{a, b} {
			node.set(func(f *fake) { f.err = nil })
		}
		before := a.count("code")
		_, err = pool.CodeAt(t.Context(), common.Address{}, nil)
		require.NoError(t, err)
		require.Equal(t, before, a.count("code"), "it lags")
	})
	synctest.Test(t, func(t *testing.T) {
		a, b := newFake(20), newFake(1000)
		pool := newPool(t, ethnode.PoolConfig{MaxLag: 10}, a, b)
		_, err := pool.CodeAt(t.Context(), common.Address{}, nil)
		require.NoError(t, err)
		require.Zero(t, a.count("code"))
		time.Sleep(time.Minute)
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		for _, node := range []*fake{a, b} {
			node.set(func(f *fake) { f.err = context.Canceled })
		}
		_, err = pool.CodeAt(gone, common.Address{}, nil)
		require.Error(t, err)
		for _, node := range []*fake{a, b} {
			node.set(func(f *fake) { f.err = nil })
		}
		before := a.count("code")
		_, err = pool.CodeAt(t.Context(), common.Address{}, nil)
		require.NoError(t, err)
		require.Equal(t, before, a.count("code"), "it lags still")
	})
}

// A node without the blocks is not believed that there are no logs in them.
func TestPoolLogsAreOfNodesThatHaveTheBlocks(t *testing.T) {
	a, b := newFake(100), newFake(105)
	b.logs = []types.Log{{Index: 7}}
	pool := newPool(t, ethnode.PoolConfig{}, a, b)
	query := ethereum.FilterQuery{FromBlock: big.NewInt(90), ToBlock: big.NewInt(105)}
	logs, err := pool.FilterLogs(t.Context(), query)
	require.NoError(t, err)
	require.Equal(t, b.logs, logs)
	require.Zero(t, a.count("logs"))
	query.ToBlock = big.NewInt(100)
	logs, err = pool.FilterLogs(t.Context(), query)
	require.NoError(t, err)
	require.Empty(t, logs)
	require.Equal(t, 1, a.count("logs"))
	query.ToBlock = big.NewInt(200)
	_, err = pool.FilterLogs(t.Context(), query)
	require.EqualError(t, err, "none of 2 nodes will do: a: it is at block 100 and does not have block 200 yet; b: it is at block 105 and does not have block 200 yet")
	a.head = 200
	_, err = pool.FilterLogs(t.Context(), query)
	require.NoError(t, err)
}

// A node of another chain is never read, and one that cannot be asked not until it answers.
func TestPoolChecksEachChain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newFake(100), newFake(100)
		a.id, b.err = 5, errors.New("503 Service Unavailable")
		pool := newPool(t, ethnode.PoolConfig{}, a, b)
		for range 10 {
			_, err := pool.CallContract(t.Context(), ethereum.CallMsg{}, nil)
			require.ErrorIs(t, err, userop.ErrWrongChain)
			require.ErrorContains(t, err, "it serves chain 5, this pool is for chain 80002; b: ")
			require.ErrorContains(t, err, "503 Service Unavailable")
		}
		require.LessOrEqual(t, b.count("chain"), 2)
		b.set(func(f *fake) { f.err = nil })
		time.Sleep(time.Minute)
		_, err := pool.CallContract(t.Context(), ethereum.CallMsg{}, nil)
		require.NoError(t, err)
		require.Zero(t, a.count("call")+a.count("head"))
	})
}

// node is a server of a node that answers so, and counts.
func node(t *testing.T, head string, down func() bool) (url string, asked func() int) {
	t.Helper()
	var mu sync.Mutex
	n := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		n++
		mu.Unlock()
		if down() {
			w.Header().Set("Retry-After", "1800")
			http.Error(w, "no "+r.URL.Path, http.StatusTooManyRequests)
			return
		}
		answer(w, r, head)
	}))
	t.Cleanup(server.Close)
	return server.URL + "/v2/" + key, func() int {
		mu.Lock()
		defer mu.Unlock()
		return n
	}
}

// answer is what any node says.
func answer(w http.ResponseWriter, r *http.Request, head string) {
	var request struct {
		ID     json.RawMessage
		Method string
	}
	_ = json.NewDecoder(r.Body).Decode(&request)
	result := map[string]string{"eth_chainId": `"0x13882"`, "eth_blockNumber": `"` + head + `"`, "eth_getCode": `"0x60"`}[request.Method]
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":%s}`, request.ID, result)
}

// By their URLs, nodes are named by their hosts; one that asks to be left alone is, and no key is told.
func TestPoolOfURLs(t *testing.T) {
	down := true
	busy, asked := node(t, "0x10", func() bool { return down })
	well, _ := node(t, "0x12", func() bool { return false })
	pool, err := ethnode.NewPool(ethnode.PoolConfig{ChainID: 80002, Members: []ethnode.Member{{URL: busy}, {URL: well, Name: "ours"}}})
	require.NoError(t, err)
	defer pool.Close()
	for range 20 {
		head, err := pool.BlockNumber(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 0x12, head)
	}
	require.Equal(t, 1, asked())
	host := strings.TrimSuffix(strings.TrimPrefix(busy, "http://"), "/v2/"+key)
	require.Equal(t, "nodes "+host+", ours", pool.String())

	alone, err := ethnode.NewPool(ethnode.PoolConfig{ChainID: 80002, Members: []ethnode.Member{{URL: busy}}})
	require.NoError(t, err)
	defer alone.Close()
	for range 2 {
		_, err = alone.BlockNumber(t.Context())
		require.ErrorContains(t, err, "node "+host+": ")
		require.ErrorContains(t, err, "429 Too Many Requests")
		require.NotContains(t, fmt.Sprintf("%+v %v %#v", err, alone, alone), key)
		var failed *ethnode.PoolError
		require.ErrorAs(t, err, &failed)
		require.Greater(t, failed.RetryDelay(), 29*time.Minute)
	}
	require.Equal(t, 2, asked())

	for want, cfg := range map[string]ethnode.PoolConfig{
		"without a ChainID":                       {},
		"no node is named":                        {ChainID: 1},
		"member 1 has to have a URL or a Node":    {ChainID: 1, Members: []ethnode.Member{{}}},
		"member 2: ethnode: the node's URL names": {ChainID: 1, Members: []ethnode.Member{{URL: well}, {URL: "http:///" + key}}},
		"a negative duration":                     {ChainID: 1, Members: []ethnode.Member{{URL: well}}, Times: ethnode.Times{Total: -1}},
	} {
		_, err := ethnode.NewPool(cfg)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), key)
	}
}

func ExamplePool() {
	down := httptest.NewServer(http.NotFoundHandler())
	defer down.Close()
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { answer(w, r, "0x10") }))
	defer up.Close()
	pool, err := ethnode.NewPool(ethnode.PoolConfig{
		ChainID: 80002,
		Members: []ethnode.Member{{URL: down.URL + "/api-key"}, {URL: up.URL + "/api-key"}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer pool.Close()
	// account.Config has it as its Chain.
	fmt.Println(pool.BlockNumber(context.Background()))
	// Output: 16 <nil>
}
