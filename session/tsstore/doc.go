// Package tsstore reads and writes the two JSON files in which the TypeScript SDK's file storage keeps the
// sessions of an account, so that both can work beside each other:
//
//	0x…_sessions.json  {"merkleRoot": "0x…", "leafNodes": [{"sessionID": …, "status": "ACTIVE", …}, …]}
//	0x…_signers.json   {"0x…": {"pvKey": "0x…", "pbKey": "0x…"}, …}
//
// Session keys lie there in clear, hence [OpenPlaintext]. For anything else than working beside that SDK, or
// moving away from it, take another store.
//
// # What the format lacks
//
// It knows no chain: keep one directory per chain. A store is opened for one chain ID and refuses others, and
// files written here name it.
//
// It has no locks. This package locks against itself, between processes too, replaces whole files at once and
// makes them durable. The SDK does not: a write of its own, at the same moment as one from here, can undo it,
// and a file that it is just writing reads as broken for a moment.
//
// # What a file of the SDK means
//
// The SDK writes a leaf down as PENDING, then the root with it, before its operation was even sent. Which
// leaves the root covers is not written down; it is found by computing: all of them, as the SDK does it, or
// those with certain statuses. They get [session.Leaf].InTree; a PENDING one can be used once the root is on
// chain. A root that fits none of these is an error matching [session.ErrRootMismatch]; [Store.Inspect] says
// what became of it. An empty root stands for all leaves.
//
// EXPIRED is what time makes of a leaf. One that is called so before its window is over is taken as revoked,
// as are REVOKED and INACTIVE ones: none of them signs.
//
// # What this package writes
//
// The SDK builds its tree over all of leafNodes, so these are the leaves in the account's tree and no others:
// its proofs hold as long as the stored root is on chain, and a root it sets does not bring a revoked leaf
// back. Leaves that wait for their operation, and tombstones that have left the tree, are kept apart in the
// field "sesame", which the SDK ignores and preserves; so are fields of the SDK that mean nothing here.
//
// The field has a form of its own. What earlier programs wrote is read, and written in the form of now at the
// next change; a program that knows only an earlier form stops at a file that was changed since.
//
// Files are written with mode 0600, directories with 0700.
//
// # Moving away, and back
//
// [Store.Inspect] reads files that nothing else here would read, and reports what was spoilt in them:
// references padded on the wrong side, texts taken for hex, revoked leaves in the tree, roots that do not
// match, keys that are missing, wrong or readable by others. [Transfer] takes sessions and keys over into any
// other store, and refuses what it would have to guess at. [TransferBack] writes sessions into the SDK's
// files, so that the SDK can prove with it.
//
// The SDK's revokeSessions adds the leaves that stay to a tree that has all of them. What it then sets on
// chain has most leaves twice and the revoked one still in it, and the SDK itself cannot prove with its files
// any more. [RepeatLeaves] takes such a tree over as it is on chain: what is in force goes on working, and
// the next grant or revocation sets a clean root.
package tsstore
