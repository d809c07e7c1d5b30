package storetest

import (
	"io"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/session"
)

// Config says how to open the store under test and what it cannot do.
type Config struct {
	// Open returns a new, empty store. What has to be closed, it leaves to t.Cleanup. The store is tested as
	// a [session.Keyring], a [session.Lister], a [session.LaneLeaser], a [session.Switch], a
	// [session.Differ], a [session.Pinger] and an [io.Closer] too, if it is one.
	Open func(t *testing.T) session.Store
	// Reopen ends the use of a store that Open returned and opens its data again, as after a restart. Leave
	// it nil for a store that forgets.
	Reopen func(t *testing.T, store session.Store) session.Store
	// Join opens the data of a store that stays in use once more, as a second process does. Leave it nil for
	// a store that belongs to one process.
	Join func(t *testing.T, store session.Store) session.Store
	// ChainID is set for a store that knows one chain only and refuses others.
	ChainID uint64
	// Leaves is how many the account with many has, 10,000 by default.
	Leaves int
}

// Run tests a store.
func Run(t *testing.T, c Config) {
	t.Helper()
	t.Run("unknown ref", c.testUnknownRef)
	t.Run("changes", c.testChanges)
	t.Run("refused changes", c.testRefusedChanges)
	t.Run("every field", c.testEveryField)
	t.Run("order of the tree", c.testOrder)
	t.Run("no shared memory", c.testNoSharedMemory)
	t.Run("isolation", c.testIsolation)
	t.Run("model", c.testModel)
	t.Run("changes since a version", c.testDiffer)
	t.Run("compare and set", c.testCompareAndSet)
	t.Run("hold", c.testHold)
	t.Run("inside a hold", c.testInsideHold)
	t.Run("signer that hangs", c.testHungSigner)
	t.Run("hold against apply", c.testHoldAgainstApply)
	t.Run("cancelled context", c.testCancelled)
	t.Run("many leaves", c.testLarge)
	t.Run("reopen", c.testReopen)
	t.Run("keyring", c.testKeyring)
	t.Run("suspend", c.testSuspend)
	t.Run("stops", c.testStops)
	t.Run("stop under load", c.testStopUnderLoad)
	t.Run("stop and reopen", c.testStopReopen)
	t.Run("list", c.testList)
	t.Run("list pending", c.testListPending)
	t.Run("lanes", c.testLanes)
	t.Run("recorder", c.testRecorder)
	t.Run("ping", c.testPing)
	t.Run("close", c.testClose)
}

// ref returns the n-th account, all on one chain.
func (c *Config) ref(n int) session.Ref {
	chain := c.ChainID
	if chain == 0 {
		chain = 80002
	}
	return session.Ref{ChainID: chain, Account: common.BigToAddress(bigInt(0xacc0000 + n))}
}

// stores returns the store under test, twice where it can be joined.
func (c *Config) stores(t *testing.T) []session.Store {
	store := c.Open(t)
	if c.Join == nil {
		return []session.Store{store, store}
	}
	return []session.Store{store, c.Join(t, store)}
}

func (c *Config) testClose(t *testing.T) {
	store := c.Open(t)
	closer, ok := store.(io.Closer)
	if !ok {
		return // nothing to close
	}
	checkClosed(t, store, closer, c.ref(0))
}
