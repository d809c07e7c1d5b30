// Package outbox writes sends down before they are sent, so that each happens once: whatever crashes between
// the signature and the receipt, another process finds the signed bytes and goes on with them.
//
// An [Entry] is one send of one account on one chain under one key, which the caller chooses. It is recorded
// with its signed operation before any service has it ([Outbox.Record]); the same key again finds it
// ([Outbox.Find]). An operation that services refused is followed by another one for the same nonce
// ([Outbox.AddAttempt]), so that one of them lands at most. What the chain shows in the end settles the entry
// ([Outbox.Settle]), once and for all:
//
//	open ──┬── landed     one of its operations was included, and its call succeeded
//	       ├── reverted   one was included, and its call reverted
//	       └── ended      none will be: the nonce was used by another one, or their time is over
//
// Who sends holds the entry's lease. Entries whose lease ran out, and settled ones that nobody was told of,
// are handed to whoever asks ([Outbox.Claim]). A lease is about who works, not about what may happen: one
// that was lost to another process while its holder slept changes nothing on chain, as both send the same
// bytes, and the entry's version keeps the sleeper from overwriting what was written since.
//
// What sends may cost and did cost is counted beside them, for budgets of a day ([Budgeter]).
//
// [NewMemory] makes one for tests. The stores of packages pgstore, filestore and memstore have one beside the
// sessions they keep. Who writes another finds the rules in [Row], and the suite that all of them pass in
// package session/storetest.
package outbox
