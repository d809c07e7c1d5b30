package jsonrpc

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// rawServer answers each request with the bytes that say returns, and then closes the connection if it says
// so. It counts connections and requests.
type rawServer struct {
	url                   string
	connections, requests atomic.Int32
	// after runs after an answer was written.
	after func(conn net.Conn)
}

func serveRaw(t *testing.T, say func(request int) (answer string, closes bool)) *rawServer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &rawServer{url: "http://" + listener.Addr().String(), after: func(net.Conn) {}}
	var serving sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.connections.Add(1)
			mu.Lock()
			open = append(open, conn)
			mu.Unlock()
			serving.Go(func() {
				defer conn.Close()
				in := bufio.NewReader(conn)
				for {
					request, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, request.Body)
					answer, closes := say(int(s.requests.Add(1)))
					_, _ = io.WriteString(conn, answer)
					if closes {
						return
					}
					s.after(conn)
				}
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		mu.Lock()
		for _, conn := range open {
			_ = conn.Close()
		}
		mu.Unlock()
		serving.Wait()
	})
	return s
}

const usual = `{"jsonrpc":"2.0","id":1,"result":"0x1"}`

// ok is a usual answer under a head.
func ok(head ...string) string {
	return "HTTP/1.1 200 OK\r\n" + strings.Join(append(head, fmt.Sprintf("Content-Length: %d", len(usual))), "\r\n") + "\r\n\r\n" + usual
}

func packed(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return b.String()
}

