package testutil

import "go.uber.org/goleak"

// IgnoreChain are the goroutines that go-ethereum's node leaves behind when a [Chain] is closed, for tests that
// look for leaks with goleak.
func IgnoreChain() []goleak.Option {
	return []goleak.Option{
		// A pool of workers that the process makes once, however many chains there are.
		goleak.IgnoreTopFunction("github.com/ethereum/go-ethereum/core.(*txSenderCacher).cache"),
		// The node's (empty) table of peers; its database takes a second after it was closed.
		goleak.IgnoreTopFunction("github.com/syndtr/goleveldb/leveldb.(*DB).mpoolDrain"),
	}
}
