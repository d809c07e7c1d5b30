package storetest_test

import (
	"testing"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/storetest"
	"github.com/go-sesame/sesame/userop/outbox"
)

// The tests of a store of your own. What else it is to be tested as, beside a store, the suite tells by its
// interfaces.
func Example() {
	_ = func(t *testing.T) { // func TestStore(t *testing.T)
		storetest.Run(t, storetest.Config{
			Open: func(*testing.T) session.Store { return memstore.New() },
			// Reopen and Join for one that outlives a process, and that several share.
		})
	}
	_ = func(t *testing.T) { // func TestOutbox(t *testing.T)
		storetest.RunOutbox(t, storetest.OutboxConfig{
			Open: func(*testing.T) outbox.Outbox { return outbox.NewMemory() },
		})
	}
	// Output:
}
