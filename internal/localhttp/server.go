// Package localhttp serves HTTP on 127.0.0.1, for the test kits.
package localhttp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// shutdownTime is how long a server waits for the requests it is answering.
const shutdownTime = 5 * time.Second

// Server is an HTTP server on 127.0.0.1. It keeps the connections that have not sent a request yet: a client
// may open one in advance and never use it, and Shutdown would wait for it.
type Server struct {
	// URL is the server's address, "http://127.0.0.1:port".
	URL string

	http *http.Server

	mu      sync.Mutex
	unused  map[net.Conn]struct{}
	closing bool
}

// Serve runs handler on a port of 127.0.0.1, a free one where it is 0, until [Server.Shutdown].
func Serve(handler http.Handler, port int) (*Server, error) {
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	s := &Server{URL: "http://" + listener.Addr().String(), unused: make(map[net.Conn]struct{})}
	s.http = &http.Server{Handler: handler, ReadHeaderTimeout: shutdownTime, ConnState: s.note}
	go func() { _ = s.http.Serve(listener) }() // ends with shutdown; its error says so
	return s, nil
}

func (s *Server) note(conn net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case state != http.StateNew:
		delete(s.unused, conn)
	case s.closing:
		_ = conn.Close() // came while shutdown was about to begin
	default:
		s.unused[conn] = struct{}{}
	}
}

// Shutdown waits for the requests that are being answered, for a limited time, and ends the rest.
func (s *Server) Shutdown() error {
	s.mu.Lock()
	s.closing = true
	for conn := range s.unused {
		_ = conn.Close()
	}
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTime)
	defer cancel()
	if err := s.http.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("shut down server: %w", err), s.http.Close())
	}
	return nil
}
