package bundlertest_test

import (
	"context"
	"fmt"
	"net/http"

	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/bundler/bundlertest"
	"github.com/go-sesame/sesame/userop"
)

// A bundler that is busy at first, and then refuses.
func Example() {
	server, err := bundlertest.StartServer(bundlertest.Config{}) // in a test: bundlertest.NewServer(t, …)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	server.On("eth_chainId",
		bundlertest.Status(http.StatusServiceUnavailable, "busy"),
		bundlertest.Result("0x13882"))
	server.On("eth_sendUserOperation", bundlertest.Fail(-32500, "AA25 invalid account nonce"))

	client := bundler.New(server.URL())
	defer client.Close()
	id, err := client.ChainID(context.Background())
	fmt.Println(id, err, server.Count("eth_chainId"))
	_, err = client.SendUserOperation(context.Background(), new(userop.Operation), [20]byte{})
	fmt.Println(err)
	// Output:
	// 80002 <nil> 2
	// bundler: eth_sendUserOperation: AA25 invalid account nonce (code -32500): the nonce was used already or skips one; read the account's nonce again and build a new operation
}