// Whatever a service answers, it is taken as net/http takes it; and the connection is used again where
// net/http would.
func TestAnswersAreTakenAsByNetHTTP(t *testing.T) {
	chunked := "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	for name, answer := range map[string]struct {
		say    string
		closes bool
	}{
		"usual":                       {ok(), false},
		"closing":                     {ok("Connection: close"), true},
		"closing without a word":      {ok(), true},
		"in chunks":                   {chunked + "5\r\n" + usual[:5] + "\r\n22\r\n" + usual[5:] + "\r\n0\r\n\r\n", false},
		"in chunks, with a trailer":   {chunked + "27\r\n" + usual + "\r\n0\r\nA: b\r\n\r\n", false},
		"in chunks, cut":              {chunked + "27\r\n" + usual[:9], true},
		"in wrong chunks":             {chunked + "zz\r\n" + usual, true},
		"up to the end":               {"HTTP/1.0 200 OK\r\n\r\n" + usual, true},
		"of HTTP/1.0, kept":           {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 39\r\n\r\n" + usual, false},
		"packed":                      {"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n" + packed(usual), true},
		"packed, kept":                {fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", len(packed(usual)), packed(usual)), false},
		"packed, but not":             {ok("Content-Encoding: gzip"), true},
		"packed nothing":              {"HTTP/1.1 502 Bad Gateway\r\nContent-Encoding: gzip\r\nContent-Length: 0\r\n\r\n", false},
		"packed bomb":                 {"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n" + packed(strings.Repeat(" ", 100_000)), true},
		"after interim ones":          {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + ok(), false},
		"switching":                   {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", true},
		"without content":             {"HTTP/1.1 204 No Content\r\n\r\n", false},
		"refused":                     {"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nbusy", false},
		"moved":                       {"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n", false},
		"longer than it may be":       {"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + strings.Repeat(" ", 100_000), false},
		"longer than it says":         {ok() + "x", false},
		"shorter than it says":        {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + usual, true},
		"of two lengths":              {"HTTP/1.1 200 OK\r\nContent-Length: 39\r\nContent-Length: 38\r\n\r\n" + usual, true},
		"of no length":                {"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n" + usual, true},
		"of a negative length":        {"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n" + usual, true},
		"nothing":                     {"", true},
		"a head that was cut":         {"HTTP/1.1 200 OK\r\nContent-Le", true},
		"no HTTP":                     {"\x1b[31mSSH-2.0 k-1234567890\r\n\r\n", true},
		"a header that is none":       {"HTTP/1.1 200 OK\r\n\x1b[31m\r\n\r\n" + usual, true},
		"an error":                    {"HTTP/1.1 200 OK\r\nContent-Length: 41\r\n\r\n" + `{"error":{"code":-32500,"message":"AA25"}}`[:41], false},
		"other coding, as it is":      {ok("Content-Encoding: identity"), false},
		"a coding of the transfer":    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", true},
		"after many interim ones":     {strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 7) + ok(), true},
		"lines that end as Unix's do": {"HTTP/1.1 200 OK\nContent-Length: 39\n\n" + usual, false},
	} {
		t.Run(name, func(t *testing.T) {
			type outcome struct {
				result, err string
				delivered   bool
				temporary   bool
				status      int
				retryAfter  time.Duration
				connections int32
			}
			play := func(wired bool) (told [2]outcome) {
				server := serveRaw(t, func(int) (string, bool) { return answer.say, answer.closes })
				c := New(Config{URL: server.url + "/k-1234567890", Service: "bundler", MaxResponse: 50_000})
				defer c.Close()
				require.NotNil(t, c.wire)
				if !wired {
					c.wire = nil
				}
				for i := range told {
					if i > 0 && answer.closes {
						break // whether the end is seen before the next request is a race
					}
					var result string
					err := c.Do(t.Context(), Request{Method: "m", Result: &result})
					told[i] = outcome{result: result, connections: server.connections.Load()}
					if err == nil {
						continue
					}
					told[i].err = strings.ReplaceAll(err.Error(), server.url, "")
					require.NotContains(t, told[i].err, "k-1234567890")
					require.NotContains(t, told[i].err, "\x1b")
					if failed, ok := errors.AsType[*TransportError](err); ok {
						told[i].delivered, told[i].temporary = failed.MayBeDelivered(), failed.Temporary()
						told[i].status, told[i].retryAfter = failed.HTTPStatus, failed.RetryAfter
					}
				}
				return told
			}
			want, got := play(false), play(true)
			if name == "longer than it says" { // whether net/http sees it before the next request is a race, too
				want[1] = want[0]
				want[1].connections = 2
			}
			for i := range want { // how HTTP is broken may be told in other words
				for _, words := range []string{"malformed", "bad Content-Length", "unsupported transfer encoding", "transport connection broken"} {
					if strings.Contains(want[i].err, words) && strings.Contains(got[i].err, "malformed HTTP answer") {
						want[i].err = got[i].err
					}
				}
			}
			require.Equal(t, want, got)
		})
	}
}

func TestTheHeadOfAnAnswerIsBounded(t *testing.T) {
	line := "A: " + strings.Repeat("b", 4000) + "\r\n"
	for _, say := range []string{"HTTP/1.1 200 OK\r\n" + strings.Repeat(line, 300), strings.Repeat("HTTP/1.1 103 Early Hints\r\n"+line+"\r\n", 300)} {
		server := serveRaw(t, func(int) (string, bool) { return say, false })
		c := New(Config{URL: server.url, Service: "bundler"})
		err := c.Do(t.Context(), Request{Method: "m", Result: new(string)})
		require.EqualError(t, err, "bundler "+server.url+": m: the head of the answer is longer than 1048576 bytes")
	}
}

// A request looks to a service as net/http's does.
func TestRequestsAreWrittenAsByNetHTTP(t *testing.T) {
	for _, path := range []string{"", "/", "/api/v2/80002/k-1234567890", "/a%2Fb c?apikey=k%201&x=%20#part"} {
		for _, user := range []string{"", "user:p%40ss@", "key@"} {
			var seen []string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				var request struct{ ID json.Number }
				_ = json.Unmarshal(body, &request)
				text := strings.ReplaceAll(string(body), request.ID.String(), "ID")
				length := r.ContentLength - int64(len(request.ID.String()))
				seen = append(seen, fmt.Sprint(r.Method, r.RequestURI, r.Host, r.Header["Authorization"], r.Header["Content-Type"], r.Header["Accept"],
					r.Header["User-Agent"], r.Header["Accept-Encoding"], len(r.Header), r.TransferEncoding, length, r.Close, text))
				_, _ = io.WriteString(w, usual)
			}))
			c := New(Config{URL: strings.Replace(server.URL, "//", "//"+user, 1) + path})
			require.NotNil(t, c.wire)
			require.NoError(t, c.Do(t.Context(), Request{Method: "m", Params: []any{1, "<é>"}, Result: new(string)}))
			c.wire.close()
			c.wire = nil
			require.NoError(t, c.Do(t.Context(), Request{Method: "m", Params: []any{1, "<é>"}, Result: new(string)}))
			c.Close()
			server.Close()
			require.Equal(t, seen[1], seen[0])
		}
	}
}

