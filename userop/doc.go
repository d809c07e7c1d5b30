// Package userop has ERC-4337 user operations for EntryPoint v0.6: the type with its hash and JSON,
// and the pipeline that turns a [Draft] into an operation on chain.
//
// A [Sender] takes a draft through five steps: prepare (nonce, deployment and fees, read beside each
// other), sponsor or estimate, sign, send, wait. It checks what every service answers before it signs,
// signs once, and sends the same bytes again where that is safe. The services are small interfaces
// ([Bundler], [Paymaster], [FeeSource]); packages bundler and paymaster have them over JSON-RPC.
package userop
