package paymaster_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/internal/jsonrpc/jsonrpctest"
	"github.com/go-sesame/sesame/paymaster"
	"github.com/go-sesame/sesame/userop"
)

func TestSponsorUserOperation(t *testing.T) {
	client := play(t, "sponsor.jsonl")
	for _, form := range []string{"decimal strings", "numbers", "hex"} {
		got, err := client.SponsorUserOperation(t.Context(), operation(), request(true))
		require.NoError(t, err, form)
		require.Equal(t, userop.Sponsorship{
			PaymasterAndData:     sponsoredData,
			CallGasLimit:         uint256.NewInt(120_000),
			VerificationGasLimit: uint256.NewInt(250_000),
			PreVerificationGas:   uint256.NewInt(60_000),
		}, got)
	}
}

func TestSponsorWithFixedLimits(t *testing.T) {
	got, err := play(t, "sponsor_fixed.jsonl").SponsorUserOperation(t.Context(), operation(), request(false))
	require.NoError(t, err)
	require.Equal(t, userop.Sponsorship{PaymasterAndData: sponsoredData}, got)
}

func TestSponsorOptions(t *testing.T) {
	client := play(t, "sponsor_options.jsonl",
		paymaster.WithExpiry(5*time.Minute),
		paymaster.WithWebhookData(map[string]string{"order": "7"}),
		paymaster.WithAccountInfo(paymaster.AccountInfo{Name: "SESAME", Version: "1.0.0"}))
	_, err := client.SponsorUserOperation(t.Context(), operation(), request(false))
	require.NoError(t, err)

	own := request(false)
	own.Context = map[string]string{"order": "8"}
	_, err = client.SponsorUserOperation(t.Context(), operation(), own)
	require.NoError(t, err)
	_, err = client.SponsorUserOperation(t.Context(), operation(), request(false))
	require.NoError(t, err, "the client's own again")
}

func TestSponsorInAToken(t *testing.T) {
	req := request(true)
	req.FeeToken = &usdc
	got, err := play(t, "sponsor_token.jsonl").SponsorUserOperation(t.Context(), operation(), req)
	require.NoError(t, err)
	require.Equal(t, tokens.Bytes(), got.PaymasterAndData[:20])

	req.FeeToken = new(common.Address)
	_, err = paymaster.New("http://127.0.0.1:1").SponsorUserOperation(t.Context(), operation(), req)
	require.EqualError(t, err, "paymaster: the fee token is the zero address; leave it out to be sponsored")
}

func TestNotSponsored(t *testing.T) {
	client := play(t, "sponsor_not.jsonl")
	const empty = "paymaster: not sponsored: the service answered with an empty paymasterAndData; check that one of its policies covers this call and that it is funded"
	for _, want := range []string{empty, empty, empty,
		"paymaster: not sponsored: the service answered with a paymasterAndData of 2 bytes, which is shorter than an address",
		"paymaster: not sponsored: the service answered with the zero address for a paymaster, so that the account would pay",
	} {
		got, err := client.SponsorUserOperation(t.Context(), operation(), request(true))
		require.ErrorIs(t, err, userop.ErrNotSponsored)
		require.EqualError(t, err, want)
		require.Equal(t, userop.Sponsorship{}, got)
	}
}

func TestNoPolicyIsNotSponsored(t *testing.T) {
	client := play(t, "sponsor_fault09.jsonl")
	for _, want := range []bool{true, true, false, false} {
		_, err := client.SponsorUserOperation(t.Context(), operation(), request(true))
		require.Equal(t, want, errors.Is(err, userop.ErrNotSponsored), "%v", err)
	}
}

