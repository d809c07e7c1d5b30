package paymaster_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/jsonrpc/jsonrpctest"
	"github.com/go-sesame/sesame/internal/testutil"
	"github.com/go-sesame/sesame/paymaster"
	"github.com/go-sesame/sesame/userop"
)

var refusals = []error{paymaster.ErrPolicy, paymaster.ErrUserLimit, paymaster.ErrGlobalLimit, paymaster.ErrGasTank, paymaster.ErrBalance}

// requireKind asserts that err is a refusal of that kind and of no other, or, for nil, none.
func requireKind(t *testing.T, want, err error, about string) {
	t.Helper()
	require.Error(t, err, about)
	for _, kind := range refusals {
		require.Equal(t, kind == want, errors.Is(err, kind), "%s: %v is %v", about, err, kind)
	}
	require.Equal(t, want != nil, errors.Is(err, userop.ErrNotSponsored), "%s: %v", about, err)
	if want != nil {
		require.NotErrorIs(t, err, paymaster.ErrRateLimited, about)
		require.False(t, userop.SafeToRetry(err), about)
		require.Regexp(t, "have the account pay$|top it up$", err.Error(), about)
	}
}

// servicesAnswering are the clients of a service that always says the same, and that nobody tries again.
func servicesAnswering(t *testing.T, status int, body string) []userop.Paymaster {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(server.Close)
	client, standard := paymaster.New(server.URL), paymaster.NewERC7677(server.URL, nil)
	t.Cleanup(client.Close)
	t.Cleanup(standard.Close)
	return []userop.Paymaster{client, standard}
}