// What is not plain HTTP to a service without a proxy before it goes through net/http.
func TestWhatGoesOverAWire(t *testing.T) {
	for url, wired := range map[string]bool{
		"http://127.0.0.1:8545/rpc": true, "http://bundler.example": true, "http://[::1]:80/": true,
		"https://bundler.example": false, "http://[fe80::1%25lo]/": false, "http://bücher.example": false, "": false,
	} {
		c := New(Config{URL: url})
		require.Equal(t, wired, c.wire.takes(100), url)
		require.False(t, c.wire.takes(largestWired+1))
		require.Nil(t, New(Config{URL: url, HTTPClient: http.DefaultClient}).wire)
	}
	c := New(Config{URL: "http://bundler.example"})
	require.Equal(t, "bundler.example:80", c.wire.addr)
	c.wire.direct = func() bool { return false }
	require.False(t, c.wire.takes(100), "a proxy is before it")
}

// A connection that the service closed while it was idle is no failure, also of what is sent once: nothing
// was written to it.
func TestAnIdleConnectionThatWasClosed(t *testing.T) {
	closed := make(chan struct{}, 1)
	server := serveRaw(t, func(int) (string, bool) { return ok(), false })
	server.after = func(conn net.Conn) {
		_ = conn.Close()
		closed <- struct{}{}
	}
	c := New(Config{URL: server.url})
	defer c.Close()
	for range 20 {
		require.NoError(t, c.Do(t.Context(), Request{Method: "eth_sendUserOperation", Result: new(string)}))
		<-closed
		require.Eventually(t, func() bool { // until the end of the connection has come here
			conn := c.wire.take(time.Now().Add(time.Minute))
			if conn != nil {
				c.wire.keep(conn)
			}
			return conn == nil
		}, 10*time.Second, time.Millisecond)
	}
	require.EqualValues(t, 20, server.requests.Load())
	require.EqualValues(t, 20, server.connections.Load())
}

// What comes on a connection before anything was asked is the answer to nothing.
func TestAnAnswerBeforeTheQuestion(t *testing.T) {
	said := make(chan struct{}, 1)
	server := serveRaw(t, func(int) (string, bool) { return ok(), false })
	server.after = func(conn net.Conn) {
		_, _ = io.WriteString(conn, strings.Replace(ok(), "0x1", "0x2", 1))
		said <- struct{}{}
	}
	c := New(Config{URL: server.url})
	defer c.Close()
	for range 3 {
		var result string
		require.NoError(t, c.Do(t.Context(), Request{Method: "m", Result: &result}))
		require.Equal(t, "0x1", result)
		<-said
		time.Sleep(5 * time.Millisecond)
	}
	require.EqualValues(t, 3, server.connections.Load())
}

