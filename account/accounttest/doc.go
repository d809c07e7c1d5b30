// Package accounttest is what an application's tests run against instead of a public chain: a chain in this
// process with the real contracts at their well-known addresses, and on it a bundler that really bundles and
// a paymaster that really pays, in ether and in tokens.
//
//	devnet := accounttest.NewDevnet(t, accounttest.DevnetConfig{})
//	owner, err := devnet.NewOwner(ctx)
//	sess, tx, err := owner.Grant(ctx, store, policies, account.Sponsored())
//
// [Devnet] has them all, and a client of them; NewChain, NewBundler and NewPaymaster start them one by one,
// where a test wants a bundler of another vendor or a paymaster with a policy. [Chain.AdjustTime] travels in
// time, [Chain.Reorg] takes the last blocks back. The Start functions return errors and leave closing to the
// caller, for programs; the New functions take a test, fail it and clean up after it. [Services] lets a
// program run on a devnet by default, and on services that flags name.
//
// The compiled contracts come by
//
//	go run github.com/go-sesame/sesame/account/accounttest/contracts
//
// which needs node and npm, once for each user of a machine and version of this package. Without them the New
// functions skip the test, or fail it where SESAME_REQUIRE_CONTRACTS=1, and the Start functions return
// [ErrNoContracts]. SESAME_CONTRACTS=DIR puts the artifacts in DIR before the compiled ones, file by file.
//
// The session validation modules, the batched session router, the token paymaster and the resolver are our
// own, and do what those on public chains do, their traps included: a stranger's empty batch is paid for by
// the account, and a fee in tokens that cannot be taken undoes the calls and is noted as due.
//
// [NewModel] is for unit tests: a model of the chain and its services in memory, without an EVM, which needs
// nothing installed and takes milliseconds. It plays our stories as the real contracts do.
//
// What the chain cannot do: it is one node without peers, whose blocks are lost on demand only; the bundler
// leaves out the opcode and storage rules of ERC-7562; fees are not a market's. Scripted failures are in
// packages bundlertest and paymastertest, whose servers can stand before the services here.
//
// Everything listens on 127.0.0.1 only.
package accounttest