// What the service decided stays so, whatever code it gives.
func TestNoPolicyDoesNotPassByItself(t *testing.T) {
	for _, member := range []string{
		`{"code":-32603,"message":"No policies were set for this dapp"}`,
		`{"message":"Smart contract data not found"}`,
	} {
		server := jsonrpctest.Serve(t, jsonrpctest.Exchange{Method: "pm_sponsorUserOperation", Status: http.StatusInternalServerError, Error: json.RawMessage(member)})
		client := paymaster.New(server.URL)
		defer client.Close()
		_, err := client.SponsorUserOperation(t.Context(), operation(), request(true))
		require.ErrorIs(t, err, userop.ErrNotSponsored)
		require.False(t, userop.SafeToRetry(err), member)
	}
}

func TestSponsorWrong(t *testing.T) {
	client := play(t, "sponsor_wrong.jsonl")
	for _, want := range []string{
		`unexpected result: paymasterAndData: json: cannot unmarshal hex string without 0x prefix into Go value of type hexutil.Bytes; callGasLimit: "1.5" is not an exact non-negative integer`,
		"unexpected result: a JSON object was expected, got string",
		"the answer is null",
		"the answer has neither a result nor an error",
	} {
		_, err := client.SponsorUserOperation(t.Context(), operation(), request(true))
		require.ErrorContains(t, err, "/…: pm_sponsorUserOperation: "+want)
		var transport *paymaster.TransportError
		require.ErrorAs(t, err, &transport)
		require.NotErrorIs(t, err, userop.ErrNotSponsored)
	}
}

// Fault 9: an error under HTTP 200 counts as success, and the paymaster's reason is thrown away.
func TestFault09ThePaymastersReasonIsKept(t *testing.T) {
	client := play(t, "sponsor_fault09.jsonl")
	for _, want := range []string{
		"paymaster: pm_sponsorUserOperation: No policies were set for this dapp (code 417)",
		"paymaster: pm_sponsorUserOperation: Smart contract data not found (code -32602, HTTP 400)",
		`/…: pm_sponsorUserOperation: HTTP 401 Unauthorized: "{\"message\":\"API key is not valid\"}"; check the key in the service's URL`,
		"paymaster: pm_sponsorUserOperation: AA23 reverted: SessionNotApproved (code -32500): the account's validation reverted",
	} {
		_, err := client.SponsorUserOperation(t.Context(), operation(), request(true))
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "Error in generating paymasterAndData")
		var answer *paymaster.Error
		var transport *paymaster.TransportError
		switch {
		case bytes.Contains([]byte(want), []byte("HTTP 401")):
			require.ErrorAs(t, err, &transport)
		default:
			require.ErrorAs(t, err, &answer)
			require.False(t, answer.Temporary())
			require.NotErrorIs(t, err, paymaster.ErrRateLimited)
			require.Equal(t, "pm_sponsorUserOperation", answer.Method)
		}
		if answer != nil && answer.Code == 417 {
			require.JSONEq(t, `{"policy":null}`, string(answer.Data))
		}
		if answer != nil && answer.Code == -32500 {
			var aa *userop.AAError
			require.ErrorAs(t, err, &aa)
			require.Equal(t, "AA23", aa.Code)
		}
	}
}

// Fault 15: no retry. A sponsorship costs nothing until it is used, so that it is asked for again.
func TestFault15ABusyServiceIsAskedAgain(t *testing.T) {
	_, err := play(t, "sponsor_busy.jsonl").SponsorUserOperation(t.Context(), operation(), request(true))
	require.NoError(t, err)
}

// A service that wants fewer requests says so in one way to whoever asks a bundler or a paymaster.
func TestRateLimits(t *testing.T) {
	for _, limit := range []*paymaster.Error{{Code: -32005, Message: "slow down"}, {Code: -32000, HTTPStatus: http.StatusTooManyRequests}} {
		require.ErrorIs(t, limit, paymaster.ErrRateLimited)
		require.ErrorIs(t, limit, bundler.ErrRateLimited)
		require.True(t, limit.Temporary())
	}
	require.NotErrorIs(t, &paymaster.Error{Code: -32500}, paymaster.ErrRateLimited)
}
