package accounttest

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/bundler/bundlertest"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/jsonrpc/jsonrpctest"
	"github.com/go-sesame/sesame/internal/quantity"
	"github.com/go-sesame/sesame/paymaster/paymastertest"
	"github.com/go-sesame/sesame/userop"
)

// What the scripted services have in common with the ones on a chain.

// A scripted server before a real service: what goes through is real, what is scripted goes wrong.
func TestForwardAndLost(t *testing.T) {
	s := newStage(t, bundlertest.Standard)
	user := s.account("owner")
	s.deploy(user)
	front := bundlertest.NewServer(t, bundlertest.Config{Forward: s.bundler.URL()})
	front.On("eth_sendUserOperation", bundlertest.Drop(), bundlertest.Lost(bundlertest.Forward(s.bundler.URL())), bundlertest.Forward(s.bundler.URL()))
	client := dial(t, front.URL())

	op := s.draft(user.address, 0, s.target(0, "function store(uint256 n)", 1))
	require.NoError(t, s.sponsor(op, ownedBy(user.key)))
	op.Signature = ownedBy(user.key)(s.hash(op))
	send := func() error {
		return client.CallContext(t.Context(), nil, "eth_sendUserOperation", op, s.chain.Contracts.EntryPoint)
	}
	require.ErrorContains(t, send(), "EOF")
	_, known := s.bundler.pool.get(s.hash(op))
	require.False(t, known, "a dropped request does not arrive")
	require.ErrorContains(t, send(), "EOF")
	require.True(t, s.wait(s.hash(op)).Success, "a lost answer is to a request that arrived")
	requireRPCError(t, send(), codeRejected, "AA25 invalid account nonce")

	var id hexutil.Uint64
	require.NoError(t, client.CallContext(t.Context(), &id, "eth_chainId"))
	require.EqualValues(t, DefaultChainID, id)
	require.NoError(t, s.bundler.Close())
	var status rpc.HTTPError
	require.ErrorAs(t, client.CallContext(t.Context(), &id, "eth_chainId"), &status)
	require.Equal(t, http.StatusBadGateway, status.StatusCode)
}

func TestScriptedBundlerAndPaymaster(t *testing.T) {
	for _, vendor := range []bundlertest.Vendor{bundlertest.Standard, bundlertest.Biconomy, bundlertest.Pimlico} {
		bundler := bundlertest.NewServer(t, bundlertest.Config{ChainID: 137, Vendor: vendor})
		paymaster := paymastertest.NewServer(t, paymastertest.Config{})
		toBundler, toPayer := dial(t, bundler.URL()), dial(t, paymaster.URL())
		entryPoint := WellKnownContracts().EntryPoint

		var id hexutil.Uint64
		require.NoError(t, toBundler.Call(&id, "eth_chainId"))
		require.EqualValues(t, 137, id)

		op := &userop.Operation{Sender: common.Address{1}, CallData: []byte{2}}
		var paid struct {
			PaymasterAndData hexutil.Bytes
			CallGasLimit     quantity.Quantity
		}
		require.NoError(t, toPayer.Call(&paid, "pm_sponsorUserOperation", op, map[string]any{"mode": "SPONSORED", "calculateGasLimits": true}))
		require.Equal(t, paymastertest.PaymasterAndData(), paid.PaymasterAndData)
		require.EqualValues(t, 100_000, paid.CallGasLimit.Int().Uint64())
		op.PaymasterAndData = paid.PaymasterAndData

		var hash common.Hash
		require.NoError(t, toBundler.Call(&hash, "eth_sendUserOperation", op, entryPoint))
		require.Equal(t, op.Hash(entryPoint, 137), hash)
		require.Equal(t, hash, bundler.Sent()[0].Hash(entryPoint, 137))

		var receipt userop.Receipt
		require.NoError(t, toBundler.Call(&receipt, "eth_getUserOperationReceipt", hash))
		require.True(t, receipt.Success)
		require.Equal(t, WellKnownContracts().Paymaster, receipt.Paymaster)
		var none json.RawMessage
		require.NoError(t, toBundler.Call(&none, "eth_getUserOperationReceipt", common.Hash{9}))
		require.Equal(t, "null", string(none))
		requireRPCError(t, toBundler.Call(nil, "eth_sendUserOperation", op), jsonrpctest.CodeInvalidInput, "eth_sendUserOperation takes 2 parameters, 1 given")
		requireRPCError(t, toBundler.Call(nil, "eth_sendUserOperation", 1, 2), jsonrpctest.CodeInvalidInput, "parameter 0: user operation:")

		var status struct{ State, Status string }
		switch vendor {
		case bundlertest.Biconomy:
			require.NoError(t, toBundler.Call(new(feeQuote), "biconomy_getGasFeeValues"))
			require.NoError(t, toBundler.Call(&status, "biconomy_getUserOperationStatus", hash))
			require.Equal(t, "CONFIRMED", status.State)
			requireRPCError(t, toBundler.Call(&status, "biconomy_getUserOperationStatus", common.Hash{9}), -32004, "not found for chainId")
		case bundlertest.Pimlico:
			require.NoError(t, toBundler.Call(new(pimlicoPrice), "pimlico_getUserOperationGasPrice"))
			require.NoError(t, toBundler.Call(&status, "pimlico_getUserOperationStatus", hash))
			require.Equal(t, "included", status.Status)
			require.NoError(t, toBundler.Call(&status, "pimlico_getUserOperationStatus", common.Hash{9}))
			require.Equal(t, "not_found", status.Status)
		default:
			requireRPCError(t, toBundler.Call(nil, "biconomy_getGasFeeValues"), jsonrpctest.CodeUnknownMethod, "does not exist")
		}
	}
}

func TestScriptedPaymasterTakesTokens(t *testing.T) {
	p := paymastertest.NewServer(t, paymastertest.Config{})
	token := WellKnownContracts().Token6
	var paid struct{ PaymasterAndData hexutil.Bytes }
	params := map[string]any{"mode": "ERC20", "tokenInfo": map[string]any{"feeTokenAddress": token}}
	require.NoError(t, dial(t, p.URL()).Call(&paid, "pm_sponsorUserOperation", new(userop.Operation), params))
	require.Equal(t, paymastertest.TokenPaymasterAndData(token), paid.PaymasterAndData)
	data, err := contracts.DecodeTokenPaymasterData(paid.PaymasterAndData)
	require.NoError(t, err)
	fee, err := data.Fee(uint256.NewInt(350_000 * 2_000_000_000))
	require.NoError(t, err)
	require.Equal(t, "350000", fee.Dec(), "its own limits at the scripted bundler's fees, below the quote of 0.5")
}
