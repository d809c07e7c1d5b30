package paymaster_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/bundler/bundlertest"
	"github.com/go-sesame/sesame/internal/kit"
	"github.com/go-sesame/sesame/internal/testutil"
	"github.com/go-sesame/sesame/paymaster"
	"github.com/go-sesame/sesame/paymaster/paymastertest"
	"github.com/go-sesame/sesame/userop"
)

func newPool(t *testing.T, times paymaster.Times, all ...userop.Paymaster) *paymaster.Pool {
	t.Helper()
	cfg := paymaster.PoolConfig{ChainID: chainID, Times: times}
	for i, p := range all {
		cfg.Members = append(cfg.Members, paymaster.Member{Name: string(rune('a' + i)), Paymaster: p})
		if closer, ok := p.(interface{ Close() }); ok {
			t.Cleanup(closer.Close)
		}
	}
	pool, err := paymaster.NewPool(cfg)
	require.NoError(t, err)
	return pool
}

// twoServices are scripted paymasters, a before b.
func twoServices(t *testing.T) (a, b *paymastertest.Server) {
	t.Helper()
	return paymastertest.NewServer(t, paymastertest.Config{}), paymastertest.NewServer(t, paymastertest.Config{})
}

// What a paymaster says no to is an answer; what it fails with is asked of the next.
func TestPoolGoesOnByKind(t *testing.T) {
	type row struct {
		answer paymastertest.Answer
		next   bool
	}
	rows := map[string]row{
		"a policy":       {paymastertest.Fail(-32602, "Sponsorship policy: the contract is not whitelisted"), false},
		"a user's limit": {paymastertest.Fail(-32602, "Policy user max count exceeded"), false},
		"empty":          {paymastertest.Result(map[string]any{"paymasterAndData": "0x"}), false},
		"AA":             {paymastertest.Fail(-32500, "AA24 signature error"), false},
		"bad request":    {paymastertest.Fail(-32602, "nonce is missing"), false},
		"no gas":         {paymastertest.Fail(-32602, "gas tank is empty, please top up"), true},
		"no deposit":     {paymastertest.Fail(-32508, "paymaster deposit too low"), true},
		"no method":      {paymastertest.Fail(-32601, "Method not found"), true},
		"no key":         {paymastertest.Status(http.StatusUnauthorized, "who?"), true},
		"key in words":   {paymastertest.Fail(-32600, "Invalid API key"), true},
		"404":            {paymastertest.Status(http.StatusNotFound, ""), true},
		"429":            {paymastertest.Status(http.StatusTooManyRequests, "").WithHeader("Retry-After", "3600"), true},
		"503":            {paymastertest.Status(http.StatusServiceUnavailable, ""), true},
		"internal":       {paymastertest.Fail(-32603, "internal error"), true},
		"dropped":        {paymastertest.Drop(), true},
		"garbage":        {paymastertest.Garbage(), true},
	}
	for line := range bytes.Lines(testutil.Cases(t, "services.jsonl")) {
		var c struct {
			ID, Fault, Body string
			Status          int
		}
		require.NoError(t, json.Unmarshal(line, &c))
		if strings.HasPrefix(c.Fault, "10 ") {
			body := strings.ReplaceAll(c.Body, "$ID", "1")
			answer := paymastertest.Body(body)
			if c.Status != http.StatusOK {
				answer = paymastertest.Status(c.Status, body)
			}
			rows[c.ID] = row{answer, false}
		}
	}
	for name, test := range rows {
		a, b := twoServices(t)
		a.On("pm_sponsorUserOperation", test.answer)
		pool := newPool(t, paymaster.Times{}, paymaster.New(a.URL()+"/k-123456"), paymaster.New(b.URL()))
		answer, err := pool.SponsorUserOperation(t.Context(), operation(), request(true))
		require.Equal(t, test.next, b.Count("") == 1, "%s: %v", name, err)
		if test.next {
			require.NoError(t, err, name)
			require.NotEmpty(t, answer.PaymasterAndData, name)
			continue
		}
		var by *paymaster.MemberError
		require.ErrorAs(t, err, &by, name)
		require.Equal(t, "a", by.Member, name)
	}
}

// dataOf is paymasterAndData that tells which paymaster answered.
func dataOf(first byte) hexutil.Bytes { return append(common.Address{first}.Bytes(), 1, 2, 3) }

// standard are scripted paymasters of ERC-7677 whose data are told apart.
func standard(t *testing.T) (a, b *paymastertest.Server, pool *paymaster.Pool) {
	t.Helper()
	a, b = twoServices(t)
	for first, server := range map[byte]*paymastertest.Server{0xa: a, 0xb: b} {
		server.On("pm_getPaymasterStubData", paymastertest.Result(map[string]any{"paymasterAndData": dataOf(first)}))
		server.On("pm_getPaymasterData", paymastertest.Result(map[string]any{"paymasterAndData": dataOf(first)}))
	}
	return a, b, newPool(t, paymaster.Times{FirstPause: time.Hour, LongestPause: time.Hour}, paymaster.NewERC7677(a.URL(), nil), paymaster.NewERC7677(b.URL(), nil))
}

