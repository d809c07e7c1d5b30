package jsonrpctest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"
)

// Answer is what a [Server] does with a request. Make one with [Result], [Fail] or another function that
// returns one.
type Answer struct {
	delay time.Duration
	write func(w http.ResponseWriter, r *http.Request, request *Request)
}

// After returns the answer, given d later.
func (a Answer) After(d time.Duration) Answer {
	a.delay += d
	return a
}

// WithHeader returns the answer with an HTTP header, such as Retry-After.
func (a Answer) WithHeader(name, value string) Answer {
	write := a.write
	a.write = func(w http.ResponseWriter, r *http.Request, request *Request) {
		w.Header().Set(name, value)
		write(w, r, request)
	}
	return a
}

// UnderID returns the answer under an ID of its own, as JSON, in place of the request's: some services answer
// so.
func (a Answer) UnderID(id string) Answer {
	write := a.write
	a.write = func(w http.ResponseWriter, r *http.Request, request *Request) {
		other := *request
		other.ID = json.RawMessage(id)
		write(w, r, &other)
	}
	return a
}

// Result answers with a JSON-RPC result; nil is null.
func Result(result any) Answer {
	return Compute(func(context.Context, Request) (any, error) { return result, nil })
}

// Fail answers with a JSON-RPC error without data.
func Fail(code int, message string) Answer { return FailWith(code, message, nil) }

// FailWith answers with a JSON-RPC error; data nil is none.
func FailWith(code int, message string, data any) Answer {
	return Compute(func(context.Context, Request) (any, error) { return nil, &Error{code, message, data} })
}

// Compute answers with what f returns. An error becomes a JSON-RPC error, with its code where it has an
// ErrorCode method.
func Compute(f func(context.Context, Request) (any, error)) Answer {
	return Answer{write: func(w http.ResponseWriter, r *http.Request, request *Request) {
		result, err := f(r.Context(), *request)
		writeBody(w, http.StatusOK, envelope(request.ID, result, err))
	}}
}

// Status answers with an HTTP status and a body that is not JSON-RPC, as a proxy in front of a service does.
func Status(status int, body string) Answer {
	return Answer{write: func(w http.ResponseWriter, _ *http.Request, _ *Request) { writeBody(w, status, []byte(body)) }}
}

// Body answers with these bytes under HTTP status 200.
func Body(body string) Answer { return Status(http.StatusOK, body) }

// Garbage answers with bytes that are neither JSON nor text.
func Garbage() Answer { return Body("\x00\xff\xfe{]\x1b[31m not JSON") }

// WrongID answers with a result under an ID that is not the request's, as Biconomy's bundler does. One POST
// has one answer: clients take it.
func WrongID(result any) Answer { return Result(result).UnderID("987654321") }

// Truncated answers with half of the result, promises the rest and cuts the connection.
func Truncated(result any) Answer {
	return Answer{write: func(w http.ResponseWriter, r *http.Request, request *Request) {
		body := envelope(request.ID, result, nil)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body[:len(body)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler) // net/http's way of cutting a connection
	}}
}

// Drop cuts the connection instead of answering. The server has got the request.
func Drop() Answer {
	return Answer{write: func(http.ResponseWriter, *http.Request, *Request) { panic(http.ErrAbortHandler) }}
}

// Lost lets another answer happen, at the service behind it too, and cuts the connection instead of
// delivering it: what was sent may have been accepted, and the client cannot know.
func Lost(answer Answer) Answer {
	write := answer.write
	answer.write = func(_ http.ResponseWriter, r *http.Request, request *Request) {
		write(discard{}, r, request)
		panic(http.ErrAbortHandler)
	}
	return answer
}

// discard is a response that nobody gets.
type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) WriteHeader(int)             {}

// Forward passes requests on to a JSON-RPC service at url, so that a [Server] can stand before a real one:
// count, delay, and go wrong when it is told to.
func Forward(url string) Answer {
	return Answer{write: func(w http.ResponseWriter, r *http.Request, request *Request) {
		status, body, err := forward(r.Context(), url, request)
		if err != nil {
			status, body = http.StatusBadGateway, []byte(err.Error())
		}
		writeBody(w, status, body)
	}}
}

func forward(ctx context.Context, url string, request *Request) (int, []byte, error) {
	onward, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(request.Body))
	if err != nil {
		return 0, nil, err
	}
	onward.Header.Set("Content-Type", "application/json")
	onward.Close = true // keeps no idle connection that would outlive the test
	response, err := http.DefaultClient.Do(onward)
	if err != nil {
		return 0, nil, err
	}
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, body, errors.Join(err, response.Body.Close())
}

// envelope is a JSON-RPC answer.
func envelope(id json.RawMessage, result any, err error) []byte {
	if id == nil {
		id = json.RawMessage("null")
	}
	answer := map[string]any{"jsonrpc": "2.0", "id": id}
	if err == nil {
		answer["result"] = result
	} else {
		answer["error"] = errorMember(err)
	}
	body, err := json.Marshal(answer)
	if err != nil {
		return envelope(id, nil, err) // a result that is no JSON
	}
	return body
}

// errorMember is the error of a JSON-RPC answer.
func errorMember(err error) map[string]any {
	member := map[string]any{"code": CodeServerError, "message": err.Error()}
	if coded := (interface{ ErrorCode() int })(nil); errors.As(err, &coded) {
		member["code"] = coded.ErrorCode()
	}
	if detailed := (interface{ ErrorData() any })(nil); errors.As(err, &detailed) && detailed.ErrorData() != nil {
		member["data"] = detailed.ErrorData()
	}
	return member
}

func writeBody(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
