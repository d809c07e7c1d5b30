// Package faultproxy stands before one JSON-RPC service, a bundler, a paymaster or a node, and does to its
// answers what networks, gateways and vendors do: it loses, cuts, delays, repeats and reorders them, answers
// in their place, and lies. For our own tests.
//
//	proxy, err := faultproxy.Start(faultproxy.Config{Target: service, Role: faultproxy.Bundler, Seed: 1})
//	defer proxy.Close()
//	client := bundler.New(proxy.URL())
//
// Which requests meet which fault follows from the seed: it is drawn for the n-th request of a method, so
// that what goes on beside does not change it. A lie is what a malicious service could tell: the service behind
// the proxy, and with it the chain, stays honest.
package faultproxy