// seal signs anything.
type seal struct{}

func (seal) DummySignature(*userop.Operation) ([]byte, error) { return []byte("dummy"), nil }

func (seal) Sign(_ context.Context, _ *userop.Operation, hash common.Hash) ([]byte, error) {
	return hash[:], nil
}

// send sends a sponsored operation by a scripted bundler.
func send(t *testing.T, pool *paymaster.Pool, nonce uint64) (*userop.Pending, error) {
	t.Helper()
	server := bundlertest.NewServer(t, bundlertest.Config{Vendor: bundlertest.Pimlico})
	client := bundler.New(server.URL())
	t.Cleanup(client.Close)
	sender, err := userop.NewSender(userop.SenderConfig{ChainID: chainID, EntryPoint: entryPoint, Bundler: client, Paymaster: pool})
	require.NoError(t, err)
	return sender.Send(t.Context(), userop.Draft{
		Sender: operation().Sender, CallData: []byte{1, 2, 3, 4}, Signer: seal{}, Sponsored: true,
		Nonce: func(context.Context) (uint256.Int, error) { return *uint256.NewInt(nonce), nil },
	})
}

// A stand-in and the sponsorship after it are one member's, also where it fails between the two: then both
// come from the next one.
func TestPoolDoesNotMixSponsorships(t *testing.T) {
	a, b, pool := standard(t)
	pending, err := send(t, pool, 1)
	require.NoError(t, err)
	require.EqualValues(t, dataOf(0xa), pending.Operation().PaymasterAndData)
	require.Zero(t, b.Count(""))

	a.On("pm_getPaymasterData", paymastertest.Status(http.StatusServiceUnavailable, ""))
	pending, err = send(t, pool, 2)
	require.NoError(t, err)
	require.EqualValues(t, dataOf(0xb), pending.Operation().PaymasterAndData)
	require.Equal(t, 1, b.Count("pm_getPaymasterStubData"), "it began anew")
	require.Equal(t, 1, b.Count("pm_getPaymasterData"))
	var final userop.Operation
	require.NoError(t, json.Unmarshal(b.Requests("pm_getPaymasterData")[0].Params[0], &final))
	require.Equal(t, pending.Operation().Nonce, final.Nonce)
	require.Equal(t, pending.Operation().MaxFeePerGas, final.MaxFeePerGas)
	require.Equal(t, pending.Operation().VerificationGasLimit, final.VerificationGasLimit)

	// A refusal at the end is the answer.
	a, b, pool = standard(t)
	a.On("pm_getPaymasterData", paymastertest.Fail(-32602, "Policy user max count exceeded"))
	_, err = send(t, pool, 3)
	require.ErrorIs(t, err, userop.ErrNotSponsored)
	require.ErrorIs(t, err, paymaster.ErrUserLimit)
	require.Zero(t, b.Count(""))

	// No other one finishes what one began, whoever asks.
	a, b, pool = standard(t)
	op := operation()
	op.VerificationGasLimit, op.PreVerificationGas = uint256.Int{}, uint256.Int{}
	_, err = pool.SponsorUserOperation(t.Context(), op, request(true))
	require.NoError(t, err)
	require.NoError(t, a.Close())
	_, err = pool.SponsorUserOperation(t.Context(), operation(), request(false))
	require.ErrorContains(t, err, "it began the sponsorship of this operation, which another one cannot finish")
	var anew interface{ StartOver() bool }
	require.ErrorAs(t, err, &anew)
	require.True(t, anew.StartOver())
	require.Zero(t, b.Count(""))
	another := operation()
	another.Nonce.SetUint64(77)
	answer, err := pool.SponsorUserOperation(t.Context(), another, request(false))
	require.NoError(t, err, "another operation is another one's")
	require.EqualValues(t, dataOf(0xb), answer.PaymasterAndData)
}

