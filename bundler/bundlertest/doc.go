// Package bundlertest stands in for a bundler in tests: a JSON-RPC service on 127.0.0.1 on which everything
// goes well until it is told otherwise, method by method, and which keeps a log of what it was asked.
//
//	server := bundlertest.NewServer(t, bundlertest.Config{})
//	server.On("eth_sendUserOperation", bundlertest.Fail(-32500, "AA25 invalid account nonce"))
//	client := bundler.New(server.URL())
//
// It validates nothing and runs nothing: an operation is accepted whatever is in it, and its receipt is made
// up. A client of package account does not believe such a receipt, since its node does not show the
// inclusion. For operations that are really carried out see package accounttest, whose bundler a [Server] can
// stand before ([Config].Forward), so that what goes through is real and what is scripted goes wrong.
package bundlertest
