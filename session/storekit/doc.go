// Package storekit has what only whoever writes a store or a keyring needs; its users do not.
//
// A store is a [session.Store]: four methods, of which Apply does the work. It checks the change
// ([CheckChange]), compares the version ([ConflictError]) and makes the change durable. A store that keeps
// whole states makes the next one with [Apply]; one that writes leaf by leaf does what Apply does to those
// concerned. Hold gives what it holds back in time by [Hold]. Load of what was never stored is
// [NotFoundError], and what is loaded, or was given to be stored, shares no memory with the caller's.
//
// Beside that a store may be
//
//   - a [session.Keyring] and [session.KeySealer]: [NewKey] and [ImportKey] make a key and wipe it once the
//     store has put it away, sealed and bound by [seal.AssociatedData]; [SealKey] uses one. A key that is not
//     there is [NoKeyError]. If keys sign in the store's process it says so as a [session.LocalKeyring]; if
//     they sign elsewhere, [CheckSignature] tells in its tests whether contracts take what comes back.
//   - a [session.Lister]: [Start] says where a page begins, and [Collect], or [CollectState] for a whole
//     account, fills it, in the order of [Place.Compare]; [PageSize] and [CompareRefs] do for ListPending.
//   - a [session.LaneLeaser]: [CheckLease], [NewLaneKey] and [LaneLostError].
//   - a [Recorder], with an outbox beside the sessions: [CheckRecording], and the rules in [outbox.Row].
//   - an [io.Closer], after which every method returns an error matching [session.ErrClosed].
//
// One that is all of it is a [session.FullStore], as those of packages memstore, filestore and pgstore are:
// they are worth reading in this order. Run [storetest.Run] on yours, and [storetest.Crash] if it is to
// survive one; an outbox has [storetest.RunOutbox] and [storetest.CrashOutbox].
//
// [storetest.Run]: https://pkg.go.dev/github.com/go-sesame/sesame/session/storetest#Run
// [storetest.Crash]: https://pkg.go.dev/github.com/go-sesame/sesame/session/storetest#Crash
// [storetest.RunOutbox]: https://pkg.go.dev/github.com/go-sesame/sesame/session/storetest#RunOutbox
// [storetest.CrashOutbox]: https://pkg.go.dev/github.com/go-sesame/sesame/session/storetest#CrashOutbox
// [io.Closer]: https://pkg.go.dev/io#Closer
package storekit
