// Package memstore keeps sessions and session keys in memory: for tests and experiments, as it forgets
// everything with the process.
//
//	store := memstore.New()
//	key, err := store.NewKey(ctx, ref)
//
// It has an outbox beside the sessions ([Store.Outbox]), which forgets as well.
//
// It does all that the stores on disk do ([session.FullStore]), and is the one to read first for whoever
// writes another; package storekit has what that takes.
package memstore
