package bundlertest

import (
	"context"

	"github.com/go-sesame/sesame/internal/jsonrpc/jsonrpctest"
)

// The answers are those of package jsonrpctest, which has the server of both service kits: a new kind of
// failure is made there, and offered here and in the other kit.

// TB is the part of testing.TB that [NewServer] needs.
type TB = jsonrpctest.TB

// Request is a request that a [Server] got: its Method, its Params and ID as JSON, its HTTP Header, its whole
// Body, and the Time when it came.
type Request = jsonrpctest.Request

// Answer is what a [Server] does with a request. Make one with [Result], [Fail] or another function that
// returns one. Its method After(d) gives it later, WithHeader(name, value) adds an HTTP header such as
// Retry-After, UnderID(id) answers under another ID than the request's.
type Answer = jsonrpctest.Answer

// Result answers with a JSON-RPC result; nil is null.
func Result(result any) Answer { return jsonrpctest.Result(result) }

// Fail answers with a JSON-RPC error without data.
func Fail(code int, message string) Answer { return jsonrpctest.Fail(code, message) }

// FailWith answers with a JSON-RPC error; data nil is none.
func FailWith(code int, message string, data any) Answer {
	return jsonrpctest.FailWith(code, message, data)
}

// Compute answers with what f returns. An error becomes a JSON-RPC error, with its code where it has an
// ErrorCode method.
func Compute(f func(context.Context, Request) (any, error)) Answer { return jsonrpctest.Compute(f) }

// Status answers with an HTTP status and a body that is not JSON-RPC, as a proxy in front of a service does.
func Status(status int, body string) Answer { return jsonrpctest.Status(status, body) }

// Body answers with these bytes under HTTP status 200.
func Body(body string) Answer { return jsonrpctest.Body(body) }

// Garbage answers with bytes that are neither JSON nor text.
func Garbage() Answer { return jsonrpctest.Garbage() }

// WrongID answers with a result under an ID that is not the request's, as Biconomy's bundler does. One POST
// has one answer: clients take it.
func WrongID(result any) Answer { return jsonrpctest.WrongID(result) }

// Truncated answers with half of the result, promises the rest and cuts the connection.
func Truncated(result any) Answer { return jsonrpctest.Truncated(result) }

// Drop cuts the connection instead of answering. The server has got the request.
func Drop() Answer { return jsonrpctest.Drop() }

// Lost lets another answer happen, at the service behind it too, and cuts the connection instead of
// delivering it: what was sent may have been accepted, and the client cannot know.
func Lost(answer Answer) Answer { return jsonrpctest.Lost(answer) }

// Forward passes requests on to the JSON-RPC service at url.
func Forward(url string) Answer { return jsonrpctest.Forward(url) }
