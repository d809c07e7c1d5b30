package jsonrpctest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
)

// DialogueTB is the part of testing.TB that a [Dialogue] needs: it fails a test that asks for something else.
type DialogueTB interface {
	TB
	Errorf(format string, args ...any)
}

// Exchange is one request that is expected, and its answer.
type Exchange struct {
	// Note says what the exchange is about; it is not used.
	Note string `json:"note,omitempty"`
	// Method and Params are the request's. Without Params any will do.
	Method string          `json:"method"`
	Params json.RawMessage `json:"params,omitempty"`
	// Status is the HTTP status of the answer, 200 by default, Header its additional headers.
	Status int               `json:"status,omitempty"`
	Header map[string]string `json:"header,omitempty"`
	// Result or Error make a JSON-RPC answer under the request's ID, or under ID.
	Result json.RawMessage `json:"result,omitempty"`
	Error  json.RawMessage `json:"error,omitempty"`
	ID     json.RawMessage `json:"id,omitempty"`
	// Body is an answer given verbatim instead. $ID stands for the request's ID.
	Body *string `json:"body,omitempty"`
	// Drop cuts the connection instead of answering.
	Drop bool `json:"drop,omitempty"`
	// Optional is an exchange that need not come about.
	Optional bool `json:"optional,omitempty"`
}

// Dialogue is a server that plays a dialogue.
type Dialogue struct {
	// URL is the server's address, "http://127.0.0.1:port".
	URL string

	t       DialogueTB
	mu      sync.Mutex
	left    []Exchange
	methods []string
}

// Play serves the dialogue in a file until the test ends.
func Play(t DialogueTB, path string) *Dialogue {
	t.Helper()
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("dialogue: %v", err)
	}
	var exchanges []Exchange
	for number, line := range bytes.Split(bytes.TrimSpace(file), []byte("\n")) {
		var exchange Exchange
		decoder := json.NewDecoder(bytes.NewReader(line))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&exchange); err != nil {
			t.Fatalf("dialogue %s, line %d: %v", path, number+1, err)
		}
		exchanges = append(exchanges, exchange)
	}
	return Serve(t, exchanges...)
}

// Serve serves exchanges until the test ends.
func Serve(t DialogueTB, exchanges ...Exchange) *Dialogue {
	t.Helper()
	s := &Dialogue{t: t, left: exchanges}
	server := httptest.NewServer(s)
	s.URL = server.URL
	t.Cleanup(func() {
		server.Close()
		for _, exchange := range s.left {
			if !exchange.Optional {
				t.Errorf("dialogue: nobody asked for %s %s", exchange.Method, exchange.Params)
			}
		}
	})
	return s
}

// Methods lists the methods that were asked for so far, in their order.
func (s *Dialogue) Methods() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.methods)
}

// ServeHTTP answers one request.
func (s *Dialogue) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var request struct {
		Version string          `json:"jsonrpc"`
		ID      json.RawMessage `json:"id"`
		Method  string          `json:"method"`
		Params  json.RawMessage `json:"params"`
	}
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		s.refuse(w, "the request is not JSON: %v", err)
		return
	}
	if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" || request.Version != "2.0" {
		s.refuse(w, "%s: not a JSON-RPC 2.0 POST: %s, %q, %q", request.Method, r.Method, r.Header.Get("Content-Type"), request.Version)
		return
	}
	exchange, ok := s.take(request.Method)
	if !ok {
		s.refuse(w, "unexpected request %s %s", request.Method, request.Params)
		return
	}
	if exchange.Params != nil && !sameJSON(exchange.Params, request.Params) {
		s.refuse(w, "%s: params are\n  %s\nexpected are\n  %s", request.Method, request.Params, exchange.Params)
		return
	}
	if exchange.Drop {
		s.drop(w)
		return
	}
	exchange.answer(w, request.ID)
}

// drop closes the connection under a request.
func (s *Dialogue) drop(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		s.t.Errorf("dialogue: %v", err)
		return
	}
	_ = conn.Close() // the client notices, one way or the other
}

func (s *Dialogue) refuse(w http.ResponseWriter, format string, args ...any) {
	s.t.Errorf("dialogue: "+format, args...)
	http.Error(w, "not in the dialogue", http.StatusTeapot)
}

// take removes the first exchange of the method.
func (s *Dialogue) take(method string) (Exchange, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.methods = append(s.methods, method)
	at := slices.IndexFunc(s.left, func(e Exchange) bool { return e.Method == method })
	if at < 0 {
		return Exchange{}, false
	}
	exchange := s.left[at]
	s.left = slices.Delete(slices.Clone(s.left), at, at+1)
	return exchange, true
}

func (e Exchange) answer(w http.ResponseWriter, id json.RawMessage) {
	for name, value := range e.Header {
		w.Header().Set(name, value)
	}
	if e.Status != 0 {
		w.WriteHeader(e.Status)
	}
	fmt.Fprint(w, e.body(id))
}

func (e Exchange) body(id json.RawMessage) string {
	if e.ID != nil {
		id = e.ID
	}
	switch {
	case e.Body != nil:
		return strings.ReplaceAll(*e.Body, "$ID", string(id))
	case e.Error != nil:
		return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"error":%s}`, id, e.Error)
	case e.Result != nil:
		return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":%s}`, id, e.Result)
	}
	return ""
}

// sameJSON compares two values; numbers by their digits.
func sameJSON(a, b json.RawMessage) bool {
	var values [2]any
	for i, raw := range []json.RawMessage{a, b} {
		decoder := json.NewDecoder(bytes.NewReader(raw))
		decoder.UseNumber()
		if decoder.Decode(&values[i]) != nil {
			return false
		}
	}
	return reflect.DeepEqual(values[0], values[1])
}
