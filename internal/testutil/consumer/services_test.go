package consumer_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/bundler/bundlertest"
	"github.com/go-sesame/sesame/paymaster"
	"github.com/go-sesame/sesame/paymaster/paymastertest"
	"github.com/go-sesame/sesame/userop"
)

// Scripted services need neither a chain nor its contracts.
func TestScriptedBundler(t *testing.T) {
	server := bundlertest.NewServer(t, bundlertest.Config{ChainID: 137})
	server.On("eth_chainId", bundlertest.Status(http.StatusServiceUnavailable, "busy"), bundlertest.Result("0x89"))
	client := bundler.New(server.URL())
	defer client.Close()

	id, err := client.ChainID(t.Context()) // tried again
	require.NoError(t, err)
	require.EqualValues(t, 137, id)
	require.Equal(t, 2, server.Count("eth_chainId"))
}

func TestScriptedPaymaster(t *testing.T) {
	server := paymastertest.NewServer(t, paymastertest.Config{})
	client := paymaster.New(server.URL())
	defer client.Close()

	sponsored, err := client.SponsorUserOperation(t.Context(), new(userop.Operation), userop.SponsorRequest{})
	require.NoError(t, err)
	require.EqualValues(t, paymastertest.PaymasterAndData(), sponsored.PaymasterAndData)
	server.On("pm_sponsorUserOperation", paymastertest.Fail(-32000, "daily budget is used up"))
	_, err = client.SponsorUserOperation(t.Context(), new(userop.Operation), userop.SponsorRequest{})
	require.ErrorContains(t, err, "daily budget is used up")
}
