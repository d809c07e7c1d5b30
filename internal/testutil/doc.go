// Package testutil is what Sesame's tests and examples run against: a chain in this process with the
// real contracts at their well-known addresses, a real ERC-4337 bundler and a real sponsoring
// paymaster on it, and scripted servers for everything that a real service does only on a bad day.
//
//	chain := testutil.NewChain(t, testutil.ChainConfig{})
//	bundler := testutil.NewBundler(t, testutil.BundlerConfig{Chain: chain})
//	paymaster := testutil.NewPaymaster(t, testutil.PaymasterConfig{Chain: chain})
//
// The Start functions return errors and leave closing to the caller, for examples; the New functions
// take a test, fail it and clean up after it.
//
// The contracts come out of the directory contracts, where `make contracts` compiles them from pinned
// npm packages. Without them NewChain skips the test, or fails it where SESAME_REQUIRE_CONTRACTS=1.
// SESAME_CONTRACTS=DIR puts the artifacts in DIR before the compiled ones, file by file.
//
// Everything listens on 127.0.0.1 only.
package testutil
