// Package pgstore keeps sessions and sealed session keys in PostgreSQL: the store for many replicas.
//
//	passphrase, err := seal.NewPassphrase(secret, seal.Cost{})
//	store, err := pgstore.Open(ctx, os.Getenv("DATABASE_URL"), pgstore.Config{Sealer: passphrase})
//	defer store.Close()
//
// # Changes
//
// A change is a compare-and-set in one statement and one round trip: it is made by the database, in a
// function (sesame_apply in schema/0002_suspend.sql), if the sessions are still at the version that the
// change was decided on. What one replica has committed, all see at once; a replica caches no sessions beyond
// their version.
//
// While a session key signs, its account's sessions are held under a shared lock, and a change takes the same
// lock alone: once a revocation is committed, no replica signs any more. The lock is an advisory one. It
// writes nothing to disk, and signers that keep coming do not keep a revocation waiting. Only functions of
// the schema take it: whoever changes sesame_sessions or sesame_leaves by hand calls sesame_apply, and rows
// changed in another way do not fit their checksums, which is an error matching [session.ErrDamaged]. Whoever
// signs or makes a change has a connection to itself meanwhile: pool_max_conns less one is how many of a
// process do at once.
//
// Operations end with their context, in the server too, and after [Config.Timeout] in any case. What the
// server could not serialize is tried again, as nothing of it was done; nothing else is.
//
// # Schema
//
// [Open] makes and upgrades the tables, which are named sesame_…, in the first schema of search_path.
// Replicas may start at once: one of them does it. A role that may only select, insert, update and delete
// suffices once it is done. Steps go forward only. A program refuses a schema that is newer than it knows,
// and one that runs already is refused by the database, from its next signature or change on, with an error
// matching [ErrSchema]: replicas of one database are updated together.
//
// PostgreSQL 13 or newer is needed. A pooler such as PgBouncer may stand in between in transaction mode, if
// default_query_exec_mode=exec is in the connection string.
//
// # Outbox
//
// [Store.Outbox] keeps sends that happen once, in the same database: the key is unique there, whatever
// process records it, entries are claimed past those that another process is about to have (SKIP LOCKED), and
// who listens is told of what is due (LISTEN, NOTIFY). [Store.ApplyRecording] changes sessions and records
// the send that carries the change out in one transaction. A row that does not fit its checksum is claimed by
// nobody.
//
// What a send may cost of its account's budgets is reserved and counted in the same database
// (outbox.Budgeter): one at a time reserves for an account, and what is reserved ends in the transaction that
// settles or frees the send. [Store.Stop] throws the kill switch for all processes: signers share a lock
// that it takes alone, so that none signs any more once it is committed. Both are under no checksum, as
// operators may have to change them.
//
// # Keys
//
// Keys are stored sealed under a data key, each bound to its chain, account and address. The data key is
// sealed by [Config.Sealer], which is asked once by each process: a passphrase, a Tink keyset or a KMS.
// [Store.Rotate] changes the data key and what seals it, and seals all keys anew. In memory a key is open for
// one signature.
package pgstore
