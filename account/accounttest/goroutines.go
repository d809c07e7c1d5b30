package accounttest

// LeftGoroutines names the functions of goroutines that go-ethereum's node leaves behind when a [Chain] is
// closed, for tests that look for leaks: goleak.IgnoreTopFunction takes such a name.
func LeftGoroutines() []string {
	return []string{
		// A pool of workers that the process makes once, however many chains there are.
		"github.com/ethereum/go-ethereum/core.(*txSenderCacher).cache",
		// The node's (empty) table of peers; its database takes a second after it was closed.
		"github.com/syndtr/goleveldb/leveldb.(*DB).mpoolDrain",
	}
}
