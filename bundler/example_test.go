package bundler_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/userop"
)

// service is a bundler that answers each method with the same words.
func service(answers map[string]string) *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var request struct {
			ID     json.RawMessage
			Method string
		}
		_ = json.NewDecoder(r.Body).Decode(&request)
		answer, ok := answers[request.Method]
		if !ok {
			answer = `"error":{"code":-32601,"message":"Method not found"}`
		}
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,%s}`, request.ID, answer)
	}))
}

func Example() {
	server := service(map[string]string{
		"eth_chainId":                      `"result":"0x13882"`,
		"pimlico_getUserOperationGasPrice": `"result":{"standard":{"maxFeePerGas":"0x59682f00","maxPriorityFeePerGas":"0x3b9aca00"}}`,
	})
	defer server.Close()
	ctx := context.Background()

	client := bundler.New(server.URL + "/v2/80002/rpc?apikey=secret")
	defer client.Close()
	chainID, err := client.ChainID(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	fees, err := client.Fees(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("chain", chainID, "wants", fees.MaxFeePerGas.Dec(), "wei per gas")
	// Output: chain 80002 wants 1500000000 wei per gas
}

func ExampleClient_SendUserOperation() {
	server := service(map[string]string{
		"eth_sendUserOperation": `"error":{"code":-32500,"message":"UserOperation reverted during simulation with reason: AA23 reverted: ABISV Arg Rule Violated"}`,
	})
	defer server.Close()

	client := bundler.New(server.URL)
	defer client.Close()
	entryPoint := common.HexToAddress("0x5FF137D4b0FDCD49DcA30c7CF57E578a026d2789")
	_, err := client.SendUserOperation(context.Background(), &userop.Operation{}, entryPoint)

	fmt.Println(errors.Is(err, bundler.ErrRejected))
	var aa *userop.AAError
	if errors.As(err, &aa) {
		fmt.Println(aa.Code, aa.Reason)
	}
	// Output:
	// true
	// AA23 reverted: ABISV Arg Rule Violated
}

func ExampleClient_UserOperationReceipt() {
	server := service(map[string]string{"eth_getUserOperationReceipt": `"result":null`})
	defer server.Close()

	client := bundler.New(server.URL)
	defer client.Close()
	_, err := client.UserOperationReceipt(context.Background(), common.Hash{1})
	fmt.Println(errors.Is(err, userop.ErrNotFound))
	// Output: true
}

func ExampleClient_UserOperationStatus() {
	server := service(map[string]string{"biconomy_getUserOperationStatus": `"result":{"state":"BUNDLER_MEMPOOL"}`})
	defer server.Close()

	client := bundler.New(server.URL)
	defer client.Close()
	status, err := client.UserOperationStatus(context.Background(), common.Hash{1})
	fmt.Println(status.State, err)
	// Output: pending <nil>
}
