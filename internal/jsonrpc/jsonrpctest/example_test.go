package jsonrpctest_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/go-sesame/sesame/internal/jsonrpc/jsonrpctest"
)

// A server that is busy at first.
func ExampleStartServer() {
	server, err := jsonrpctest.StartServer(jsonrpctest.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	server.On("eth_chainId",
		jsonrpctest.Status(http.StatusServiceUnavailable, "busy").WithHeader("Retry-After", "1"),
		jsonrpctest.Result("0x13882"))

	for range 2 {
		response, err := http.Post(server.URL(), "application/json",
			bytes.NewBufferString(`{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}`))
		if err != nil {
			fmt.Println(err)
			return
		}
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		fmt.Println(response.StatusCode, strings.TrimSpace(string(body)))
	}
	fmt.Println(server.Count("eth_chainId"), "requests")
	http.DefaultClient.CloseIdleConnections()
	// Output:
	// 503 busy
	// 200 {"id":1,"jsonrpc":"2.0","result":"0x13882"}
	// 2 requests
}
