// Soak sends for many users through services that fail in every way we have seen, with processes that are
// killed, and counts on chain what became of it: nothing may be lost, sent twice or told wrongly.
//
//	go run ./internal/testutil/soak                    # 60 seconds
//	go run ./internal/testutil/soak -sends 5000 -v
//	go run ./internal/testutil/soak -store file -seed 7
//
// One process has the chain, with the real contracts, and the services, each of them twice, behind a pool in
// the workers; a fault proxy stands before each. Bundlers die, lose their mempools and come back, the other
// services are out of reach now and then. What is stuck is replaced by its worker, or cancelled by its owner,
// in part. Workers are processes of their own, of three parts at once: one whose sessions are in memory, one
// with a file, which is killed now and then, and several over one database, which are killed too. A worker
// sends with session keys as an application does, and keeps a ledger of what it does and is told: a line for
// each event, written before what it tells of. Its successor reads the ledger and finishes what is open.
//
// Each send is a job with a number, which is what it mints of the demo token: so the chain tells how often a
// job was done. At the end the services are calm, and every job has to have ended; the checker then compares
// the ledgers with the chain and prints a table, and for each thing that is wrong the story of its job.
package main
