package bundler_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/userop"
)

// Vendors say the same things in words and under codes of their own. The rows are written after their manner,
// to be told apart by kind; they are not quotations. Recorded answers are in services.jsonl.
func TestWhatVendorsMean(t *testing.T) {
	file, err := os.Open("testdata/vendors.jsonl")
	require.NoError(t, err)
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var row struct {
			Name, Method, Want string
			Status             int
			Error              json.RawMessage
		}
		require.NoError(t, json.Unmarshal(lines.Bytes(), &row))
		t.Run(row.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := bundler.New("https://bundler.example/v2/k-123456", bundler.WithHTTPClient(&http.Client{Transport: refusing{row.Method, row.Status, string(row.Error)}}))
				defer client.Close()
				var err error
				switch row.Method {
				case "eth_sendUserOperation":
					_, err = client.SendUserOperation(t.Context(), operation(), entryPoint)
				case receiptMethod:
					_, err = client.UserOperationReceipt(t.Context(), opHash)
				case estimateMethod:
					_, err = client.EstimateUserOperationGas(t.Context(), operation(), entryPoint, nil)
				case biconomyFees:
					_, err = client.Fees(t.Context())
				}
				requireMeaning(t, row.Want, err)
			})
		})
	}
	require.NoError(t, lines.Err())
}

func requireMeaning(t *testing.T, want string, err error) {
	t.Helper()
	if want == "known" {
		require.NoError(t, err)
		return
	}
	require.Error(t, err)
	require.NotContains(t, err.Error(), "k-123456")
	var answer *bundler.Error
	errors.As(err, &answer)
	sent := &userop.Error{Step: userop.StepSend, Operation: operation(), Err: err}
	switch want {
	case "refused":
		require.False(t, userop.MayBeAccepted(sent), "%v", err)
		require.False(t, answer.Temporary(), "%v", err)
	case "later":
		require.False(t, userop.MayBeAccepted(sent), "%v", err)
		require.True(t, answer.Temporary(), "%v", err)
	case "open":
		require.True(t, userop.MayBeAccepted(sent), "%v", err)
		require.True(t, answer.Temporary(), "%v", err)
	case "unknown":
		require.ErrorIs(t, err, userop.ErrNotFound)
		require.NotErrorIs(t, err, bundler.ErrMethodNotFound)
	case "limited":
		require.ErrorIs(t, err, bundler.ErrRateLimited)
	case "key":
		require.ErrorContains(t, err, "check the key in the URL of https://bundler.example/…")
		require.False(t, answer.Temporary(), "%v", err)
	case "missing":
		require.ErrorIs(t, err, userop.ErrNoFees)
	default:
		t.Fatalf("no meaning %q", want)
	}
}

// refusing answers one method with an error, and eth_chainId as it should be.
type refusing struct {
	method string
	status int
	error  string
}

func (r refusing) RoundTrip(request *http.Request) (*http.Response, error) {
	asked, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, err
	}
	status, body := r.status, `{"jsonrpc":"2.0","id":1,"error":`+r.error+`}`
	switch {
	case strings.Contains(string(asked), `"eth_chainId"`):
		status, body = http.StatusOK, fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"result":%d}`, chainID)
	case !strings.Contains(string(asked), `"`+r.method+`"`):
		status, body = http.StatusOK, strings.ReplaceAll(unknownMethod, "$ID", "1")
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}, nil
}