// A service that is silent is given up at the deadline, the caller's or the client's, and when it is
// canceled; the connection is not used again.
func TestASilentService(t *testing.T) {
	for name, part := range map[string]string{"before the answer": "", "in its head": "HTTP/1.1 200 OK\r\nCont", "in its body": ok()[:60]} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			canceled, cancel := context.WithCancelCause(t.Context())
			server := serveRaw(t, func(request int) (string, bool) {
				switch {
				case request%2 == 1:
					return ok(), false
				case request == 6:
					cancel(errors.New("shutting down"))
				}
				return part, false
			})
			c := New(Config{URL: server.url, Service: "bundler", Timeout: time.Second})
			defer c.Close()
			ask := func(ctx context.Context) error { return c.Do(ctx, Request{Method: "m", Result: new(string)}) }
			fails := func(ctx context.Context, want string) {
				t.Helper()
				require.NoError(t, ask(t.Context()))
				err := ask(ctx)
				require.EqualError(t, err, "bundler "+server.url+": m: "+want)
				failed, _ := errors.AsType[*TransportError](err)
				require.True(t, failed.MayBeDelivered())
			}
			fails(t.Context(), "no answer within 1s: context deadline exceeded")
			short, done := context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer done()
			fails(short, "context deadline exceeded")
			fails(canceled, "context canceled: shutting down")
			require.EqualValues(t, 3, server.connections.Load(), "one that was given up is not used again")
		})
	}
}

// What never left is known not to be delivered.
func TestWhatNeverLeft(t *testing.T) {
	server := serveRaw(t, func(int) (string, bool) { return ok(), false })
	c := New(Config{URL: server.url, Service: "bundler"})
	defer c.Close()
	require.NoError(t, c.Do(t.Context(), Request{Method: "m", Result: new(string)}))
	var wrote atomic.Bool
	c.wire.close()
	dial := c.wire.dial
	ctx, cancel := context.WithCancel(t.Context())
	c.wire.dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		cancel() // before anything is written
		return interrupted{conn, &wrote}, err
	}
	err := c.Do(ctx, Request{Method: "m", Result: new(string)})
	require.ErrorIs(t, err, context.Canceled)
	failed, _ := errors.AsType[*TransportError](err)
	require.False(t, failed.MayBeDelivered())
	require.True(t, failed.Unsent())
}

// interrupted is a connection on which nothing is written before it is interrupted.
type interrupted struct {
	net.Conn
	ended *atomic.Bool
}

func (c interrupted) SetDeadline(at time.Time) error {
	if at.Before(time.Now()) {
		defer c.ended.Store(true)
	}
	return c.Conn.SetDeadline(at)
}

func (c interrupted) Write(b []byte) (int, error) {
	for !c.ended.Load() {
		time.Sleep(time.Millisecond)
	}
	return c.Conn.Write(b)
}

func TestIdleConnectionsAreClosed(t *testing.T) {
	server := serveRaw(t, func(int) (string, bool) { return ok(), false })
	c := New(Config{URL: server.url})
	w := c.wire
	ask := func() { require.NoError(t, c.Do(t.Context(), Request{Method: "m", Result: new(string)})) }
	ask()
	require.Len(t, w.idle, 1)
	w.prune()
	require.Len(t, w.idle, 1, "it was just used")
	require.NotNil(t, w.pruning)
	conn := w.idle[0]
	conn.since = conn.since.Add(-longestIdle)
	w.prune()
	require.Empty(t, w.idle)
	require.Nil(t, w.pruning)
	require.ErrorIs(t, conn.SetDeadline(time.Time{}), net.ErrClosed)
	ask()
	conn = w.idle[0]
	c.Close()
	require.ErrorIs(t, conn.SetDeadline(time.Time{}), net.ErrClosed)
	require.Nil(t, w.pruning)
	ask()
	c.Close()
	require.EqualValues(t, 3, server.connections.Load())
}

