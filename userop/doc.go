// Package userop has ERC-4337 user operations for EntryPoint v0.6: the type with its hash and JSON, and the
// pipeline that turns a [Draft] into an operation on chain.
//
// A user operation says what a smart account is to do, at what price, and who pays. It is no transaction: a
// bundler takes it to the EntryPoint in one of its own. The EntryPoint takes in advance what the operation
// may cost, its prefund, from the account or from a paymaster, asks the account whether the signature is
// good, and has the account called.
//
//	sender, err := userop.NewSender(userop.SenderConfig{ChainID: 80002, EntryPoint: entryPoint, Bundler: bundler.New(url)})
//	pending, err := sender.Send(ctx, userop.Draft{Sender: account, CallData: call, Signer: signer, Nonce: nonce,
//		Caps: userop.Caps{MaxCost: uint256.NewInt(1e15)}})
//	receipt, err := pending.Wait(ctx) // nil error: included and succeeded
//
// Package account makes drafts of a smart account's calls; this package knows no kind of account.
//
// A [Sender] takes a draft through these steps, which are the names in an [*Error]:
//
//	check     judge the draft; later, what came of its prices against its caps
//	prepare   nonce, deployment, fees and whatever else is read, beside each other
//	sponsor   the paymaster's signature and limits, or
//	estimate  the limits as the bundler sees them
//	quote     in place of the two, for [Sender.FeeQuotes]
//	sign      once
//	send      the same bytes again where that is safe
//
// and [Pending.Wait] waits for the outcome, with as many [Confirmations] as are asked for. What every service
// answers is checked before anything is signed. What a bundler says became of an operation is a claim: with a
// [SenderConfig.Chain], as package account has it, a receipt counts once the node shows the inclusion
// ([Receipt.Confirmed]), and only the chain ends an operation without one ([*EndedError]). After an error,
// [MayBeAccepted] tells whether the operation may still land, and [SafeToRetry] whether it can be sent again
// as it was; an [*AAError] in it is the EntryPoint's own code, in words.
//
// The services are small interfaces ([Bundler], [Paymaster], [FeeSource]); packages bundler and paymaster
// have them over JSON-RPC. A wrapper around one says by a method Unwrap what it wraps, for what else that can
// do to be found.
//
// What an account pays itself has to be bounded by the draft, by Caps or a Bound: this package knows no chain
// that would tell what is fair.
package userop
