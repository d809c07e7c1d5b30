// Package paymastertest stands in for a paymaster in tests: a JSON-RPC service on 127.0.0.1 that sponsors
// everything until it is told otherwise, method by method, and which keeps a log of what it was asked.
//
//	server := paymastertest.NewServer(t, paymastertest.Config{})
//	server.On("pm_sponsorUserOperation", paymastertest.Fail(-32000, "daily budget is used up"))
//	client := paymaster.New(server.URL())
//
// It judges nothing, and no chain accepts what it signs. For sponsorships that a chain accepts see package
// accounttest, whose paymaster a [Server] can stand before ([Config].Forward), so that what goes through is
// real and what is scripted goes wrong.
package paymastertest
