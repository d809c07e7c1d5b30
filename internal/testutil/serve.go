package testutil

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// shutdownTime is how long a server waits for the requests it is answering.
const shutdownTime = 5 * time.Second

// serve runs handler on a free port of 127.0.0.1 until [shutdown], and returns its URL.
func serve(handler http.Handler) (*http.Server, string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", fmt.Errorf("listen: %w", err)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: shutdownTime}
	go func() { _ = server.Serve(listener) }() // ends with shutdown; its error says so
	return server, "http://" + listener.Addr().String(), nil
}

// shutdown waits for the requests that are being answered, for a limited time, and ends the rest.
func shutdown(server *http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTime)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("shut down server: %w", err), server.Close())
	}
	return nil
}
