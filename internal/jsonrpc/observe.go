package jsonrpc

import (
	"context"
	"errors"
	"net/url"
	"strconv"

	"github.com/go-sesame/sesame/internal/observe"
)

// newObserver returns what tells of the client's requests: of the service's URL, its host and port alone.
func newObserver(cfg Config, to *endpoint) (*observe.RPC, error) {
	rpc := observe.RPCConfig{Tracers: cfg.TracerProvider, Meters: cfg.MeterProvider, Logger: cfg.Logger, Service: cfg.Service, Judge: judge}
	if u, err := url.Parse(to.url); err == nil && to.invalid == nil {
		rpc.Host, rpc.Port = u.Hostname(), portOf(u)
	}
	return observe.NewRPC(rpc)
}

func portOf(u *url.URL) int {
	if port, err := strconv.Atoi(u.Port()); err == nil {
		return port
	}
	if u.Scheme == "http" {
		return 80
	}
	return 443
}

// judge says what an error of a request is to who looks on: of several tries, that of the last one. An answer
// of null is none.
func judge(err error) observe.RPCFault {
	if retried, ok := err.(*RetriedError); ok {
		err = retried.Last
	}
	answered, isAnswer := errors.AsType[*Error](err)
	failed, isFailure := errors.AsType[*TransportError](err)
	switch {
	case errors.Is(err, ErrNull):
		return observe.RPCFault{}
	case isAnswer:
		return observe.RPCFault{Code: answered.Code, Status: answered.HTTPStatus, Class: "refused"}
	case isFailure:
		return observe.RPCFault{Status: failed.HTTPStatus, Class: failed.class()}
	}
	return observe.RPCFault{Class: "_OTHER"}
}

// class names the kind of failure, of which there are few.
func (e *TransportError) class() string {
	switch {
	case errors.Is(e.Err, context.Canceled):
		return "canceled"
	case errors.Is(e.Err, context.DeadlineExceeded):
		return "timeout"
	case e.HTTPStatus >= 300:
		return strconv.Itoa(e.HTTPStatus)
	case e.unusable:
		return "invalid_answer"
	case e.unsent:
		return "unreachable"
	}
	return "interrupted"
}