// The quick reading of an answer gives what the careful one gives, or nothing.
func FuzzUsualResult(f *testing.F) {
	for _, body := range []string{
		usual, `{"result":{"a":[1,{"b":null}]},"id":"x","jsonrpc":"2.0","error":null}`, `{"result":null}`, `{"result":1,"result":2}`,
		`{"result":1,"Result":2}`, `{"RESULT":1}`, `{"result":1,"error":{}}`, `{"result":1,"error":null,"error":7}`, `{"result":1,"Error":7}`,
		`{"re\u0073ult":1,"result":2}`, `{"result":1,"re\u0073ult":2}`, `{"result":1,"reſult":2}`, `[{"result":1}]`, `{"result":01}`, `{"result":1}}`,
		` {"result" : "0x1" } `, `{"result":1,"extra":2}`, `{"result":1,"":2}`, "{\"result\":\"\xff\"}", `{"id":{"result":2},"result":1}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		quick, ok := usualResult(body)
		careful, err := parseAnswer(body)
		if ok {
			require.NoError(t, err)
			require.False(t, present(careful.Error))
			require.Equal(t, string(careful.Result), string(quick))
		}
	})
}

// recording is a connection that answers one request with what was recorded, and ends.
type recording struct {
	net.Conn
	asked  chan struct{}
	once   *sync.Once
	answer io.Reader
}

func (r recording) Write(b []byte) (int, error) {
	r.once.Do(func() { close(r.asked) })
	return len(b), nil
}

func (r recording) Read(b []byte) (int, error) {
	<-r.asked
	return r.answer.Read(b)
}

func (r recording) Close() error {
	r.once.Do(func() { close(r.asked) })
	return nil
}

func (recording) SetDeadline(time.Time) error { return nil }

// Whatever bytes a service sends, what they come to is what they come to with net/http.
func FuzzWire(f *testing.F) {
	for _, answer := range []string{
		ok(), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n" + usual[:5] + "\r\n22\r\n" + usual[5:] + "\r\n0\r\nA: b\r\n\r\n",
		"HTTP/1.0 200 OK\r\n\r\n" + usual, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + packed(usual),
		"HTTP/1.1 100 Continue\r\n\r\n" + ok("Connection: close"), "HTTP/1.1 101 Switching Protocols\r\n\r\n" + usual,
		"HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n", "HTTP/1.1 503 No\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nbusy",
		"HTTP/0.0 000 \n\n" + usual, "HTTP/0.0 000 \nContent-Encoding: gzip\n\n", "HTTP/1.1 307 Moved\r\nLocation: /a\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 39\r\nContent-Length: 39\r\n\r\n" + usual,
	} {
		f.Add([]byte(answer))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		play := func(wired bool) (result, status string) {
			dial := func(context.Context, string, string) (net.Conn, error) {
				return recording{asked: make(chan struct{}), once: new(sync.Once), answer: bytes.NewReader(answer)}, nil
			}
			c := New(Config{URL: "http://host.example/k-1234567890", MaxResponse: 1 << 16})
			defer c.Close()
			c.wire.dial, c.wire.direct = dial, func() bool { return true }
			c.pool.DialContext, c.pool.Proxy = dial, nil
			if !wired {
				c.wire = nil
			}
			var raw json.RawMessage
			err := c.Do(t.Context(), Request{Method: "m", Result: &raw})
			if failed, ok := errors.AsType[*TransportError](err); ok {
				require.NotContains(t, err.Error(), "k-1234567890")
				status = fmt.Sprint("failed ", failed.HTTPStatus, failed.MayBeDelivered(), failed.Temporary(), failed.RetryAfter)
				if failed.HTTPStatus != 0 && !failed.broken {
					status = err.Error()
				}
			} else if err != nil {
				status = err.Error()
			}
			return string(raw), status
		}
		result, status := play(true)
		wantResult, wantStatus := play(false)
		if strings.Contains(status, "redirects are not followed") && !strings.Contains(wantStatus, " HTTP 3") {
			return // net/http refuses a Location that is none; here it is a redirect all the same
		}
		require.Equal(t, wantStatus, status)
		require.Equal(t, wantResult, result)
	})
}
