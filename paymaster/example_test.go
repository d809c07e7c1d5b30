package paymaster_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/paymaster"
	"github.com/go-sesame/sesame/userop"
)

// service is a paymaster that always answers the same words.
func service(answer string) *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var request struct{ ID json.RawMessage }
		_ = json.NewDecoder(r.Body).Decode(&request)
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,%s}`, request.ID, answer)
	}))
}

func ExampleClient_SponsorUserOperation() {
	server := service(`"result":{"paymasterAndData":"0x00000f79b7faf42eebadba19acc07cd08af44789","callGasLimit":"120000","verificationGasLimit":250000,"preVerificationGas":"0xea60"}`)
	defer server.Close()

	client := paymaster.New(server.URL + "/api/v1/80002/secret")
	defer client.Close()
	sponsorship, err := client.SponsorUserOperation(context.Background(), &userop.Operation{}, userop.SponsorRequest{CalculateGasLimits: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(common.BytesToAddress(sponsorship.PaymasterAndData[:20]), sponsorship.CallGasLimit.Dec())
	// Output: 0x00000f79B7FaF42EEBAdbA19aCc07cD08Af44789 120000
}

func ExampleClient_SponsorUserOperation_refused() {
	server := service(`"error":{"code":417,"message":"No policies were set"}`)
	defer server.Close()

	client := paymaster.New(server.URL)
	defer client.Close()
	_, err := client.SponsorUserOperation(context.Background(), &userop.Operation{}, userop.SponsorRequest{})
	var refused *paymaster.Error
	if errors.As(err, &refused) {
		fmt.Println(refused.Message)
	}
	// Output: No policies were set
}

func ExampleClient_FeeQuotes() {
	server := service(`"result":{"mode":"ERC20","feeQuotes":[{"symbol":"USDC","tokenAddress":"0x41E94Eb019C0762f9Bfcf9Fb1E58725BfB0e7582","decimal":6,"maxGasFee":0.0123,"premiumPercentage":"12"}],"paymasterAddress":"0x00000f7365cA6C59A2C93719ad53d567ed49c14C"}`)
	defer server.Close()

	client := paymaster.New(server.URL)
	defer client.Close()
	quotes, err := client.FeeQuotes(context.Background(), &userop.Operation{}, userop.QuoteRequest{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, quote := range quotes.Quotes {
		fmt.Println("approve", quote.Paymaster, "for", quote.MaxFee.Dec(), "base units of", quote.Symbol)
	}
	// Output: approve 0x00000f7365cA6C59A2C93719ad53d567ed49c14C for 12300 base units of USDC
}

func ExampleNewERC7677() {
	server := service(`"result":{"paymasterAndData":"0x00000f79b7faf42eebadba19acc07cd08af44789","isFinal":true,"sponsor":{"name":"Acme"}}`)
	defer server.Close()

	client := paymaster.NewERC7677(server.URL, map[string]string{"policyId": "calm"})
	defer client.Close()
	stub, err := client.StubData(context.Background(), &userop.Operation{}, entryPoint, 80002)
	fmt.Println(stub.Sponsor, stub.Final, err)
	// Output: Acme true <nil>
}
