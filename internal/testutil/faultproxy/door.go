package faultproxy

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"
)

// door is an HTTP server whose port can be shut for a moment and opened again.
type door struct {
	addr   string
	server *http.Server
	wg     sync.WaitGroup // what serves a listener, and what opens the door again
	stop   context.Context

	mu       sync.Mutex
	listener net.Listener // nil while shut
	closed   bool
	idle     map[net.Conn]struct{}
}

// Ports that systems give out by themselves are above: while a door is shut, nobody is given its port.
const (
	lowestPort = 20000
	ports      = 10000
	portsTried = 100
)

func openDoor(stop context.Context, handler http.Handler) (*door, error) {
	d := &door{stop: stop, idle: make(map[net.Conn]struct{})}
	d.server = &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, ConnState: d.note}
	var failed error
	for range portsTried {
		d.addr = fmt.Sprintf("127.0.0.1:%d", lowestPort+rand.N(ports))
		if failed = d.open(); failed == nil {
			return d, nil
		}
	}
	return nil, failed
}

// open listens; doing so at an open door does nothing.
func (d *door) open() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed || d.listener != nil {
		return nil
	}
	listener, err := net.Listen("tcp", d.addr)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	d.listener = listener
	d.wg.Go(func() { _ = d.server.Serve(listener) }) // ends with the listener
	return nil
}

// shut refuses connections for a while, and ends idle ones. It does nothing at a door that is shut.
func (d *door) shut(during time.Duration) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed || d.listener == nil {
		return false
	}
	_ = d.listener.Close()
	d.listener = nil
	for conn := range d.idle {
		_ = conn.Close()
	}
	d.wg.Go(func() {
		for pause := during; pause > 0; pause = 5 * time.Millisecond {
			if wait(d.stop, pause) != nil || d.open() == nil {
				return
			}
		}
	})
	return true
}

func (d *door) note(conn net.Conn, state http.ConnState) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if state == http.StateIdle {
		d.idle[conn] = struct{}{}
	} else {
		delete(d.idle, conn)
	}
}

// close ends the server and its connections, without waiting for what is being answered.
func (d *door) close() error {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	err := d.server.Close()
	d.wg.Wait()
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	return err
}

// wait sleeps until stop ends, whose error it then returns.
func wait(stop context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-stop.Done():
		return stop.Err()
	case <-timer.C:
		return nil
	}
}
