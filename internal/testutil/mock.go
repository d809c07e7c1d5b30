package testutil

import (
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"time"
)

// MockConfig says how a scripted server behaves. The zero value answers at once.
type MockConfig struct {
	// Delay is added to every answer, so that requests made at the same time overlap.
	Delay time.Duration
	// RoundTrips, when set, notes every request; several servers may share it.
	RoundTrips *RoundTrips
	// ChainID is what the presets answer for, [DefaultChainID] when zero.
	ChainID uint64
	// Vendor is whose methods a [MockBundler] has.
	Vendor Vendor
}

// MockServer is a JSON-RPC server over HTTP that answers as it is told, method by method. It is safe for
// concurrent use.
type MockServer struct {
	cfg    MockConfig
	server *server
	url    string
	stop   chan struct{} // closed by Close

	mu        sync.Mutex
	scripts   map[string][]Answer
	otherwise Answer
	log       []Request
	once      sync.Once
}

// Request is a request that a [MockServer] got.
type Request struct {
	Method string
	Params []json.RawMessage
	ID     json.RawMessage
	Header http.Header
	// Body is the request as it came.
	Body []byte
	Time time.Time
}

// StartMock starts a server without a script: every method is answered with the error for unknown methods. The
// caller closes it.
func StartMock(cfg MockConfig) (*MockServer, error) {
	if cfg.ChainID == 0 {
		cfg.ChainID = DefaultChainID
	}
	m := &MockServer{
		cfg:       cfg,
		stop:      make(chan struct{}),
		scripts:   make(map[string][]Answer),
		otherwise: Fail(codeUnknownMethod, "the method does not exist"),
	}
	var err error
	m.server, m.url, err = serve(m)
	return m, err
}

// codeUnknownMethod is JSON-RPC's code for a method that does not exist.
const codeUnknownMethod = -32601

// NewMock starts a server that ends with the test; see [StartMock].
func NewMock(t TB, cfg MockConfig) *MockServer {
	t.Helper()
	m, err := StartMock(cfg)
	if err != nil {
		t.Fatalf("start mock server: %v", err)
	}
	t.Cleanup(func() { logClose(t, "mock server", m.Close) })
	return m
}

// URL returns the server's address.
func (m *MockServer) URL() string { return m.url }

// On sets the answers to a method: one request after another takes the next, and the last one stays for all that
// follow. It replaces what was set before; without answers the method is unknown again.
func (m *MockServer) On(method string, answers ...Answer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(answers) == 0 {
		delete(m.scripts, method)
		return
	}
	m.scripts[method] = answers
}

// Otherwise sets the answer to every method that [MockServer.On] did not set.
func (m *MockServer) Otherwise(answer Answer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.otherwise = answer
}

// Requests returns the requests of a method, or all where it is empty, in the order they came.
func (m *MockServer) Requests(method string) []Request {
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
func (m *MockServer) Count(method string) int { return len(m.Requests(method)) }

// Close stops the server. Answers that are being delayed are cut off.
func (m *MockServer) Close() error {
	m.once.Do(func() { close(m.stop) })
	return m.server.shutdown()
}

// maxRequestBytes bounds what is read of a request.
const maxRequestBytes = 8 << 20

// ServeHTTP answers one request.
func (m *MockServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
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
	m.cfg.RoundTrips.add(request.Time, time.Now()) // before the client can react to the answer
	answer.write(w, r, &request)
}

// next logs the request and takes its answer.
func (m *MockServer) next(request Request) Answer {
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
func (m *MockServer) wait(r *http.Request, d time.Duration) bool {
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
