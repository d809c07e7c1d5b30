package accounttest

import (
	"flag"
	"fmt"
	"io"
	"math/big"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
)

// TestDevnetFromOutside uses a devnet by its URLs alone.
func TestDevnetFromOutside(t *testing.T) {
	devnet := NewDevnet(t, DevnetConfig{ChainID: 137})
	network, err := devnet.Services.Open(t.Context())
	require.NoError(t, err)
	defer func() { require.NoError(t, network.Close()) }()
	require.EqualValues(t, 137, network.Client.ChainID())

	from := crypto.PubkeyToAddress(devnet.Owner.PublicKey)
	balance, err := network.Node.BalanceAt(t.Context(), from, nil)
	require.NoError(t, err)
	require.Equal(t, ether(100), balance)
	tx, err := types.SignNewTx(devnet.Owner, types.LatestSignerForChainID(big.NewInt(137)), &types.DynamicFeeTx{
		ChainID: big.NewInt(137), To: &common.Address{1}, Value: big.NewInt(1), Gas: 21_000,
		GasTipCap: big.NewInt(1e9), GasFeeCap: big.NewInt(1e11),
	})
	require.NoError(t, err)
	require.NoError(t, network.Node.SendTransaction(t.Context(), tx))
	require.Eventually(t, func() bool {
		receipt, err := network.Node.TransactionReceipt(t.Context(), tx.Hash())
		return err == nil && receipt.Status == types.ReceiptStatusSuccessful
	}, 20*time.Second, 5*time.Millisecond, "a block is made for it")

	owner := network.Client.OwnedAccount(account.KeyOwner(devnet.Owner))
	for _, opts := range [][]account.Option{nil, {account.Sponsored()}} { // it has money of its own
		sent, err := owner.Send(t.Context(), []account.Call{{To: common.Address{2}, Value: *uint256.NewInt(1)}}, opts...)
		require.NoError(t, err)
		_, err = sent.Wait(t.Context())
		require.NoError(t, err)
	}
}

func TestNewOwnerHasMoney(t *testing.T) {
	devnet := NewDevnet(t, DevnetConfig{})
	owner, err := devnet.NewOwner(t.Context())
	require.NoError(t, err)
	sent, err := owner.Send(t.Context(), []account.Call{{To: common.Address{2}, Value: *uint256.NewInt(1)}})
	require.NoError(t, err)
	_, err = sent.Wait(t.Context())
	require.NoError(t, err)
}

func TestDevnetAtAPort(t *testing.T) {
	NewChain(t, ChainConfig{}) // skips where the contracts are not installed
	port, taken := threePorts(t)
	_, err := StartDevnet(t.Context(), DevnetConfig{Port: port})
	require.ErrorContains(t, err, "start devnet: chain's JSON-RPC endpoint: listen: ")
	require.ErrorContains(t, err, "; another program listens there: name another port, or 0 for free ones")
	require.NoError(t, taken.Close())

	devnet, err := StartDevnet(t.Context(), DevnetConfig{Port: port})
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintf("http://127.0.0.1:%d", port), devnet.RPC)
	require.Equal(t, fmt.Sprintf("http://127.0.0.1:%d", port+1), devnet.Services.Bundler)
	require.Equal(t, fmt.Sprintf("http://127.0.0.1:%d", port+2), devnet.Services.Paymaster)
	require.NoError(t, devnet.Close())
	require.NoError(t, devnet.Close())
}

// threePorts returns the first of three ports in a row that are free, and a listener at it. They are below
// those that a system gives to connections and to who listens at any port: nobody else gets them meanwhile.
func threePorts(t *testing.T) (int, net.Listener) {
	t.Helper()
	for range 100 {
		first := 20_000 + rand.IntN(12_000)
		var listening []net.Listener
		for port := first; port < first+3; port++ {
			if listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
				listening = append(listening, listener)
			}
		}
		for _, listener := range listening[min(1, len(listening)):] {
			require.NoError(t, listener.Close())
		}
		if len(listening) == 3 {
			return first, listening[0]
		}
		for _, listener := range listening[:min(1, len(listening))] {
			require.NoError(t, listener.Close())
		}
	}
	t.Fatal("no three free ports in a row")
	return 0, nil
}

func TestServicesAreADevnetByDefault(t *testing.T) {
	NewChain(t, ChainConfig{}) // skips where the contracts are not installed
	network, err := Services{}.Open(t.Context())
	require.NoError(t, err)
	id, err := network.Node.ChainID(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, DefaultChainID, id.Uint64())
	require.NotEmpty(t, network.Paymaster)
	require.NoError(t, network.Close())
	_, err = network.Node.ChainID(t.Context())
	require.Error(t, err)
}

func TestServicesFromFlags(t *testing.T) {
	var s Services
	set := flag.NewFlagSet("", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	s.Flags(set)
	require.NoError(t, set.Parse([]string{"-rpc", "http://127.0.0.1:1", "-bundler", "b"}))
	require.Equal(t, Services{RPC: "http://127.0.0.1:1", Bundler: "b"}, s)
	_, err := s.Open(t.Context())
	require.EqualError(t, err, "-rpc, -bundler and -paymaster belong together; without any a devnet is started")
}

func TestNodeErrorsHideItsURL(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "Cannot POST "+r.URL.Path, http.StatusNotFound)
	}))
	t.Cleanup(server.Close)
	for rpc, text := range map[string]string{
		server.URL + "/v3/secret":        "chain ID of the node: 404 Not Found",
		"http://127.0.0.1:1/v3/secret":   "chain ID of the node: dial tcp 127.0.0.1:1: connect: connection refused",
		"http://127.0.0.1:1 1/v3/secret": `-rpc: invalid port ":1 1" after host`,
		"htp://127.0.0.1:1/v3/secret":    `-rpc: no known transport for URL scheme "htp"`,
	} {
		_, err := Services{RPC: rpc, Bundler: "http://127.0.0.1:1", Paymaster: "http://127.0.0.1:1"}.Open(t.Context())
		require.EqualError(t, err, text)
	}
}
