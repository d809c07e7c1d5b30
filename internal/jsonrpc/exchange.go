package jsonrpc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Appender is a parameter that appends itself, as valid JSON without space, to a request.
type Appender interface {
	AppendJSON(b []byte) []byte
}

// exchange is one HTTP request and its answer. Its memory is used again.
type exchange struct {
	sent   []byte // the request, after the room for its head
	answer []byte // the answer's body
	id     uint64 // of the request, where it is one
}

// largestKept is how much memory of an exchange is kept for the next one.
const largestKept = 64 << 10

var exchanges = sync.Pool{New: func() any { return new(exchange) }}

// release gives the exchange's memory back. Nothing may refer to it any more.
func (x *exchange) release() {
	if cap(x.sent)+cap(x.answer) <= largestKept {
		exchanges.Put(x)
	}
}

// begin makes room for the head, behind which the body is appended.
func (x *exchange) begin(head int) {
	x.sent = slices.Grow(x.sent[:0], head)[:head]
}

// appendRequest appends a request as it goes out, under an ID of its own. Some bundlers take numeric IDs
// only, and insist on params.
func appendRequest(b []byte, r Request) (_ []byte, id uint64, err error) {
	id = newID()
	b = append(b, `{"jsonrpc":"2.0","id":`...)
	b = strconv.AppendUint(b, id, 10)
	b = append(b, `,"method":`...)
	if b, err = appendValue(b, r.Method); err != nil {
		return nil, 0, err
	}
	b = append(b, `,"params":[`...)
	for i, param := range r.Params {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = appendValue(b, param); err != nil {
			return nil, 0, err
		}
	}
	return append(b, "]}"...), id, nil
}

// appendValue appends a value as encoding/json writes it.
func appendValue(b []byte, value any) ([]byte, error) {
	switch value := value.(type) {
	case Appender:
		return value.AppendJSON(b), nil
	case string:
		if !strings.ContainsFunc(value, needsEscape) {
			return append(append(append(b, '"'), value...), '"'), nil
		}
	}
	encoded, err := json.Marshal(value)
	return append(b, encoded...), err
}

func needsEscape(c rune) bool {
	return c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&'
}

// newID returns a random number that survives a float64, as JavaScript services keep it in one.
func newID() uint64 { return rand.Uint64() >> 11 }

// limit is until when a try may last, and what is said of one that lasts longer.
type limit struct {
	at   time.Time
	told time.Duration
}

// lateError is a try that lasted too long.
type lateError time.Duration

func (e lateError) Error() string {
	return fmt.Sprintf("no answer within %s: %v", time.Duration(e), context.DeadlineExceeded)
}

func (lateError) Unwrap() error { return context.DeadlineExceeded }

// viaHTTP is a request for net/http.
type viaHTTP struct {
	*http.Request
	delivery delivery
	done     context.CancelFunc
}

// prepare writes what encode appends into x. It returns the request for net/http, nil for one that goes over
// the wire.
func (c *Client) prepare(ctx context.Context, until limit, method string, x *exchange, encode func(b []byte) ([]byte, error)) (*viaHTTP, error) {
	if c.invalid != nil {
		return nil, c.unsent(method, c.invalid)
	}
	if err := ctx.Err(); err != nil {
		return nil, c.broken(ctx, method, err, false)
	}
	head := c.wire.room()
	x.begin(head)
	sent, err := encode(x.sent)
	if err != nil {
		return nil, c.unsent(method, fmt.Errorf("encode the parameters: %w", err))
	}
	x.sent = sent
	if c.wire.takes(len(sent) - head) {
		return nil, nil
	}
	via := new(viaHTTP)
	ctx, via.done = context.WithDeadlineCause(ctx, until.at, lateError(until.told))
	body := bytes.NewReader(bytes.Clone(sent[head:])) // which may be read for longer
	if via.Request, err = http.NewRequestWithContext(via.delivery.watch(ctx), http.MethodPost, c.endpoint.url, body); err != nil {
		via.done()
		return nil, c.unsent(method, errUnparsable)
	}
	setHeader(via.Header)
	return via, nil
}

// answered returns the answer that net/http gave, its body in x.
func (c *Client) answered(via *viaHTTP, method string, x *exchange, resp *http.Response, err error) (*http.Response, error) {
	defer via.done()
	if err != nil {
		return nil, c.broken(via.Context(), method, err, via.delivery.mayBeDelivered(err))
	}
	defer resp.Body.Close()
	if err := x.read(resp.Body, c.maxResponse); err != nil && err != io.EOF {
		failed := c.broken(via.Context(), method, fmt.Errorf("reading the answer: %w", err), true)
		failed.HTTPStatus = resp.StatusCode
		return nil, failed
	}
	return resp, nil
}

// overWire sends what x has, and returns the answer, its body in x.
func (c *Client) overWire(ctx context.Context, until limit, method string, x *exchange) (*http.Response, error) {
	resp, delivered, err := c.wire.post(ctx, until, x, c.maxResponse)
	if err != nil {
		failed := c.broken(ctx, method, err, delivered)
		if resp != nil {
			failed.HTTPStatus = resp.StatusCode
		}
		return nil, failed
	}
	return resp, nil
}

func setHeader(header http.Header) {
	header.Set("Content-Type", "application/json") // exactly: Alto refuses a charset
	header.Set("Accept", "application/json")
}

// read reads an answer's body, and one byte more than the most it may have. It returns [io.EOF] where it read
// all of it.
func (x *exchange) read(body io.Reader, most int64) error {
	x.answer = x.answer[:0]
	for int64(len(x.answer)) <= most {
		if len(x.answer) == cap(x.answer) {
			x.answer = slices.Grow(x.answer, max(512, cap(x.answer)))
		}
		room := x.answer[len(x.answer):min(int64(cap(x.answer)), most+1)]
		n, err := body.Read(room)
		x.answer = x.answer[:len(x.answer)+n]
		if err != nil {
			return err
		}
	}
	return nil
}

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

// mayBeDelivered reports whether the service may have seen the request although the round trip failed with
// err. In doubt it may: a caller's own http.RoundTripper need not report anything.
func (d *delivery) mayBeDelivered(err error) bool {
	if d.traced.Load() {
		return d.wrote.Load()
	}
	var op *net.OpError
	return !errors.As(err, &op) || op.Op != "dial"
}
