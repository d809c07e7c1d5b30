package jsonrpc

import (
	"context"
	"errors"
	"net"
	"net/http/httptrace"
	"sync/atomic"
)

// delivery watches whether a request can have reached the service.
type delivery struct {
	traced atomic.Bool // net/http reports what it does
	wrote  atomic.Bool // and has written the request's head
}

// watch returns a context that reports to d.
func (d *delivery) watch(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn:      func(string) { d.traced.Store(true) },
		WroteHeaders: func() { d.wrote.Store(true) },
	})
}

// possible reports whether the service may have seen the request although the round trip failed with
// err. In doubt it may: a caller's own http.RoundTripper need not report anything.
func (d *delivery) possible(err error) bool {
	if d.traced.Load() {
		return d.wrote.Load()
	}
	var op *net.OpError
	return !errors.As(err, &op) || op.Op != "dial"
}
