package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"time"
)

// trap kills the process that makes the request with that number, counted from when it was set: none for 0.
type trap struct {
	at     int
	moment moment
}

// kill is one that was done.
type kill struct {
	step, method string
	moment       moment
}

// gateway stands before the services: a backend's URL of one is /ROLE/SLOT here.
type gateway struct {
	part    *part
	server  *httptest.Server
	targets map[string]string
	client  http.Client

	mu       sync.Mutex
	user     *user
	trap     trap
	killed   []kill
	requests int
}

func newGateway(p *part) *gateway {
	g := &gateway{part: p, targets: map[string]string{
		"rpc": p.devnet.RPC, "bundler": p.devnet.Services.Bundler, "paymaster": p.devnet.Services.Paymaster,
	}, client: http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 32}}}
	g.server = httptest.NewServer(g)
	return g
}

func (g *gateway) close() error {
	g.server.Close()
	g.client.CloseIdleConnections()
	return nil
}

// url is where a slot finds a service.
func (g *gateway) url(role string, slot int) string {
	return g.server.URL + "/" + role + "/" + strconv.Itoa(slot)
}

// set sets a trap for a user's story, instead of the one before.
func (g *gateway) set(u *user, t trap) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.user, g.trap = u, t
}

// sprung reports whether this request springs the trap, and when its process is to be killed. Every other
// time a further trap is set somewhere in the rest of the story.
func (g *gateway) sprung(method string) (moment, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.requests++
	if g.trap.at == 0 {
		return 0, false
	}
	if g.trap.at--; g.trap.at > 0 {
		return 0, false
	}
	at := g.trap.moment
	g.killed = append(g.killed, kill{g.user.doing(), method, at})
	if g.trap = (trap{}); g.part.dice.IntN(2) == 0 {
		g.trap = trap{1 + g.part.dice.IntN(storyRequests/2), moment(g.part.dice.IntN(int(moments)))}
	}
	return at, true
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	role, number, _ := strings.Cut(strings.Trim(r.URL.Path, "/"), "/")
	slot, err := strconv.Atoi(number)
	body, readErr := io.ReadAll(r.Body)
	if err != nil || readErr != nil {
		return
	}
	from := g.part.slotAt(slot)
	when, kills := g.sprung(role + " " + methodOf(body))
	kills = kills && from != nil // which is still starting
	if kills && when == before {
		from.kill()
		return
	}
	answer, err := g.client.Post(g.targets[role], "application/json", bytes.NewReader(body))
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	if kills && when == after {
		from.kill()
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(answer.StatusCode)
	_, _ = w.Write(text)
	if kills {
		_ = http.NewResponseController(w).Flush()
		time.Sleep(time.Duration(len(text)%20) * time.Millisecond)
		from.kill()
	}
}

// methodOf is the method of a JSON-RPC request, of the first in a batch.
func methodOf(body []byte) string {
	var one struct{ Method string }
	var batch []struct{ Method string }
	if json.Unmarshal(body, &one) != nil && json.Unmarshal(body, &batch) == nil && len(batch) > 0 {
		one = batch[0]
	}
	return one.Method
}
