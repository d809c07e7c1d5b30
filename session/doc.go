// Package session has what a user grants to a dapp: session keys with narrow permissions, as leaves of
// a Merkle tree whose root the user's smart account keeps on chain.
//
// A [policy.Policy] says what a key may do and is granted as a [Leaf], under an ID of its own that [Named] chooses.
// The leaves of an account on one chain, named by a [Ref], are a [Sessions]; [Open] loads it from a [Store].
// [Sessions.Leaf] and its kin choose a leaf, and a [Signer] proves it and signs with its key, which a [Keyring]
// holds.
//
// # What is checked
//
// A signature comes only from a leaf that is active, within its window and not revoked in the newest
// version of the store, and it is checked against the leaf's key before it is used. [Signer.CheckCalls]
// answers beforehand what the validation module would answer on chain, with the rule and both values as
// a [*policy.Violation]. [Lint] looks for what is risky in leaves, and [policy.Compiled.Describe] says in words what
// one allows.
//
// # How a session changes
//
// The newest root on chain wins, and a root cancels every session it leaves out. So a change goes in two
// phases: a [RootChange] is stored as pending with its operation before it is sent, and it becomes final
// when the chain shows its root ([Sessions.Activate]). After a crash, [Sessions.Reconcile] decides by the
// chain. A revoked leaf stops signing the moment its tombstone is stored, in every process that shares
// the store. A root on chain that the store does not know is a [*RootMismatch]; [Sessions.Adopt] and
// [Sessions.PlanRestore] settle it with another backend's [Document].
package session
