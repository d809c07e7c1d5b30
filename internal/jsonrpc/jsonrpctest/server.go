package jsonrpctest

import (
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/go-sesame/sesame/internal/localhttp"
)

// Config says how a scripted server behaves. The zero value answers at once.
type Config struct {
	// Delay is added to every answer, so that requests made at the same time overlap.
	Delay time.Duration
}

// Server is a JSON-RPC server over HTTP that answers as it is told, method by method. It is safe for
// concurrent use.
type Server struct {
	cfg    Config
	server *localhttp.Server
	stop   chan struct{} // closed by Close

	mu        sync.Mutex
	scripts   map[string][]Answer
	otherwise Answer
	log       []Request
	once      sync.Once
	trips     *RoundTrips
}

// Request is a request that a [Server] got.
type Request struct {
	Method string
	Params []json.RawMessage
	ID     json.RawMessage
	Header http.Header
	// Body is the request as it came.
	Body []byte
	Time time.Time
}

// StartServer starts a server without a script: every method is answered with the error for unknown methods.
// The caller closes it.
func StartServer(cfg Config) (*Server, error) {
	m := &Server{
		cfg:       cfg,
		stop:      make(chan struct{}),
		scripts:   make(map[string][]Answer),
		otherwise: Fail(CodeUnknownMethod, "the method does not exist"),
	}
	var err error
	m.server, err = localhttp.Serve(m, 0)
	return m, err
}

// TB is the part of testing.TB that servers need which end with a test.
type TB interface {
	Helper()
	Logf(format string, args ...any)
	Fatalf(format string, args ...any)
	Cleanup(func())
}

// NewServer starts a server that ends with the test; see [StartServer].
func NewServer(t TB, cfg Config) *Server {
	t.Helper()
	m, err := StartServer(cfg)
	if err != nil {
		t.Fatalf("start scripted server: %v", err)
	}
	t.Cleanup(func() { LogClose(t, "scripted server", m.Close) })
	return m
}

// LogClose closes something at the end of a test, which a failure of closing does not fail.
func LogClose(t TB, what string, close func() error) {
	if err := close(); err != nil {
		t.Logf("close %s: %v", what, err)
	}
}

// URL returns the server's address.
func (m *Server) URL() string { return m.server.URL }

// On sets the answers to a method: one request after another takes the next, and the last one stays for all
// that follow. It replaces what was set before; without answers the method is unknown again.
func (m *Server) On(method string, answers ...Answer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(answers) == 0 {
		delete(m.scripts, method)
		return
	}
	m.scripts[method] = answers
}

// Otherwise sets the answer to every method that [Server.On] did not set.
func (m *Server) Otherwise(answer Answer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.otherwise = answer
}

// CountIn has every request noted in trips, which several servers may share.
func (m *Server) CountIn(trips *RoundTrips) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.trips = trips
}

func (m *Server) roundTrips() *RoundTrips {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.trips
}

// Requests returns the requests of a method, or all where it is empty, in the order they came.
func (m *Server) Requests(method string) []Request {
	m.mu.Lock()
	defer m.mu.Unlock()
	var requests []Request
	for _, r := range m.log {
		if method == "" || r.Method == method {
			requests = append(requests, r)
		}
	}
	return requests
}

// Count returns how many requests of a method came, or of all where it is empty.
func (m *Server) Count(method string) int { return len(m.Requests(method)) }

// Close stops the server. Answers that are being delayed are cut off.
func (m *Server) Close() error {
	m.once.Do(func() { close(m.stop) })
	return m.server.Shutdown()
}

// maxRequestBytes bounds what is read of a request.
const maxRequestBytes = 8 << 20

// ServeHTTP answers one request.
func (m *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	request := Request{Header: r.Header.Clone(), Time: time.Now()}
	var err error
	if request.Body, err = io.ReadAll(io.LimitReader(r.Body, maxRequestBytes)); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var envelope struct {
		ID     json.RawMessage   `json:"id"`
		Method string            `json:"method"`
		Params []json.RawMessage `json:"params"`
	}
	if err := json.Unmarshal(request.Body, &envelope); err != nil {
		http.Error(w, "this server takes single JSON-RPC requests: "+err.Error(), http.StatusBadRequest)
		return
	}
	request.ID, request.Method, request.Params = envelope.ID, envelope.Method, envelope.Params
	answer := m.next(request)
	if !m.wait(r, m.cfg.Delay+answer.delay) {
		return
	}
	m.roundTrips().add(request.Time, time.Now()) // before the client can react to the answer
	answer.write(w, r, &request)
}

// next logs the request and takes its answer.
func (m *Server) next(request Request) Answer {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.log = append(m.log, request)
	answers, ok := m.scripts[request.Method]
	if !ok {
		return m.otherwise
	}
	if len(answers) > 1 {
		m.scripts[request.Method] = answers[1:]
	}
	return answers[0]
}

// wait reports whether the answer is still wanted after d.
func (m *Server) wait(r *http.Request, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-m.stop:
	case <-r.Context().Done():
	}
	return false
}
