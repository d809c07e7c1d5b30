package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-sesame/sesame/account"
)

const (
	// answerKept is how long an answer to "is it ready?" stands, so that who asks often, or who should not,
	// has no service asked more often than that.
	answerKept = 5 * time.Second
	// askWithin bounds what is asked for one answer.
	askWithin = 4 * time.Second
)

// The states that /readyz tells. Which service it is and why stands in the log: whoever can reach the address
// can ask.
const (
	stateReady    = "ready"
	stateDegraded = "degraded"  // a service fails: what needs it says try_again, the rest works
	stateStarting = "starting"  // it never had all that it needs
	stateNotReady = "not ready" // the store does not answer: nothing works
)

// readiness is whether requests are to be sent to this process. It takes none before it once had all that a
// send needs: a new version that was given a wrong chain or key never takes over from the one before. After
// that the store alone decides, without which nothing can be done. The other services are every replica's: no
// replica would be left when one of them fails, and users could not even stop a session.
type readiness struct {
	ping  func(ctx context.Context) error // the store
	check func(ctx context.Context) error // all that a send needs
	now   func() time.Time
	log   *slog.Logger

	mu    sync.Mutex // held while services are asked: who comes meanwhile gets the same answer
	until time.Time  // the answer stands
	state string
	told  string // what the log has of it
	fit   bool   // it once had all that a send needs
}

// ask returns the state, which is a few seconds old at most.
func (r *readiness) ask(ctx context.Context) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.now().Before(r.until) {
		return r.state
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askWithin) // others get the answer, too
	defer cancel()
	stored, all := r.find(ctx)
	r.fit = r.fit || all == nil
	switch {
	case !r.fit:
		r.state = stateStarting
	case stored != nil:
		r.state = stateNotReady
	case all != nil:
		r.state = stateDegraded
	default:
		r.state = stateReady
	}
	r.until = r.now().Add(answerKept)
	r.tell(stored, all)
	return r.state
}

// find asks side by side: a store that does not answer leaves the services their time.
func (r *readiness) find(ctx context.Context) (stored, all error) {
	var asking sync.WaitGroup
	asking.Go(func() { stored = r.ping(ctx) })
	all = r.check(ctx)
	asking.Wait()
	return stored, all
}

// tell logs the state and what fails, when that is something else than before.
func (r *readiness) tell(stored, all error) {
	what, attrs := r.state, []any{"state", r.state}
	if stored != nil {
		what, attrs = what+" store", append(attrs, "store", stored)
	}
	if all != nil {
		what, attrs = what+" "+failing(all), append(attrs, "error", all)
	}
	if what == r.told {
		return
	}
	r.told = what
	if stored == nil && all == nil {
		r.log.Info("all is well", attrs...)
		return
	}
	r.log.Warn("not all is well", attrs...)
}

// failing names the services that a check found to fail; their words may differ each time.
func failing(err error) string {
	found, ok := errors.AsType[*account.CheckError](err)
	if !ok {
		return "check"
	}
	var names []string
	for _, failed := range found.Failed {
		names = append(names, failed.Service)
	}
	return strings.Join(names, " ")
}

// probe is the answer to a probe.
type probe struct {
	Status string `json:"status"`
}

// probes answers those who run the service. They name it by its address, so that this comes before the guard.
// /livez says that the process serves, and nothing of others: one that fails is started anew, which mends no
// service. /readyz is for who sends requests here.
func (s *service) probes(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method != http.MethodGet && r.Method != http.MethodHead || r.URL.Path != "/livez" && r.URL.Path != "/readyz":
			next.ServeHTTP(w, r)
			return
		case r.URL.Path == "/livez":
			writeProbe(w, http.StatusOK, "alive")
			return
		}
		state, status := s.ready.ask(r.Context()), http.StatusOK
		if state == stateStarting || state == stateNotReady {
			status = http.StatusServiceUnavailable
		}
		writeProbe(w, status, state)
	})
}

func writeProbe(w http.ResponseWriter, status int, state string) {
	w.Header().Set("Cache-Control", "no-store")
	write(w, status, probe{state})
}
