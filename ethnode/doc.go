// Package ethnode connects to a node of the chain, as packages bundler and paymaster do to theirs: what
// [Dial] returns is the Chain of an account.Config.
//
//	node, err := ethnode.Dial(nodeURL)
//
// go-ethereum's own ethclient.Dial does for that, too, and for nodes behind a WebSocket or a socket. Over
// HTTP it follows redirects, and tells where they lead the whole URL that it came from, key included, as
// Referer; it waits for an answer without end, and reads one of any length. A client of this package does
// not, and its errors name the node by its host alone.
//
// A [Pool] is several nodes as one: the next is asked where one fails, or lags behind.
package ethnode