// A quote and the sponsorship in its token are one member's.
func TestPoolKeepsToWhoQuoted(t *testing.T) {
	a, b := twoServices(t)
	clients := []userop.Paymaster{paymaster.New(a.URL()), paymaster.New(b.URL())}
	pool := newPool(t, paymaster.Times{FirstPause: time.Millisecond, LongestPause: 2 * time.Millisecond}, clients...)
	a.On("pm_getFeeQuoteOrData", paymastertest.Status(http.StatusServiceUnavailable, ""))
	quotes, err := pool.FeeQuotes(t.Context(), operation(), userop.QuoteRequest{})
	require.NoError(t, err)
	require.Len(t, quotes.Quotes, 1)
	token := kit.Token6()
	req := request(true)
	req.FeeToken = &token
	time.Sleep(5 * time.Millisecond)
	_, err = pool.SponsorUserOperation(t.Context(), operation(), req)
	require.NoError(t, err)
	require.Zero(t, a.Count("pm_sponsorUserOperation"))
	require.Equal(t, 1, b.Count("pm_sponsorUserOperation"))

	require.NoError(t, b.Close())
	_, err = pool.SponsorUserOperation(t.Context(), operation(), req)
	require.ErrorContains(t, err, "b: paymaster "+b.URL())
	require.ErrorContains(t, err, "it quoted the fee in this token: ask for quotes again")
	require.Zero(t, a.Count("pm_sponsorUserOperation"))

	other := operation()
	other.Sender = common.Address{9}
	_, err = pool.SponsorUserOperation(t.Context(), other, req)
	require.NoError(t, err, "nobody quoted to that account")
	require.Equal(t, 1, a.Count("pm_sponsorUserOperation"))
}

// onChain is a paymaster that says which chain it serves.
type onChain struct {
	userop.Paymaster
	id    uint64
	asked *int
}

func (p onChain) ChainID(context.Context) (uint64, error) { return p.id, nil }

func (p onChain) SupportedEntryPoints(context.Context) ([]common.Address, error) { return nil, nil }

func (p onChain) SponsorUserOperation(ctx context.Context, op *userop.Operation, req userop.SponsorRequest) (userop.Sponsorship, error) {
	*p.asked++
	return userop.Sponsorship{PaymasterAndData: dataOf(1)}, nil
}

func TestPoolOfPaymasters(t *testing.T) {
	var wrong, right int
	pool := newPool(t, paymaster.Times{}, onChain{id: 5, asked: &wrong}, onChain{id: chainID, asked: &right})
	for range 3 {
		_, err := pool.SponsorUserOperation(t.Context(), operation(), request(true))
		require.NoError(t, err)
	}
	require.Equal(t, [2]int{0, 3}, [2]int{wrong, right})
	_, err := pool.FeeQuotes(t.Context(), operation(), userop.QuoteRequest{})
	require.ErrorContains(t, err, "no paymaster of the pool quotes fees in tokens")
	alone := newPool(t, paymaster.Times{}, onChain{id: 5, asked: &wrong})
	_, err = alone.SponsorUserOperation(t.Context(), operation(), request(true))
	require.ErrorIs(t, err, userop.ErrWrongChain)
	require.ErrorContains(t, err, "paymaster a: wrong chain or EntryPoint: it serves chain 5, this pool is for chain 80002")

	a, b := twoServices(t)
	require.NoError(t, a.Close())
	b.Otherwise(paymastertest.Status(http.StatusForbidden, ""))
	b.On("pm_sponsorUserOperation", paymastertest.Status(http.StatusForbidden, ""))
	down := newPool(t, paymaster.Times{FirstPause: time.Hour, LongestPause: time.Hour}, paymaster.New(a.URL()+"/k-123456"), paymaster.New(b.URL()+"/k-123456"))
	for range 20 {
		_, err = down.SponsorUserOperation(t.Context(), operation(), request(true))
		require.ErrorContains(t, err, "none of 2 paymasters will do: a: ")
		require.ErrorContains(t, err, "; b: ")
		require.NotErrorIs(t, err, userop.ErrNotSponsored)
		require.NotContains(t, err.Error()+fmt.Sprintf("%v %#v", down, down), "k-123456")
	}
	require.LessOrEqual(t, b.Count(""), 2)

	_, err = paymaster.NewPool(paymaster.PoolConfig{})
	require.EqualError(t, err, "paymaster: pool: no paymaster is named")
	_, err = paymaster.NewPool(paymaster.PoolConfig{Members: []paymaster.Member{{}}})
	require.EqualError(t, err, "paymaster: pool: paymaster 1 is nil")
}

func ExamplePool() {
	first, err := paymastertest.StartServer(paymastertest.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer first.Close()
	second, err := paymastertest.StartServer(paymastertest.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer second.Close()
	first.On("pm_sponsorUserOperation", paymastertest.Status(http.StatusServiceUnavailable, "back soon"))

	pool, err := paymaster.NewPool(paymaster.PoolConfig{Members: []paymaster.Member{
		{Paymaster: paymaster.New(first.URL() + "/api-key")},
		{Paymaster: paymaster.New(second.URL() + "/api-key")},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	// account.Config has it as its Paymaster.
	answer, err := pool.SponsorUserOperation(context.Background(), operation(), userop.SponsorRequest{CalculateGasLimits: true})
	fmt.Println(common.BytesToAddress(answer.PaymasterAndData[:20]), err)
	// Output: 0x00000f79B7FaF42EEBAdbA19aCc07cD08Af44789 <nil>
}
