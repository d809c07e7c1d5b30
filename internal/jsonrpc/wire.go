package jsonrpc

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode"
)

// wire is HTTP/1.1 over connections of its own, for services without TLS and without a proxy before them:
// net/http hands each request over to two goroutines of the connection and back, which takes more time than
// all the rest. Here the caller writes the request in one piece and reads the answer. Heads are written and
// answers are parsed by net/http, and what is not the usual goes through it as a whole.
//
// A connection that was used before is looked at before it is used again: one that the service closed while
// it was idle is given up before a byte is written, and only then another one is taken for the same request.
// A nil wire takes nothing.
type wire struct {
	addr string
	// head is the request's before the body's length, tail what follows it.
	head, tail []byte
	request    *http.Request // as which answers are read
	direct     func() bool   // no proxy of the environment is for the service
	dial       func(ctx context.Context, network, addr string) (net.Conn, error)

	mu      sync.Mutex
	idle    []*wireConn // the one that was used last is at the end
	pruning *time.Timer // runs while there are any
}

const (
	// largestWired is the largest request that goes over a wire: it fits into the buffer of a connection, so
	// that a service which refuses it unread is heard.
	largestWired = 64 << 10
	// longestHead bounds the head of an answer, with those of 100 Continue and the like before it.
	longestHead = 1 << 20
	// lengthDigits is the room for a body's length.
	lengthDigits = 20

	longestIdle = 90 * time.Second
	mostIdle    = 128
)

var errLongHead = fmt.Errorf("the head of the answer is longer than %d bytes", longestHead)

// newWire returns nil where the service is one for net/http.
func newWire(serviceURL string) *wire {
	u, err := url.Parse(serviceURL)
	if err != nil || u.Scheme != "http" || !canProbe || strings.ContainsFunc(u.Host, func(r rune) bool { return r > unicode.MaxASCII || r == '%' }) {
		return nil
	}
	const mark = "Content-Length: 1\r\n"
	request, err := http.NewRequest(http.MethodPost, serviceURL, strings.NewReader("1"))
	if err != nil {
		return nil
	}
	setHeader(request.Header)
	request.Header.Set("Accept-Encoding", "gzip")
	if u.User != nil {
		password, _ := u.User.Password()
		request.SetBasicAuth(u.User.Username(), password)
	}
	var written bytes.Buffer
	if err := request.Write(&written); err != nil {
		return nil
	}
	head, tail, found := bytes.Cut(bytes.TrimSuffix(written.Bytes(), []byte("1")), []byte(mark))
	if !found {
		return nil
	}
	return &wire{
		addr:    net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "80")),
		head:    append(bytes.Clone(head), "Content-Length: "...),
		tail:    append([]byte("\r\n"), tail...),
		request: request,
		direct: sync.OnceValue(func() bool {
			proxy, err := http.ProxyFromEnvironment(request)
			return proxy == nil && err == nil
		}),
		dial: newDialer().DialContext,
	}
}

// room is how much a request's head takes.
func (w *wire) room() int {
	if w == nil {
		return 0
	}
	return len(w.head) + lengthDigits + len(w.tail)
}

// takes reports whether a request with a body of that length goes this way.
func (w *wire) takes(length int) bool { return w != nil && length <= largestWired && w.direct() }

// message writes the head before the body of x, and returns the request.
func (w *wire) message(x *exchange) []byte {
	var digits [lengthDigits]byte
	length := strconv.AppendInt(digits[:0], int64(len(x.sent)-w.room()), 10)
	begin := lengthDigits - len(length)
	at := begin + copy(x.sent[begin:], w.head)
	at += copy(x.sent[at:], length)
	copy(x.sent[at:], w.tail)
	return x.sent[begin:]
}

// post sends a request and reads its answer. Delivered says of one that failed that the service may have got
// it; one whose answer broke off comes with the answer's head.
func (w *wire) post(ctx context.Context, until limit, x *exchange, most int64) (resp *http.Response, delivered bool, err error) {
	message := w.message(x)
	at := until.at
	if deadline, ok := ctx.Deadline(); ok && deadline.Before(at) {
		at = deadline
	}
	for {
		conn := w.take(at)
		used := conn != nil
		if !used {
			if conn, err = w.connect(ctx, until, at); err != nil {
				return nil, false, err
			}
		}
		resp, written, err := w.exchange(ctx, conn, message, x, most)
		if err == nil {
			return resp, true, nil
		}
		late := errors.Is(err, os.ErrDeadlineExceeded)
		if written == 0 && used && !late {
			continue // it was closed just now
		}
		if late && at.Before(until.at) {
			err = ended(ctx)
		} else if late {
			err = lateError(until.told)
		}
		return resp, written > 0, err
	}
}

// ended is why a context ended whose deadline a connection was told: it ends in this moment.
func ended(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(time.Second): // its timer is late, or it has none
		return context.DeadlineExceeded
	}
}

// exchange is post on one connection, which it keeps or closes. It says how much was written.
func (w *wire) exchange(ctx context.Context, conn *wireConn, message []byte, x *exchange, most int64) (resp *http.Response, written int, err error) {
	stop := func() bool { return true }
	if ctx.Done() != nil {
		stop = context.AfterFunc(ctx, conn.interrupt)
	}
	reusable := false
	written, failed := conn.Write(message)
	if failed == nil || written > 0 { // then there may be an answer all the same
		resp, reusable, err = conn.answer(w.request, x, most)
	}
	if failed != nil && (resp == nil || err != nil) {
		err = failed
	}
	if stop() && reusable && failed == nil {
		w.keep(conn)
	} else {
		_ = conn.Close()
	}
	return resp, written, err
}

