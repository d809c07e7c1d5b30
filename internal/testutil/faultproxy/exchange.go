package faultproxy

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// call is one JSON-RPC request.
type call struct {
	ID     json.RawMessage   `json:"id"`
	Method string            `json:"method"`
	Params []json.RawMessage `json:"params"`
}

// exchange is one HTTP request and its answer.
type exchange struct {
	*Proxy
	w       http.ResponseWriter
	r       *http.Request
	arrival uint64
	rand    *rand.Rand // what a fault draws by
	kind    Kind       // the fault that is done

	body  []byte
	calls []call // none where the body is no JSON-RPC
	batch bool
}

// answer is what the service answered, or what is said instead.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// read reads the request; false where there is none.
func (x *exchange) read() bool {
	body, err := io.ReadAll(http.MaxBytesReader(x.w, x.r.Body, maxRequest))
	if err != nil {
		x.reset()
		return false
	}
	x.body = body
	x.parse()
	return true
}

func (x *exchange) parse() {
	x.calls, x.batch = nil, bytes.HasPrefix(bytes.TrimSpace(x.body), []byte("["))
	if x.batch {
		_ = json.Unmarshal(x.body, &x.calls)
		return
	}
	var one call
	if json.Unmarshal(x.body, &one) == nil && one.Method != "" {
		x.calls = []call{one}
	}
}

// method is what is asked, the first of a batch.
func (x *exchange) method() string {
	if len(x.calls) == 0 {
		return ""
	}
	return x.calls[0].Method
}

// asks reports whether one of the methods is asked.
func (x *exchange) asks(methods ...string) bool {
	return slices.ContainsFunc(x.calls, func(c call) bool { return slices.Contains(methods, c.Method) })
}

// done notes that the fault was done, or is about to be.
func (x *exchange) done() {
	x.mu.Lock()
	x.counts[x.kind]++
	x.mu.Unlock()
	if x.cfg.Log != nil {
		x.cfg.Log(Event{Kind: x.kind, Method: x.method(), Time: time.Now()})
	}
}

// forward asks the service. It goes on where the client gives up: the service has the request then.
func (x *exchange) forward() (*answer, error) {
	ctx, cancel := context.WithTimeout(x.stop, longestForward)
	defer cancel()
	got, err := x.post(ctx, x.body, x.r.Header)
	if err == nil {
		x.remember(got)
	}
	return got, err
}

// post sends a request to the service.
func (p *Proxy) post(ctx context.Context, body []byte, header http.Header) (*answer, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.cfg.Target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for name, values := range header {
		if !slices.Contains([]string{"Accept-Encoding", "Connection", "Content-Length", "Referer"}, name) {
			request.Header[name] = values
		}
	}
	response, err := p.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	got := &answer{status: response.StatusCode, header: make(http.Header)}
	for _, name := range []string{"Content-Type", "Retry-After"} {
		if values := response.Header.Values(name); len(values) > 0 {
			got.header[name] = values
		}
	}
	got.body, err = io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	return got, err
}

// ask asks the service a question of the proxy's own.
func (p *Proxy) ask(result any, method string, params ...any) error {
	ctx, cancel := context.WithTimeout(p.stop, longestForward)
	defer cancel()
	if params == nil {
		params = []any{}
	}
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
	if err != nil {
		return err
	}
	got, err := p.post(ctx, body, http.Header{"Content-Type": {"application/json"}})
	if err != nil {
		return err
	}
	var member struct{ Result json.RawMessage }
	if err := json.Unmarshal(got.body, &member); err != nil {
		return err
	}
	if member.Result == nil {
		return fmt.Errorf("%s was not answered", method)
	}
	return json.Unmarshal(member.Result, result)
}

// write answers the client.
func (x *exchange) write(a *answer) {
	header := x.w.Header()
	for name, values := range a.header {
		header[name] = values
	}
	header.Set("Content-Length", strconv.Itoa(len(a.body)))
	x.w.WriteHeader(a.status)
	_, _ = x.w.Write(a.body) // the client may be gone
}

// reset ends the connection at once.
func (x *exchange) reset() {
	conn, _, err := http.NewResponseController(x.w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // the server ends it then
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// member is a JSON-RPC answer, or an object in it.
type member = map[string]json.RawMessage

// edit changes the members of an answer that belong to the calls, and reports whether it changed any. What is
// no JSON-RPC stays as it is.
func (x *exchange) edit(a *answer, change func(call, member) bool) bool {
	var members []member
	if x.batch {
		if json.Unmarshal(a.body, &members) != nil {
			return false
		}
	} else {
		var one member
		if json.Unmarshal(a.body, &one) != nil || one == nil {
			return false
		}
		members = []member{one}
	}
	changed := false
	for i, m := range members {
		if c, ok := x.callOf(i, m); ok && m != nil {
			changed = change(c, m) || changed
		}
	}
	if !changed {
		return false
	}
	if x.batch {
		a.body = encode(members)
	} else {
		a.body = encode(members[0])
	}
	return true
}

// callOf finds the call that a member answers.
func (x *exchange) callOf(i int, m member) (call, bool) {
	if !x.batch {
		return x.calls[0], true
	}
	for _, c := range x.calls {
		if bytes.Equal(c.ID, m["id"]) {
			return c, true
		}
	}
	return call{}, false
}

// encode writes what came as JSON, or is made here.
func encode(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // only of a fault in this package
	}
	return data
}

// say answers every call with an error.
func (x *exchange) say(status int, code int, message string, data any) *answer {
	failed := map[string]any{"code": code, "message": message}
	if data != nil {
		failed["data"] = data
	}
	return x.answerAll(status, func(c call) map[string]any { return map[string]any{"error": failed} })
}

// answerAll answers every call in the service's place.
func (x *exchange) answerAll(status int, with func(call) map[string]any) *answer {
	var members []map[string]any
	for _, c := range x.calls {
		m := with(c)
		m["jsonrpc"], m["id"] = "2.0", json.RawMessage("null")
		if c.ID != nil {
			m["id"] = c.ID
		}
		members = append(members, m)
	}
	a := &answer{status: status, header: http.Header{"Content-Type": {"application/json"}}}
	if x.batch || len(members) == 0 {
		a.body = encode(members)
	} else {
		a.body = encode(members[0])
	}
	return a
}
