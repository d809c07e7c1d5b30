package pgstore_test

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/testutil/pgtest"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/pgstore"
	"github.com/go-sesame/sesame/session/policy"
)

// stoppable stands before a server and can be stopped, as one is that gets SIGSTOP: connections stay, new
// ones are taken by the kernel, and nothing is answered any more.
type stoppable struct {
	listener net.Listener
	target   func() (net.Conn, error)
	stopped  chan struct{}
	ended    sync.WaitGroup
	stop     func()

	mu    sync.Mutex // guards the field below
	conns []net.Conn
}

// stoppableURL returns the URL of a new database behind one.
func stoppableURL(t *testing.T) (string, *stoppable) {
	t.Helper()
	direct := server.URL(t)
	config, err := pgx.ParseConfig(direct)
	require.NoError(t, err)
	s := &stoppable{stopped: make(chan struct{})}
	s.stop = sync.OnceFunc(func() { close(s.stopped) })
	network, address := pgconn.NetworkAddress(config.Host, config.Port)
	s.target = func() (net.Conn, error) { return net.Dial(network, address) }
	s.listener, err = net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s.ended.Add(1)
	go s.accept()
	t.Cleanup(s.close)
	host, port, err := net.SplitHostPort(s.listener.Addr().String())
	require.NoError(t, err)
	return pgtest.With(pgtest.With(direct, "host", host), "port", port), s
}

func (s *stoppable) accept() {
	defer s.ended.Done()
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		server, err := s.target()
		if err != nil {
			_ = conn.Close()
			continue
		}
		s.mu.Lock()
		s.conns = append(s.conns, conn, server)
		s.mu.Unlock()
		s.ended.Add(2)
		go s.copy(server, conn)
		go s.copy(conn, server)
	}
}

func (s *stoppable) copy(to, from net.Conn) {
	defer s.ended.Done()
	buffer := make([]byte, 1<<16)
	for {
		n, err := from.Read(buffer)
		select {
		case <-s.stopped:
			return // and both stay open
		default:
		}
		if _, written := to.Write(buffer[:n]); err != nil || written != nil {
			_ = to.Close()
			return
		}
	}
}

func (s *stoppable) close() {
	s.stop()
	_ = s.listener.Close()
	s.mu.Lock()
	for _, conn := range s.conns {
		_ = conn.Close()
	}
	s.mu.Unlock()
	s.ended.Wait()
}

// TestStoppedServer asks a server that answers nothing any more, under a context without a deadline.
func TestStoppedServer(t *testing.T) {
	const limit = 200 * time.Millisecond
	at, proxy := stoppableURL(t)
	store, err := pgstore.Open(t.Context(), at, pgstore.Config{Sealer: newSealer('a')})
	require.NoError(t, err)
	defer func() {
		proxy.close() // ends the connections that pgx would wait for, for a quarter of a minute
		require.NoError(t, store.Close())
	}()
	key, err := store.NewKey(t.Context(), testRef)
	require.NoError(t, err)
	_, err = store.Apply(t.Context(), testRef, 0, &session.Change{Put: newLeaves(0, 1)})
	require.NoError(t, err)
	store.SetTimeout(limit)
	store.SetLockTime(limit)
	proxy.stop()

	ctx := context.Background()
	for name, call := range map[string]func() error{
		"load":    func() error { _, err := store.Load(ctx, testRef); return err },
		"version": func() error { _, err := store.Version(ctx, testRef); return err },
		"hold":    func() error { return store.Hold(ctx, testRef, doNothing) },
		"apply":   func() error { _, err := store.Apply(ctx, testRef, 1, &session.Change{}); return err },
		"list":    func() error { _, err := store.List(ctx, session.Query{}); return err },
		"sign": func() error {
			_, err := store.SignDigest(ctx, session.SignRequest{Ref: testRef, Key: key})
			return err
		},
		"new key": func() error { _, err := store.NewKey(ctx, testRef); return err },
		"lease":   func() error { _, err := store.LeaseLane(ctx, testRef, "a", time.Minute); return err },
		"rotate":  func() error { return store.Rotate(ctx, newSealer('a')) },
		"open": func() error {
			_, err := pgstore.Open(ctx, at, pgstore.Config{Timeout: limit})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			done := make(chan error, 1)
			go func() { done <- call() }()
			select {
			case err := <-done:
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.ErrorContains(t, err, "the database did not answer in time; see whether it is up")
			case <-time.After(time.Minute):
				t.Error("hangs")
			}
		})
	}
}

// TestSignersThatHang are as many as may hold sessions at once: a revocation by the same store gets through.
func TestSignersThatHang(t *testing.T) {
	store := stored(t, pgtest.With(server.URL(t), "pool_max_conns", "2"))
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	err := store.Hold(ctx, testRef, func(uint64) error {
		_, err := store.Apply(t.Context(), testRef, 1, &session.Change{})
		return err
	})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "sessions of "+testRef.String()+" were not held to the end: ")
	version, err := store.Version(t.Context(), testRef)
	require.NoError(t, err)
	require.EqualValues(t, 2, version)
}

func TestNegativeTimeout(t *testing.T) {
	_, err := pgstore.Open(t.Context(), server.URL(t), pgstore.Config{Timeout: -1})
	require.ErrorIs(t, err, policy.ErrInvalid)
}