// What services are known to say, in their own words.
func TestKindsOfRefusals(t *testing.T) {
	for _, c := range []struct {
		code    int
		message string
		want    error
	}{
		{417, "No policies were set for this dapp", paymaster.ErrPolicy},
		{-32602, "Smart contract data not found", paymaster.ErrPolicy},
		{0, "userOp did not match any gas sponsoring policies or (no ERC20 gas token data present)", paymaster.ErrPolicy},
		{-32001, "request denied - rejected due to target address not in allowed list of contracts, not allowed", paymaster.ErrPolicy},
		{-32001, "request denied by gas policy", paymaster.ErrPolicy},
		{-32001, "rejected due to max per user op spend limit exceeded", paymaster.ErrPolicy},
		{-32602, "User operation cost exceeds specified spend limit", paymaster.ErrPolicy},
		{-32602, "sender isn’t in policy’s allowlist", paymaster.ErrPolicy},
		{-32602, "sender address in policy's blocklist", paymaster.ErrPolicy},
		{-32602, "policy has ended", paymaster.ErrPolicy},
		{-32000, "This operation is not eligible for sponsorship", paymaster.ErrPolicy},
		{-32000, "UserOperation rejected: refusing to sponsor", paymaster.ErrPolicy},

		{-32602, "Policy's max spend per spender exceeded.", paymaster.ErrUserLimit},
		{-32602, "Policy’s max count per spender exceeded.", paymaster.ErrUserLimit},
		{-32001, "request denied - rejected due to maximum per address transaction count reached", paymaster.ErrUserLimit},
		{417, "User limit reached", paymaster.ErrUserLimit},
		{417, "Spending limit exceeded for smart account 0x6eB03766eCDD0306De87c0d272eaFEc9267a7c85", paymaster.ErrUserLimit},

		{-32602, "Policy max count exceeded.", paymaster.ErrGlobalLimit},
		{-32602, "Policy max spend global exceeded.", paymaster.ErrGlobalLimit},
		{-32602, "This userOp’s cost will put the team over their MAX token limit for this network.", paymaster.ErrGlobalLimit},
		{-32001, "rejected due to max monthly org spend limit", paymaster.ErrGlobalLimit},
		{-32000, "daily budget is used up", paymaster.ErrGlobalLimit},
		{417, "Global limit reached for all users", paymaster.ErrGlobalLimit},

		{-32000, "Insufficient Pimlico balance for sponsorship, please top up", paymaster.ErrGasTank},
		{417, "Insufficient funds in the gas tank", paymaster.ErrGasTank},
		{417, "Gas Tank balance is too low", paymaster.ErrGasTank},
		{-32508, "paymaster is out of money", paymaster.ErrGasTank},
		{-32500, "AA31 paymaster deposit too low", paymaster.ErrGasTank},
		{-32000, "paymaster deposit too low for the operation", paymaster.ErrGasTank},
		{-32000, "out of gas credits", paymaster.ErrGasTank},

		{-32000, "Insufficient USDC balance of the sender", paymaster.ErrBalance},
		{-32000, "token allowance too low", paymaster.ErrBalance},

		{-32000, "insufficient funds in paymaster account", paymaster.ErrGasTank},
		{-32000, "Sponsor wallet balance is too low", paymaster.ErrGasTank},
		{-32000, "paymaster is out of funds", paymaster.ErrGasTank},
		{-32000, "verifying paymaster does not have enough deposit", paymaster.ErrGasTank},
		{-32000, "the paymaster doesn't have enough funds", paymaster.ErrGasTank},
		{-32000, "Webhook denied the user operation", paymaster.ErrPolicy},
		{-32000, "the webhook could not be reached", nil},
		{-32005, "policy rate: no more", nil},
		{-32000, "Rate limit exceeded for this policy", nil},
		{-32000, "monthly request limit reached", nil},
		{-32000, "requests per second quota exceeded for account", nil},
		{-32001, "Unauthorized: policy belongs to another key", nil},
		{-32001, "API key not allowed", nil},
		{-32602, "Invalid Policy ID. Please ensure you're sending requests with the api key associated with the policy's app, and that the policy is active.", nil},
		{-32602, "policy not found", nil},
		{-32003, "policy service temporarily unavailable", nil},
		{-32000, "failed to load the sponsorship policies", nil},
		{-32000, "timed out while evaluating policies", nil},
		{-32601, "the method pm_getPaymasterData is not allowed", nil},
		{-32602, "chain 80002 is not supported by your policies", nil},
		{-32603, "Cannot read properties of undefined (reading 'policies')", nil},
		{-32602, "callGasLimit exceeds the maximum", nil},
		{-32602, "maxFeePerGas is over the limit", nil},
		{-32500, "AA23 reverted: policy of the session forbids it", nil},
		{-32521, "execution reverted: ERC20: transfer amount exceeds balance", nil},
		{-32000, "AA21 didn't pay prefund: insufficient funds", nil},
		{-32000, "header not found", nil},
	} {
		member := fmt.Sprintf(`{"code":%d,"message":%q}`, c.code, c.message)
		for _, service := range servicesAnswering(t, http.StatusOK, `{"error":`+member+`}`) {
			_, err := service.SponsorUserOperation(t.Context(), operation(), request(false))
			requireKind(t, c.want, err, c.message)
		}
	}
}

// Services put their words into shapes that are no JSON-RPC, under any status.
func TestRefusalsInAnyShape(t *testing.T) {
	const words = "userOp did not match any gas sponsoring policies or (no ERC20 gas token data present)"
	for _, c := range []struct {
		status int
		body   string
		want   error
	}{
		{http.StatusBadRequest, `{"error":"` + words + `"}`, paymaster.ErrPolicy},
		{http.StatusOK, `{"error":"` + words + `"}`, paymaster.ErrPolicy},
		{http.StatusOK, `{"error":{"data":{"error":"` + words + `"},"message":"bad request"}}`, paymaster.ErrPolicy},
		{http.StatusUnprocessableEntity, `{"error":{"reason":"` + words + `"}}`, paymaster.ErrPolicy},
		{http.StatusBadRequest, `{"statusCode":400,"message":"` + words + `"}`, paymaster.ErrPolicy},
		{http.StatusForbidden, `{"detail":"sender is not in the allowlist"}`, paymaster.ErrPolicy},
		{http.StatusForbidden, words, paymaster.ErrPolicy},
		{http.StatusPaymentRequired, `{"message":"gas tank is empty"}`, paymaster.ErrGasTank},
		{http.StatusInternalServerError, `{"error":{"code":-32603,"message":"No policies were set"}}`, paymaster.ErrPolicy},

		{http.StatusUnauthorized, `{"error":"no policies for this key"}`, nil},
		{http.StatusUnauthorized, `{"message":"policy denied"}`, nil},
		{http.StatusForbidden, `{"message":"Forbidden"}`, nil},
		{http.StatusForbidden, `{"error":"invalid api key"}`, nil},
		{http.StatusNotFound, `{"error":"project abc not found, no policies"}`, nil},
		{http.StatusTooManyRequests, `{"error":"policy limit of the account reached"}`, nil},
		{http.StatusBadGateway, `<html>Request rejected by policy</html>`, nil},
		{http.StatusServiceUnavailable, `{"error":"down"}`, nil},
		{http.StatusOK, `<html>policy</html>`, nil},
	} {
		for _, service := range servicesAnswering(t, c.status, c.body) {
			_, err := service.SponsorUserOperation(t.Context(), operation(), request(false))
			requireKind(t, c.want, err, fmt.Sprint(c.status, " ", c.body))
		}
	}
}

