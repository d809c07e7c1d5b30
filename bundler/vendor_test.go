package bundler_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/bundler"
)

// slow is a bundler that takes a second for each answer.
type slow map[string]string

func (s slow) RoundTrip(r *http.Request) (*http.Response, error) {
	var request struct {
		ID     uint64
		Method string
	}
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		return nil, err
	}
	select {
	case <-r.Context().Done():
		return nil, r.Context().Err()
	case <-time.After(time.Second):
	}
	body := fmt.Sprintf(`{"id":%d,%s}`, request.ID, s[request.Method])
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(body))}, nil
}

func TestDiscoveryCostsOneRoundTrip(t *testing.T) {
	const absent = `"error":{"code":-32601,"message":"Method not found"}`
	const price = `"result":{"maxFeePerGas":"0x59682f00","maxPriorityFeePerGas":"0x3b9aca00"}`
	const tiers = `"result":{"standard":{"maxFeePerGas":"0x59682f00","maxPriorityFeePerGas":"0x3b9aca00"}}`
	for _, answers := range []slow{
		{"biconomy_getGasFeeValues": price, "pimlico_getUserOperationGasPrice": absent},
		{"biconomy_getGasFeeValues": absent, "pimlico_getUserOperationGasPrice": tiers},
		{"biconomy_getGasFeeValues": price, "pimlico_getUserOperationGasPrice": tiers},
	} {
		synctest.Test(t, func(t *testing.T) {
			client := bundler.New("https://bundler.example", bundler.WithHTTPClient(&http.Client{Transport: answers}))
			start := time.Now()
			got, err := client.Fees(t.Context())
			require.NoError(t, err)
			require.Equal(t, standard, got)
			require.Equal(t, time.Second, time.Since(start))
		})
	}
}
