// Package storetest is the conformance suite for session stores and keyrings: what every
// [session.Store], [session.Keyring], [session.Lister] and [session.LaneLeaser] must do, as tests. A store of your own runs
// it in a test:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, storetest.Config{
//			Open: func(t *testing.T) session.Store { return mystore.New(t.TempDir()) },
//		})
//	}
//
// [Crash] kills a process that works on a store, again and again, and looks at what it left.
package storetest
