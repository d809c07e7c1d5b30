package paymaster_test

import (
	"testing"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/jsonrpc/jsonrpctest"
	"github.com/go-sesame/sesame/paymaster"
	"github.com/go-sesame/sesame/userop"
)

func playERC7677(t *testing.T, file string, context any) *paymaster.ERC7677 {
	t.Helper()
	client := paymaster.NewERC7677(jsonrpctest.Play(t, "testdata/"+file).URL, context)
	t.Cleanup(client.Close)
	return client
}

func TestERC7677(t *testing.T) {
	client := playERC7677(t, "erc7677.jsonl", map[string]string{"sponsorshipPolicyId": "sp_calm"})
	stub, err := client.StubData(t.Context(), operation(), entryPoint, chainID)
	require.NoError(t, err)
	require.Equal(t, paymaster.Stub{PaymasterAndData: sponsoredData, Final: true, Sponsor: "Acme"}, stub)

	stub, err = client.StubData(t.Context(), operation(), entryPoint, chainID)
	require.NoError(t, err)
	require.Equal(t, paymaster.Stub{PaymasterAndData: sponsoredData}, stub)

	data, err := client.Data(t.Context(), operation(), entryPoint, chainID)
	require.NoError(t, err)
	require.Equal(t, sponsoredData, data)
}

func TestERC7677WithoutContext(t *testing.T) {
	_, err := playERC7677(t, "erc7677_no_context.jsonl", nil).Data(t.Context(), operation(), entryPoint, 1)
	require.NoError(t, err)
}

func TestERC7677Sponsors(t *testing.T) {
	client := playERC7677(t, "erc7677_sponsor.jsonl", nil)
	want := userop.Sponsorship{PaymasterAndData: sponsoredData}
	unlimited, unestimated := operation(), operation()
	unlimited.CallGasLimit = uint256.Int{}
	unestimated.PreVerificationGas = uint256.Int{}

	for _, c := range []struct {
		op        *userop.Operation
		calculate bool
	}{
		{unlimited, true},    // the stub
		{operation(), true},  // final
		{unlimited, false},   // final: the limit of zero is meant
		{unestimated, false}, // the stub: the bundler is to estimate
	} {
		got, err := client.SponsorUserOperation(t.Context(), c.op, request(c.calculate))
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	own := request(true)
	own.Context = map[string]string{"policy": "gold"}
	for _, req := range []userop.SponsorRequest{own, request(true)} {
		got, err := client.SponsorUserOperation(t.Context(), operation(), req)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	req := request(true)
	req.FeeToken = &usdc
	_, err := client.SponsorUserOperation(t.Context(), operation(), req)
	require.EqualError(t, err, "paymaster: ERC-7677 has no fee token; name it in the service's context instead")
}

func TestERC7677Wrong(t *testing.T) {
	client := playERC7677(t, "erc7677_wrong.jsonl", nil)
	for i, want := range []string{
		"paymaster: not sponsored: the service answered with an empty paymasterAndData",
		"paymaster: not sponsored: the service answered with an empty paymasterAndData",
		"paymaster: pm_getPaymasterData: policy not found (code -32602)",
		"pm_getPaymasterData: unexpected result: paymasterAndData: json: cannot unmarshal non-string into Go value of type hexutil.Bytes",
	} {
		got, err := client.SponsorUserOperation(t.Context(), operation(), request(false))
		require.ErrorContains(t, err, want, i)
		require.Equal(t, userop.Sponsorship{}, got)
	}
}
