package faultproxy

import "slices"

// fault is how a kind is done.
type fault struct {
	kind Kind
	// weight is the kind's share in [Default], of a thousand.
	weight int
	// roles are those it makes sense for; none is all.
	roles []Role
	// applies reports whether it makes sense for a request; nil is for every one.
	applies func(*exchange) bool
	// do answers the request, and reports whether it did: what was to be changed may not have been there.
	do func(*exchange) bool
}

// faultsOf returns the faults that make sense for a role.
func faultsOf(role Role) []fault {
	if role != Bundler && role != Paymaster && role != Node {
		return nil
	}
	all := slices.Concat(networkFaults(), gatewayFaults(), answerFaults(), bundlerFaults(), nodeFaults(), paymasterFaults())
	return slices.DeleteFunc(all, func(f fault) bool { return f.roles != nil && !slices.Contains(f.roles, role) })
}

// asking is for the requests that ask one of the methods.
func asking(methods ...string) func(*exchange) bool {
	return func(x *exchange) bool { return x.asks(methods...) }
}

// anyCall is for every request that is JSON-RPC.
func anyCall(x *exchange) bool { return len(x.calls) > 0 }

// instead answers in the service's place.
func instead(of func(*exchange) *answer) func(*exchange) bool {
	return func(x *exchange) bool {
		a := of(x)
		x.done()
		x.write(a)
		return true
	}
}

// after has the service answer first. Where it is not there, the connection is reset, as without a fault.
func after(then func(*exchange, *answer)) func(*exchange) bool {
	return func(x *exchange) bool {
		a, err := x.forward()
		if err != nil {
			x.reset()
			return true
		}
		x.done()
		then(x, a)
		return true
	}
}

// changing has the service answer, and changes what it says of each call. An answer in which there is nothing
// to change comes as it is.
func changing(change func(*exchange, call, member) bool) func(*exchange) bool {
	return func(x *exchange) bool {
		a, err := x.forward()
		if err != nil {
			x.reset()
			return true
		}
		if x.edit(a, func(c call, m member) bool { return change(x, c, m) }) {
			x.done()
		}
		x.write(a)
		return true
	}
}
