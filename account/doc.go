// Package account acts for Biconomy Smart Accounts V2 on one chain.
//
// A [Client] holds the chain reader, the pipeline and the contract addresses; make one per process. From
// it comes an [Account], a cheap handle by address that needs no owner and does no I/O to make: it sends
// calls signed by a session key. An [OwnedAccount] has the owner at hand: it deploys the account with its
// first operation, grants and revokes sessions, changes modules and owners, signs messages and withdraws
// funds. With the multichain ownership module one signature does for several chains ([SendTogether],
// [GrantTogether]).
//
// The account pays for its operations itself, a paymaster does ([Sponsored]), or the account pays a paymaster in
// tokens, with the approval in the same operation ([PayWith]).
//
// What is to be known of an account is read in one request, as of one block: its [State], its balances,
// whether a signature is its own. What an operation would cost, and whether it would succeed, is told
// without sending it (Estimate, Simulate).
//
// Before anything is signed, the node and the bundler have said that they serve the right chain and
// EntryPoint, the owner was compared with the account's, or the sessions with the store and with the root
// on chain, and its policy with the call. What would lock the owner out is refused. What a paymaster or
// bundler proposes is held against the caller's caps.
//
// Operations of one account wait for each other, since its nonces count up one by one. [Lanes] let several be
// on their way at once.
package account
