// Sesame is the command line of the library: a look into a store of sessions, and what an operator does to
// one at three in the morning.
//
//	go install github.com/go-sesame/sesame/cmd/sesame@latest
//
//	sesame inspect -store ./sessions                       # which accounts, what waits, what needs action
//	sesame inspect -store ./sessions -account 0x… -node @/run/secrets/node
//	sesame stop    -store ./sessions -everything -why "leaked replica"
//	sesame decode  0x08c379a0…                             # a revert, an operation, call data: in words, offline
//	sesame devnet                                          # a chain with a bundler and a paymaster, to try things
//
// # Where things are
//
// A store is a directory of package filestore, the URL of a PostgreSQL database, or "ts:DIR" for the files
// of the TypeScript SDK. It is named by -store or SESAME_STORE; services are named by -node, -bundler and
// -paymaster, or SESAME_NODE, SESAME_BUNDLER and SESAME_PAYMASTER. These may hold keys and passwords:
// "@FILE" reads one from a file, and none is ever printed. What seals session keys is named by -seal or
// SESAME_SEAL, as a file: of a passphrase, or with "key:FILE" of 32 bytes.
//
// # What it says
//
// Results go to standard output as tables for people, or with -json as one JSON value whose field names are
// stable. Progress, questions and errors go to standard error. Text of others, be it a session's ID or a
// service's words, is printed without its control characters. Exit codes tell a failure from a usage error
// from something that was found and needs action: see "sesame help exit-codes".
//
// What cannot be undone, or stops or moves keys, says first what it will do, and does it after a yes at the
// terminal or with -yes.
package main
