package account_test

import (
	"context"
	"encoding/json"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/bundler/bundlertest"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/jsonrpc/jsonrpctest"
	"github.com/go-sesame/sesame/paymaster"
	"github.com/go-sesame/sesame/paymaster/paymastertest"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// mocked are services that answer as they are told, and an account with a session on them.
type mocked struct {
	node      *jsonrpctest.Server
	bundler   *bundlertest.Server
	paymaster *paymastertest.Server
	trips     *jsonrpctest.RoundTrips
	user      *account.Account
	session   *session.Sessions
	chain     *ethclient.Client // of node
}

// tripDelay is how long services take where round trips are counted: long beside what a busy machine takes to
// make requests at the same time, which otherwise pass for one after another.
const tripDelay = 500 * time.Millisecond

func newMocked(t *testing.T, delay time.Duration, vendor bundlertest.Vendor) *mocked {
	t.Helper()
	m := &mocked{trips: new(jsonrpctest.RoundTrips)}
	m.node = jsonrpctest.NewServer(t, jsonrpctest.Config{Delay: delay})
	m.bundler = bundlertest.NewServer(t, bundlertest.Config{Delay: delay, Vendor: vendor})
	m.paymaster = paymastertest.NewServer(t, paymastertest.Config{Delay: delay})
	for _, server := range []*jsonrpctest.Server{m.node, m.bundler.Server, m.paymaster.Server} {
		server.CountIn(m.trips)
	}

	user := common.HexToAddress("0x1111111111111111111111111111111111111111")
	store := memstore.New()
	ref := session.Ref{ChainID: accounttest.DefaultChainID, Account: user}
	key, err := store.NewKey(t.Context(), ref)
	require.NoError(t, err)
	minting := policy.ABI{Key: key, Contract: stranger, Function: "safeMint(address to)", Window: policy.Forever()}
	compiled, err := minting.Compile(policy.Modules{}.WithDefaults())
	require.NoError(t, err)
	leaf := session.Leaf{ID: "mint", Status: session.StatusActive, InTree: true, Key: key, Compiled: compiled}
	_, err = store.Apply(t.Context(), ref, 0, &session.Change{Header: session.Header{Root: leaf.Hash()}, Put: []session.Leaf{leaf}})
	require.NoError(t, err)
	m.session, err = session.Open(t.Context(), store, ref)
	require.NoError(t, err)

	m.node.On("eth_chainId", jsonrpctest.Result("0x13882"))
	m.node.On("eth_getCode", jsonrpctest.Result("0x60"))
	m.node.On("eth_getBlockByNumber", header(map[string]any{"baseFeePerGas": "0x3b9aca00"}))
	m.node.On("eth_maxPriorityFeePerGas", jsonrpctest.Result("0x5"))
	m.node.On("eth_call", jsonrpctest.Compute(func(_ context.Context, r jsonrpctest.Request) (any, error) {
		return answerCall(r, leaf.Hash())
	}))
	node, err := ethclient.Dial(m.node.URL())
	require.NoError(t, err)
	t.Cleanup(node.Close)
	m.chain = node
	m.user = m.clientFor(t, 0).Account(user)
	return m
}

// answerCall is the chain of a deployed account with one session root.
func answerCall(r jsonrpctest.Request, root common.Hash) (any, error) {
	var call struct {
		Input, Data hexutil.Bytes
	}
	if err := json.Unmarshal(r.Params[0], &call); err != nil {
		return nil, err
	}
	data := append(call.Input, call.Data...)
	reads, err := contracts.ParseReads(data)
	if err != nil {
		return answerRead(data, root)
	}
	results := make([]contracts.ReadResult, len(reads))
	for i := range reads {
		if answer, err := answerRead(reads[i].Data, root); err == nil {
			results[i] = contracts.ReadResult{HasCode: true, OK: true, Data: answer[:]}
		}
	}
	response, err := contracts.PackReadResults(reads, results)
	return hexutil.Bytes(response), err
}

// answerRead is the answer of a contract that is there.
func answerRead(data []byte, root common.Hash) (common.Hash, error) {
	one := common.BigToHash(big.NewInt(1))
	switch selector := [4]byte(data); selector {
	case [4]byte(contracts.GetSessionKeys(common.Address{})):
		return root, nil
	case [4]byte(contracts.IsModuleEnabled(common.Address{})):
		return one, nil
	case [4]byte(contracts.GetNonce(common.Address{}, uint256.Int{})):
		return one, nil
	default:
		return common.Hash{}, errors.New("unexpected call")
	}
}

func (m *mocked) send(t *testing.T, opts ...account.Option) (*userop.Pending, error) {
	t.Helper()
	return m.user.Send(t.Context(), []account.Call{{To: stranger, Data: pack(t, "safeMint(address)", stranger)}},
		append(opts, account.WithSession(m.session.Leaf(0)), account.Sponsored())...)
}

func TestASponsoredSendIsThreeRoundTrips(t *testing.T) {
	for name, vendor := range map[string]bundlertest.Vendor{"Biconomy": bundlertest.Biconomy, "Pimlico": bundlertest.Pimlico} {
		t.Run(name, func(t *testing.T) {
			m := newMocked(t, tripDelay, vendor)
			_, err := m.send(t)
			require.NoError(t, err)
			require.Equal(t, 3, m.trips.Depth(), "the very first one too")

			m.trips.Reset()
			_, err = m.send(t)
			require.NoError(t, err)
			require.Equal(t, 3, m.trips.Depth())
			require.Equal(t, 1, m.node.Count("eth_chainId"), "the node's identity is asked once")
			require.Equal(t, 1, m.node.Count("eth_getCode"), "a deployed account stays deployed")
			require.Equal(t, 1, m.bundler.Count("eth_chainId"))
			require.Len(t, m.bundler.Sent(), 2)
		})
	}
}

func TestFault13ServicesAreAskedWhichChainTheyServe(t *testing.T) {
	t.Run("node", func(t *testing.T) {
		m := newMocked(t, 0, bundlertest.Biconomy)
		m.node.On("eth_chainId", jsonrpctest.Result("0x1"))
		_, err := m.send(t)
		require.ErrorIs(t, err, userop.ErrWrongChain)
		require.ErrorContains(t, err, "the node serves chain 1, this client is for chain 80002")
		require.Empty(t, m.bundler.Sent())
	})
	t.Run("bundler", func(t *testing.T) {
		m := newMocked(t, 0, bundlertest.Biconomy)
		m.bundler.On("eth_chainId", bundlertest.Result("0x1"))
		_, err := m.send(t)
		require.ErrorIs(t, err, userop.ErrWrongChain)
		require.Empty(t, m.bundler.Sent())
	})
	t.Run("EntryPoint", func(t *testing.T) {
		m := newMocked(t, 0, bundlertest.Biconomy)
		m.bundler.On("eth_supportedEntryPoints", bundlertest.Result([]common.Address{stranger}))
		_, err := m.send(t)
		require.ErrorIs(t, err, userop.ErrWrongChain)
		require.ErrorContains(t, err, "the bundler supports EntryPoints ["+stranger.Hex()+"], not 0x5FF137D4b0FDCD49DcA30c7CF57E578a026d2789")
		require.Zero(t, m.paymaster.Count(""))
	})
	t.Run("no vendor's third parameter", func(t *testing.T) {
		m := newMocked(t, 0, bundlertest.Biconomy)
		_, err := m.send(t)
		require.NoError(t, err)
		require.Len(t, m.bundler.Requests("eth_sendUserOperation")[0].Params, 2)
	})
}

func TestThePaymasterIsToldAboutAnOperation(t *testing.T) {
	m := newMocked(t, 0, bundlertest.Biconomy)
	_, err := m.send(t, account.PaymasterContext(map[string]string{"player": "ada"}))
	require.NoError(t, err)
	_, err = m.send(t)
	require.NoError(t, err)
	asked := m.paymaster.Requests("pm_sponsorUserOperation")
	require.Len(t, asked, 2)
	require.Contains(t, string(asked[0].Params[1]), `"webhookData":{"player":"ada"}`)
	require.NotContains(t, string(asked[1].Params[1]), "webhookData")

	_, err = m.send(t, account.PaymasterContext(nil))
	require.ErrorIs(t, err, account.ErrConfig)
	require.ErrorContains(t, err, "PaymasterContext without data")
	_, err = m.user.Send(t.Context(), []account.Call{{To: stranger}}, account.WithSession(m.session.Leaf(0)), account.PaymasterContext(1))
	require.ErrorIs(t, err, account.ErrConfig)
	require.ErrorContains(t, err, "PaymasterContext without a paymaster to pay; add Sponsored, SponsoredOrSelf or PayWith")
}

func TestNotSponsoredIsAnErrorBeforeSigning(t *testing.T) {
	m := newMocked(t, 0, bundlertest.Biconomy)
	m.paymaster.On("pm_sponsorUserOperation", paymastertest.Result(map[string]any{"paymasterAndData": "0x"}))
	_, err := m.send(t)
	require.ErrorIs(t, err, userop.ErrNotSponsored)
	require.Empty(t, m.bundler.Sent())

	m.paymaster.On("pm_sponsorUserOperation", paymastertest.Result(map[string]any{"paymasterAndData": paymastertest.TokenPaymasterAndData(stranger)}))
	_, err = m.send(t)
	require.ErrorIs(t, err, userop.ErrNotSponsored)
	require.ErrorContains(t, err, "the service answered for token paymaster 0x00000f7365cA6C59A2C93719ad53d567ed49c14C, which takes tokens; PayWith pays it")
	require.Empty(t, m.bundler.Sent())

	m.paymaster.On("pm_sponsorUserOperation", paymastertest.Fail(-32000, "daily budget is used up"))
	_, err = m.send(t)
	require.ErrorContains(t, err, "daily budget is used up")
}

func TestTheNodesFeesStandInForTheBundlers(t *testing.T) {
	m := newMocked(t, 0, bundlertest.Standard)
	m.node.On("eth_getBlockByNumber", header(map[string]any{"baseFeePerGas": "0x3b9aca00"}))
	m.node.On("eth_maxPriorityFeePerGas", jsonrpctest.Result("0x5"))
	_, err := m.send(t)
	require.NoError(t, err)
	require.Equal(t, "2000000005", m.bundler.Sent()[0].MaxFeePerGas.Dec(), "twice the base fee of 1 gwei, and the tip")
	require.Equal(t, "5", m.bundler.Sent()[0].MaxPriorityFeePerGas.Dec())
}

func TestWhatFollowsANodesHTTPStatusIsNotInErrors(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "Cannot POST "+r.URL.Path, http.StatusNotFound)
	}))
	t.Cleanup(server.Close)
	m := newMocked(t, 0, bundlertest.Biconomy)
	node, err := ethclient.Dial(server.URL + "/v2/SECRET")
	require.NoError(t, err)
	t.Cleanup(node.Close)
	client, err := account.NewClient(account.Config{ChainID: accounttest.DefaultChainID, Chain: node, Bundler: bundler.New(m.bundler.URL())})
	require.NoError(t, err)
	told := ": node " + strings.TrimPrefix(server.URL, "http://") + ": 404 Not Found; check the path of the node's URL"
	_, err = client.Account(m.user.Address()).State(t.Context())
	require.EqualError(t, err, "state of account "+m.user.Address().Hex()+told)
	_, err = client.Account(m.user.Address()).Nonce(t.Context(), nil)
	require.EqualError(t, err, "nonce of "+m.user.Address().Hex()+told)
	_, err = client.Account(m.user.Address()).Deployed(t.Context())
	require.EqualError(t, err, "code of "+m.user.Address().Hex()+told)
}

func TestTheNodesURLIsNotInErrors(t *testing.T) {
	for _, method := range []string{"eth_call", "eth_getCode", "eth_chainId"} {
		m := newMocked(t, 0, bundlertest.Biconomy)
		m.node.On(method, jsonrpctest.Drop())
		node, err := ethclient.Dial(m.node.URL() + "/v2/SECRET")
		require.NoError(t, err)
		t.Cleanup(node.Close)
		client, err := account.NewClient(account.Config{
			ChainID: accounttest.DefaultChainID, Chain: node, Bundler: bundler.New(m.bundler.URL()), Paymaster: paymaster.New(m.paymaster.URL()),
		})
		require.NoError(t, err)
		m.user = client.Account(m.user.Address())
		_, err = m.send(t)
		require.Error(t, err, method)
		require.NotContains(t, err.Error(), "SECRET")
	}
}
