package jsonrpc

import (
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A connection that is cut without a word takes everything and answers nothing. All requests to a host share
// it with HTTP/2.
func TestADeadConnectionIsFoundOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Config{URL: "http://host.example", Service: "bundler"})
		c.wire, c.pool.Proxy = nil, nil
		c.pool.Protocols = new(http.Protocols)
		c.pool.Protocols.SetUnencryptedHTTP2(true)
		var dialed []net.Conn
		c.pool.DialContext = func(context.Context, string, string) (net.Conn, error) {
			here, there := net.Pipe()
			dialed = append(dialed, here)
			go func() { _, _ = io.Copy(io.Discard, there) }()
			return here, nil
		}
		ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
		defer cancel()
		start := time.Now()
		err := c.Do(ctx, Request{Method: "eth_chainId", Result: new(string), Repeatable: true})
		require.EqualError(t, err, "bundler http://host.example: eth_chainId: http2: client connection lost")
		require.InDelta(t, 30.5, time.Since(start).Seconds(), 0.5)
		for _, conn := range dialed {
			_ = conn.Close()
		}
		require.Len(t, dialed, 3, "after 10 s each, another connection is tried")
	})
}
