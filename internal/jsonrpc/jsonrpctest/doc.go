// Package jsonrpctest has JSON-RPC servers for a client under test: one that answers as it is told, method by
// method, and keeps a log of what it was asked, and one that plays a recorded dialogue. The public test kits
// bundlertest and paymastertest are made of the first.
//
// A dialogue is a file with one JSON object a line, an exchange each:
//
//	{"method":"eth_chainId","params":[],"result":"0x13882"}
//	{"method":"eth_chainId","params":[],"status":503,"header":{"Retry-After":"1"},"body":"try later"}
//	{"method":"eth_chainId","error":{"code":-32601,"message":"no such method"}}
//	{"method":"eth_chainId","drop":true}
//
// Each request takes the first exchange of its method that is left. Its params have to be those of the
// exchange, byte for byte in every value; an exchange without params takes any. Exchanges that nobody asked
// for fail the test, but for those marked "optional":true.
package jsonrpctest
