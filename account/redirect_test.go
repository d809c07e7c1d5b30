package account_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"sync/atomic"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/bundler"
)

// A node's client that follows no redirect, and so tells nobody else the URL with its key.
func ExampleConfig_withoutRedirects() {
	ctx := context.Background()
	var led atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { led.Add(1) }))
	defer elsewhere.Close()
	node := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	defer node.Close()
	url := node.URL + "/v2/api-key"

	conn, err := rpc.DialOptions(ctx, url, rpc.WithHTTPClient(&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}))
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	client, err := account.NewClient(account.Config{ChainID: 80002, Chain: ethclient.NewClient(conn), Bundler: bundler.New("https://bundler.example/key")})
	if err != nil {
		log.Fatal(err)
	}
	_, err = client.SessionRoot(ctx, common.HexToAddress("0x1111111111111111111111111111111111111111"))
	fmt.Println(err)
	fmt.Println("asked elsewhere:", led.Load())
	// Output:
	// getSessionKeys of 0x1111111111111111111111111111111111111111: 307 Temporary Redirect
	// asked elsewhere: 0
}
