// Package storetest is the conformance suite for stores of sessions and for keyrings: what every
// [session.Store], [session.Keyring], [session.Lister] and [session.LaneLeaser], and so every
// [session.FullStore], must do, as tests. A store of your own runs it in a test:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, storetest.Config{
//			Open: func(t *testing.T) session.Store { return mystore.New(t.TempDir()) },
//		})
//	}
//
// It tells by the interfaces that the store has what else it is to be tested as. [Crash] kills a process that
// works on a store, again and again, and looks at what it left.
//
// Package storekit has what the stores of this module are made of.
package storetest
