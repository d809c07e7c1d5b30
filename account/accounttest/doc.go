// Package accounttest is what an application's tests run against instead of a public chain: a chain in this process
// with the real contracts at their well-known addresses, and on it a bundler that really bundles and a paymaster that
// really pays, in ether and in tokens.
//
//	chain := accounttest.NewChain(t, accounttest.ChainConfig{})
//	bundler := accounttest.NewBundler(t, accounttest.BundlerConfig{Chain: chain})
//	paymaster := accounttest.NewPaymaster(t, accounttest.PaymasterConfig{Chain: chain})
//
// The chain's node is chain.Client(), the services are at bundler.URL() and paymaster.URL(). [Chain.AdjustTime]
// travels in time. The Start functions return errors and leave closing to the caller, for programs; the New functions
// take a test, fail it and clean up after it.
//
// The compiled contracts come by
//
//	go run github.com/go-sesame/sesame/account/accounttest/contracts
//
// which needs node and npm, once for each user of a machine and version of this package. Without them NewChain skips
// the test, or fails it where SESAME_REQUIRE_CONTRACTS=1, and StartChain returns [ErrNoContracts]. SESAME_CONTRACTS=DIR
// puts the artifacts in DIR before the compiled ones, file by file.
//
// What it cannot do: it is one node without peers, so nothing is ever reorganised; the bundler leaves out the opcode
// and storage rules of ERC-7562; fees are not a market's. Scripted failures are in packages bundlertest and
// paymastertest, whose servers can stand before the services here.
//
// Everything listens on 127.0.0.1 only.
package accounttest