// connect opens a connection.
func (w *wire) connect(ctx context.Context, until limit, at time.Time) (*wireConn, error) {
	dialing, done := context.WithDeadlineCause(ctx, until.at, lateError(until.told))
	defer done()
	opened, err := w.dial(dialing, "tcp", w.addr)
	if err != nil {
		if dialing.Err() != nil {
			err = context.Cause(dialing)
		}
		return nil, err
	}
	conn := &wireConn{Conn: opened}
	conn.in = bufio.NewReader(conn)
	conn.interrupt = func() { _ = opened.SetDeadline(time.Unix(1, 0)) }
	if plain, ok := opened.(syscall.Conn); ok {
		conn.raw, _ = plain.SyscallConn()
	}
	conn.look = conn.peek
	if err := conn.SetDeadline(at); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

// take returns an idle connection that is still open, nil for none.
func (w *wire) take(at time.Time) *wireConn {
	for {
		w.mu.Lock()
		last := len(w.idle) - 1
		if last < 0 {
			w.mu.Unlock()
			return nil
		}
		conn := w.idle[last]
		w.idle[last] = nil
		w.idle = w.idle[:last]
		w.mu.Unlock()
		if conn.SetDeadline(at) == nil && conn.open() {
			return conn
		}
		_ = conn.Close()
	}
}

// keep keeps a connection for the next request.
func (w *wire) keep(conn *wireConn) {
	conn.since = time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if conn.raw == nil || len(w.idle) >= mostIdle {
		_ = conn.Close()
		return
	}
	w.idle = append(w.idle, conn)
	if w.pruning == nil {
		w.pruning = time.AfterFunc(longestIdle, w.prune)
	}
}

// prune closes connections that were idle for long, and comes again while there are others.
func (w *wire) prune() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closeIdle(time.Now().Add(-longestIdle))
	if w.pruning = nil; len(w.idle) > 0 {
		w.pruning = time.AfterFunc(max(time.Second, time.Until(w.idle[0].since.Add(longestIdle))), w.prune)
	}
}

// close closes all connections that are idle.
func (w *wire) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closeIdle(time.Now())
	if w.pruning != nil {
		w.pruning.Stop()
		w.pruning = nil
	}
}

// closeIdle closes the connections that were used last at that time or before.
func (w *wire) closeIdle(before time.Time) {
	old := 0
	for old < len(w.idle) && !w.idle[old].since.After(before) {
		_ = w.idle[old].Close()
		old++
	}
	w.idle = append([]*wireConn(nil), w.idle[old:]...)
}

// wireConn is a connection of a wire.
type wireConn struct {
	net.Conn
	in        *bufio.Reader // of what Read reads
	left      int64         // how much may still be read
	failed    error         // why Read failed, other than by the end
	since     time.Time     // when it became idle
	interrupt func()        // ends what is being written or read
	raw       syscall.RawConn
	look      func(fd uintptr) bool // peek
	silent    bool                  // what peek saw: it is open, and nothing came
}

// Read reads from the connection, as much as may be read.
func (c *wireConn) Read(b []byte) (int, error) {
	if c.left <= 0 {
		c.failed = errLongHead
		return 0, errLongHead
	}
	n, err := c.Conn.Read(b)
	if c.left -= int64(n); err != nil && err != io.EOF {
		c.failed = err
	}
	return n, err
}

// open reports whether an idle connection can be used: the service has neither closed it nor said anything.
func (c *wireConn) open() bool {
	c.silent = false
	return c.raw.Read(c.look) == nil && c.silent
}

// answer reads an answer, its body into x. The connection can be used again where all of it was read.
func (c *wireConn) answer(request *http.Request, x *exchange, most int64) (resp *http.Response, reusable bool, err error) {
	c.left = longestHead
	if _, err := c.in.Peek(1); err != nil {
		return nil, false, err
	}
	for {
		if resp, err = http.ReadResponse(c.in, request); err != nil {
			return nil, false, c.malformed(err)
		}
		interim := resp.StatusCode >= 100 && resp.StatusCode < 200
		if !interim || resp.StatusCode == http.StatusSwitchingProtocols {
			break
		}
	}
	c.left = math.MaxInt64
	body := io.Reader(resp.Body)
	if resp.ContentLength != 0 && strings.EqualFold(resp.Header.Get("Content-Encoding"), "gzip") {
		unpacked, err := gzip.NewReader(resp.Body)
		switch {
		case err == io.EOF: // nothing was packed
		case err != nil:
			return resp, false, fmt.Errorf("reading the answer: %w", err)
		default:
			body = unpacked
		}
	}
	err = x.read(body, most)
	if err != nil && err != io.EOF {
		return resp, false, fmt.Errorf("reading the answer: %w", err)
	}
	whole := err == io.EOF
	if whole && body != resp.Body { // what was packed has ended; so has to what it was packed in
		n, err := resp.Body.Read(make([]byte, 1))
		whole = n == 0 && err == io.EOF
	}
	return resp, whole && !resp.Close && resp.StatusCode >= 200 && c.in.Buffered() == 0, nil
}

// malformed is why a head could not be read: what is cut anywhere looks wrong as well. Words that do not fit
// into a line are quoted.
func (c *wireConn) malformed(err error) error {
	switch {
	case c.failed != nil:
		return c.failed
	case err == io.ErrUnexpectedEOF:
		return err
	}
	return fmt.Errorf("malformed HTTP answer: %.200q", err.Error())
}
