// Package account acts for Biconomy Smart Accounts V2 on one chain.
//
// A [Client] holds the chain reader, the pipeline and the contract addresses; make one per process. From
// it comes an [Account], a cheap handle by address that needs no owner and does no I/O to make: it sends
// calls signed by a session key. An [OwnedAccount] has the owner at hand: it deploys the account with its
// first operation, and grants and revokes sessions.
//
// Before anything is signed, the node and the bundler have said that they serve the right chain and
// EntryPoint, the session was compared with the store and with the root on chain, and its policy with the
// call. What a paymaster or bundler proposes is held against the caller's caps.
package account
