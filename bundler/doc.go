// Package bundler is a client for ERC-4337 bundlers of EntryPoint v0.6: Biconomy, Pimlico's Alto, Stackup,
// Skandha and others that speak the standard JSON-RPC. A bundler takes user operations, and brings them to
// the EntryPoint in a transaction of its own.
//
//	client := bundler.New(bundler.BiconomyURL(80002, apiKey))
//	defer client.Close()
//
// A [*Client] is a [userop.Bundler], a [userop.FeeSource] and a [userop.Identity]: what the pipeline in
// package userop needs. It finds out by itself which vendor's gas price and status methods the service
// offers. Codes do not agree between vendors: what an answer means is read from its words, too, so that an
// unknown hash is [userop.ErrNotFound], a fee below what the bundler takes a refusal, and a node that lags
// trouble that passes, under whatever code.
//
// A [Pool] is several of them as one: the next is asked where one fails.
//
// What the bundler answers instead of a result is an [*Error], with the EntryPoint's AA code and the
// contract's revert reason decoded; it matches [ErrRejected] and its kind by [errors.Is]. A request that got
// no usable answer is a [*TransportError]. Neither ever shows the key in the service's URL.
package bundler