// Cases from the field of a service that refuses: its words are told, and the account may pay itself.
func TestRefusalsFromTheField(t *testing.T) {
	found := 0
	for line := range bytes.Lines(testutil.Cases(t, "services.jsonl")) {
		var c struct {
			ID, Fault, Body string
			Status          int
		}
		require.NoError(t, json.Unmarshal(line, &c))
		if !strings.HasPrefix(c.Fault, "10 ") {
			continue
		}
		found++
		var said struct{ Error string }
		_ = json.Unmarshal([]byte(c.Body), &said) // where it has this shape
		for _, service := range servicesAnswering(t, c.Status, c.Body) {
			_, err := service.SponsorUserOperation(t.Context(), operation(), request(false))
			require.ErrorIs(t, err, userop.ErrNotSponsored, c.ID)
			require.ErrorContains(t, err, said.Error, c.ID)
		}
	}
	require.Positive(t, found)
}

// An answer without a sponsorship is a refusal of the standard's methods; no answer is none.
func TestAnEmptyAnswerIsNotSponsored(t *testing.T) {
	for _, result := range []string{`null`, `{}`, `{"paymasterAndData":"0x"}`, `{"paymasterAndData":null}`} {
		server := jsonrpctest.Serve(t, jsonrpctest.Exchange{Method: "pm_getPaymasterData", Result: json.RawMessage(result)})
		client := paymaster.NewERC7677(server.URL, nil)
		defer client.Close()
		_, err := client.SponsorUserOperation(t.Context(), operation(), request(false))
		require.ErrorIs(t, err, userop.ErrNotSponsored, result)
		require.ErrorContains(t, err, "check that one of ", result)
	}
	client := paymaster.NewERC7677("http://127.0.0.1:1", nil)
	defer client.Close()
	_, err := client.SponsorUserOperation(t.Context(), operation(), request(false))
	require.NotErrorIs(t, err, userop.ErrNotSponsored)
}

func TestRefusalText(t *testing.T) {
	require.EqualError(t, &paymaster.Error{Method: "pm_getPaymasterData", Code: -32602, Message: "Policy max count exceeded."},
		"paymaster: pm_getPaymasterData: Policy max count exceeded. (code -32602): raise the limit for all accounts at the service, wait for its next period, or have the account pay")
	require.NotErrorIs(t, &paymaster.Error{Message: "hello"}, nil)
}

// Nothing is what a service of the standard's methods sponsors when it answers null.
func TestNullIsNoSponsorship(t *testing.T) {
	for _, service := range servicesAnswering(t, http.StatusOK, `{"jsonrpc":"2.0","id":1,"result":null}`)[1:] {
		_, err := service.SponsorUserOperation(t.Context(), &userop.Operation{}, userop.SponsorRequest{})
		require.ErrorIs(t, err, userop.ErrNotSponsored)
		require.ErrorContains(t, err, "check that one of the service's policies covers this call")
	}
}
