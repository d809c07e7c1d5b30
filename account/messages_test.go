package account_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/ethnode"
	"github.com/go-sesame/sesame/paymaster"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// urlKey is the secret in the services' URLs, which no message has.
const urlKey = "api-key-4711"

// requireMessage checks the parts of an error as its reader needs them: where it failed, why, and the way
// out.
func requireMessage(t *testing.T, err error, parts ...string) {
	t.Helper()
	require.Error(t, err)
	for _, part := range parts {
		require.ErrorContains(t, err, part)
	}
	require.NotContains(t, err.Error(), urlKey)
	require.NotContains(t, err.Error(), "/v2")
	require.NotContains(t, err.Error(), "keyring")
	require.NotContains(t, err.Error(), "\n")
}

func hostOf(url string) string { return url[strings.Index(url, "//")+2:] }

// deny answers 401 with the status in JSON, as gateways do.
func deny(t *testing.T) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"Must be authenticated!"}}`)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// Each service is missing, denies access or is another one, under the send of a session.
func TestMessagesAboutServices(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	sess := w.grant(t, []policy.Policy{w.nftPolicy()})
	nodeURL, err := w.chain.RPCURL()
	require.NoError(t, err)
	denied, path := deny(t), "/v2/"+urlKey
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	moved := httptest.NewServer(http.RedirectHandler("https://elsewhere.example/"+urlKey, http.StatusPermanentRedirect))
	t.Cleanup(moved.Close)
	dial := func(url string) *ethclient.Client {
		node, err := ethclient.Dial(url)
		require.NoError(t, err)
		t.Cleanup(node.Close)
		return node
	}
	own, err := ethnode.Dial(moved.URL + path)
	require.NoError(t, err)
	t.Cleanup(own.Close)
	const (
		checkKey  = "check the key in the URL of "
		checkHost = "and the host and port in its URL"
	)
	for name, c := range map[string]struct {
		change func(*account.Config)
		want   []string
	}{
		"a plain node as bundler": {func(c *account.Config) { c.Bundler = bundler.New(nodeURL) },
			[]string{"bundler", hostOf(nodeURL), "does not exist/is not available", "but a plain node; give a bundler's URL, and the node's where the chain is read"}},
		"a bundler as node": {func(c *account.Config) { c.Chain = dial(w.bundler.URL()) },
			[]string{"node " + hostOf(w.bundler.URL()), "the method eth_", "give a node's URL where the chain is read"}},
		"a plain node as paymaster": {func(c *account.Config) { c.Paymaster = paymaster.New(nodeURL) },
			[]string{"paymaster", hostOf(nodeURL) + " does not seem to be", "does not exist/is not available", "paymaster.NewERC7677 that of any other"}},
		"a plain node as paymaster of the standard": {func(c *account.Config) { c.Paymaster = paymaster.NewERC7677(nodeURL, nil) },
			[]string{"paymaster", hostOf(nodeURL) + " does not seem to be", "does not exist/is not available", "paymaster.New takes the URL of Biconomy's"}},
		"401 of the bundler": {func(c *account.Config) { c.Bundler = bundler.New(denied + path) },
			[]string{"bundler", "Must be authenticated!", "HTTP 401", checkKey + denied}},
		"401 of the paymaster": {func(c *account.Config) { c.Paymaster = paymaster.New(denied + path) },
			[]string{"paymaster", "Must be authenticated!", "HTTP 401", checkKey + denied}},
		"401 of the standard's paymaster": {func(c *account.Config) { c.Paymaster = paymaster.NewERC7677(denied+path, nil) },
			[]string{"paymaster", "Must be authenticated!", "HTTP 401", checkKey + denied}},
		"401 of the node": {func(c *account.Config) { c.Chain = dial(denied + path) },
			[]string{"node " + hostOf(denied) + ": 401 Unauthorized; check the key in the node's URL"}},
		"the bundler is down": {func(c *account.Config) { c.Bundler = bundler.New(closed.URL + path) },
			[]string{"bundler " + closed.URL, "connection refused; check that the service runs, " + checkHost}},
		"the paymaster is down": {func(c *account.Config) { c.Paymaster = paymaster.New(closed.URL + path) },
			[]string{"paymaster " + closed.URL, "connection refused; check that the service runs, " + checkHost}},
		"the node is down": {func(c *account.Config) { c.Chain = dial(closed.URL + path) },
			[]string{"node " + hostOf(closed.URL) + ": dial tcp", "connection refused; check that the node runs, " + checkHost}},
		"the node moved": {func(c *account.Config) { c.Chain = own },
			[]string{"node " + hostOf(moved.URL) + ": HTTP 308: redirects are not followed; use the node's final URL (it is at https://elsewhere.example)"}},
		"no paymaster": {func(c *account.Config) { c.Paymaster = nil },
			[]string{"no paymaster is configured; name one where the client or sender is made"}},
	} {
		t.Run(name, func(t *testing.T) {
			config := w.config
			c.change(&config)
			client, err := account.NewClient(config)
			require.NoError(t, err)
			_, err = client.Account(w.user.Address()).Send(t.Context(), []account.Call{w.mint(t, w.user.Address())}, account.WithLeafOf(sess), account.Sponsored())
			requireMessage(t, err, append(c.want, w.user.Address().Hex())...)
			for _, part := range c.want[1:] {
				require.Equal(t, 1, strings.Count(err.Error(), part), "%q in %v", part, err)
			}
		})
	}
}

func TestMessagesAboutSessions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	later := w.nftPolicy()
	later.Window = policy.Between(w.now().Add(time.Hour), w.now().Add(2*time.Hour))
	sess := w.grant(t, []policy.Policy{w.nftPolicy(), later})
	leaves, mint := sess.Leaves(), []account.Call{w.mint(t, w.user.Address())}
	now, young := leaves[0].ID, leaves[1].ID
	who := w.user.Address().Hex()
	send := func(calls []account.Call, opts ...account.Option) error {
		_, err := w.user.Send(t.Context(), calls, append(opts, account.Sponsored())...)
		return err
	}
	requireMessage(t, send(mint, account.WithSession(sess.ByID("gone"))), `"gone" of account `+who, "which has ", now, young)
	_, err := w.owner.Revoke(t.Context(), sess, "gone", account.Sponsored())
	requireMessage(t, err, `"gone" of account `+who, "which has ", now, young)
	requireMessage(t, send(mint, account.WithSession(sess.Leaf(7))), "leaf 7 of account "+who, "leaves 0 to 1")
	requireMessage(t, send(append(mint, mint...), account.WithLeafOf(sess)), "batched session router", who, "a grant with ForBatches", "anybody can burn the account's balance and deposit as gas")

	thief := w.client.OwnedAccount(account.KeyOwner(accounttest.Key("thief")), account.AtAddress(w.user.Address()))
	_, _, err = thief.Grant(t.Context(), w.store, []policy.Policy{w.nftPolicy()}, account.Sponsored())
	require.ErrorIs(t, err, account.ErrWrongOwner)
	requireMessage(t, err, "account "+who+" belongs to "+w.owner.Owner().Address().Hex(), "not to "+accounttest.Address("thief").Hex(), "; connect the wallet that it belongs to")

	requireMessage(t, send(mint, account.WithSession(sess.ByID(young))), "session "+young+" of account "+who, "not yet valid", "starts at ", "; wait until then")
	late, err := session.Open(t.Context(), w.store, w.user.Ref(), session.WithClock(func() time.Time { return w.now().Add(90 * time.Minute) }))
	require.NoError(t, err)
	requireMessage(t, send(mint, account.WithSession(late.ByID(now))), "session "+now+" of account "+who, "is expired", "ended at ", "; grant a new session")
	tx, err := w.owner.Revoke(t.Context(), sess, now, account.Sponsored())
	require.NoError(t, err)
	require.NoError(t, activate(t.Context(), sess, tx))
	requireMessage(t, send(mint, account.WithSession(sess.ByID(now))), now, "of account "+who, "session is revoked", "does not stand on chain")
}

func TestMessagesAboutOperations(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	sess := w.grant(t, []policy.Policy{w.nftPolicy()})
	mint := []account.Call{w.mint(t, w.user.Address())}
	opts := []account.Option{account.WithLeafOf(sess), account.Sponsored()}
	with := func(more ...account.Option) []account.Option { return append(more, opts...) }

	w.bundler.Pause()
	tx, err := w.user.Send(t.Context(), mint, opts...)
	require.NoError(t, err)
	first := tx.Operation()
	fees := func(percent uint64) account.Option {
		raise := func(v *uint256.Int) uint256.Int {
			raised := new(uint256.Int).Mul(v, uint256.NewInt(percent))
			return *raised.AddUint64(raised.Div(raised, uint256.NewInt(100)), 1)
		}
		return account.WithFees(userop.Fees{MaxFeePerGas: raise(&first.MaxFeePerGas), MaxPriorityFeePerGas: raise(&first.MaxPriorityFeePerGas)})
	}
	_, err = w.user.Send(t.Context(), mint, with(account.WithNonce(&first.Nonce), fees(105))...)
	requireMessage(t, err, "bundler", "replacement underpriced", "account.WithNonce and account.WithFees: both fees have to be at least 10 % above its own")
	tx, err = w.user.Send(t.Context(), mint, with(account.WithNonce(&first.Nonce), fees(110))...)
	require.NoError(t, err, "what the message says helps")
	w.bundler.Resume()
	_, err = tx.Wait(t.Context())
	require.NoError(t, err)

	tight := account.WithGas(userop.Gas{CallGasLimit: *uint256.NewInt(20_000), VerificationGasLimit: *uint256.NewInt(500_000), PreVerificationGas: *uint256.NewInt(100_000)})
	requireMessage(t, w.user.Simulate(t.Context(), mint, with(tight)...), w.user.Address().Hex(), "out of gas: a limit of 20000 is too low")
	tx, err = w.user.Send(t.Context(), mint, with(tight)...)
	require.NoError(t, err)
	_, err = tx.Wait(t.Context())
	requireMessage(t, err, tx.Hash().Hex(), w.user.Address().Hex(), "it ran out of call gas", "estimate callGasLimit, or raise it")
}
