// Package session has what a user grants to a dapp, for Biconomy's Smart Account V2: sessions, each a key
// with narrow permissions, as the leaves of a Merkle tree whose root the account keeps on chain.
//
// A session is what one key may do. A [policy.Policy] says it, and is granted as a [Leaf] under an ID that
// [Named] chooses. All that one account has granted on one chain, named by a [Ref], are its [Sessions]. They
// are loaded from a [Store] by [Open]; [Sessions.Leaf], [Sessions.ByID] and their kin choose one to act with,
// and a [Signer] proves it and signs with its key, which a [Keyring] holds.
//
//	sess, err := session.Open(ctx, store, user.Ref())
//	tx, err := user.Send(ctx, calls, account.WithSession(sess.ByID("minting")), account.Sponsored())
//	...
//	tx, err = owner.Revoke(ctx, sess, "minting", account.Sponsored()) // signs no more from here on
//	receipt, err := sess.Activate(ctx, tx)                            // and is out of the tree on chain
//
// The stores that keep everything are a [FullStore]: packages memstore, filestore and pgstore. Package
// storekit is for writing another one.
//
// # What is checked
//
// A signature comes only from a leaf that is active, within its window and not revoked in the newest version
// of the store, and it is checked against the leaf's key before it is used. [Signer.CheckCalls] answers
// beforehand what the validation module would answer on chain, with the rule and both values as a
// [*policy.Violation]. [Lint] looks for what is risky in leaves, and [Leaf.Describe] says in words what one
// allows.
//
// # How an account's sessions change
//
// The newest root on chain wins, and a root cancels every session it leaves out. So a change goes in two
// phases: a [RootChange] is stored as pending with its signed operation before it is sent, and it becomes
// final when the chain shows its root ([Sessions.Activate]). After a crash, [Sessions.Reconcile] decides by
// the chain, and by nothing else: its root, the operation's nonce, and the end of the operation's window by
// the time of a block; account.Account's Reconcile sends the stored operation again besides, and its client's
// ReconcileAll does so for a whole store ([Lister].ListPending). A root on chain that the store does not know
// is a [*RootMismatch]; [Sessions.Adopt] and [Sessions.PlanRestore] settle it with another service's
// [Document].
//
// A chain may take back a block in which a change landed. The last one is kept ([LandedRoot]), so that
// Reconcile can make it pending again where the chain shows the root from before it; signing only says so, as
// a node that lags behind shows the same. What was revoked stays so through all of this.
//
// # How a key is stopped
//
// [Sessions.Suspend] stores a tombstone, and needs nothing but the store for it: from then on no process that
// shares the store signs with the session, for good. Where the sessions do not open, [Suspend] does it. On
// chain the leaf still stands ([Leaf.Standing]): whoever has the key elsewhere can use it until the owner's
// revocation lands. An account.OwnedAccount's Revoke does both, the tombstone first; where it gets no
// further, [Query].Standing finds what is left to revoke.
//
// A backup has no tombstone that is younger. Restore one while no program runs on the store, which tells
// versions apart by their number alone, and suspend again what was stopped since.
package session
