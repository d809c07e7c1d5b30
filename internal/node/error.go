package node

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http/httptrace"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/go-sesame/sesame/internal/oneline"
)

// Error is a question that the node failed to answer. Its text says which node it is, why it failed, and what
// can be done; it has neither the path of the node's URL, which may be a key, nor what an answer quotes.
type Error struct {
	// Host is the node's, with its port; empty where no request was seen to leave.
	Host string
	Err  error
}

// Error names the host, the cause and the way out.
func (e *Error) Error() string {
	text := "node"
	if e.Host != "" {
		text += " " + e.Host
	}
	text += ": " + oneline.Of(e.Err.Error())
	if way := wayOut(e.Err); way != "" {
		text += "; " + way
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// SeveralError is a question that several nodes failed to answer. Err names them, and has no URL.
type SeveralError struct {
	Err error
	// Passing says that one of them may answer later.
	Passing bool
}

// Error is what they failed with.
func (e *SeveralError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *SeveralError) Unwrap() error { return e.Err }

// plain is err, or where its text has what does not print, one with the same causes and without that: the
// words are the node's, or a contract's.
func plain(err error) error {
	text := err.Error()
	if shown := oneline.Of(text); shown != text {
		return &plainError{shown, err}
	}
	return err
}

type plainError struct {
	text string
	err  error
}

func (e *plainError) Error() string { return e.text }

func (e *plainError) Unwrap() error { return e.err }

// cause is an error of the node's client without the node's URL, and whether that is another one: net/http
// quotes it and, where HTTP itself failed, go-ethereum's client quotes the answer, of any length, which may
// quote it too ("Cannot POST /v2/KEY").
func cause(err error) (error, bool) {
	if late, ok := errors.AsType[*unansweredError](err); ok {
		inner, _ := cause(late.err)
		return &unansweredError{late.after, inner}, true
	}
	if failed, ok := errors.AsType[*url.Error](err); ok {
		inner, _ := cause(failed.Err)
		return inner, true
	}
	if status := httpFailure.FindStringSubmatch(err.Error()); status != nil {
		return errors.New(status[1]), true
	}
	return err, false
}

// Cause is an error of a node's client without the node's URL, and without what does not print.
func Cause(err error) error {
	failed, _ := cause(err)
	return plain(failed)
}

// httpFailure is how go-ethereum's client tells an HTTP status, and the answer after it. Its error has a
// type, in a package that does network I/O, which this one leaves to whoever makes the client.
var httpFailure = regexp.MustCompile(`^([1-5][0-9]{2} [A-Za-z' -]{0,40})(?::|$)`)

// noNode finds what a service says that is no node: it lacks what every node has.
var noNode = regexp.MustCompile(`(?i)\bmethod\b.*\beth_(call|chainId|getCode|blockNumber|getBlockByNumber|getLogs)\b|\beth_(call|chainId|getCode|blockNumber|getBlockByNumber|getLogs)\b.*\b(does not exist|not (found|supported|available|allowed))`)

// wayOut is what can be done about a cause, empty where that is not known.
func wayOut(err error) string {
	var (
		name *net.DNSError
		dial *net.OpError
	)
	switch status := httpStatus(err); {
	case status == 401 || status == 403:
		return "check the key in the node's URL"
	case status == 404 || status == 405:
		return "check the path of the node's URL"
	case status == 429:
		return "ask less often, or use a node that takes more"
	case status >= 300 && status <= 399:
		return "redirects are not followed; use the node's final URL"
	case errors.As(err, &name) && name.IsNotFound:
		return "check the host in the node's URL"
	case errors.As(err, &dial) && dial.Op == "dial":
		return "check that the node runs, and the host and port in its URL"
	case notJSON(err):
		return "the answer is no JSON; check that the URL is a node's"
	case noNode.MatchString(err.Error()):
		return "this is another service than a node of the chain, such as a bundler; give a node's URL where the chain is read"
	case Unavailable(err), errors.Is(err, context.DeadlineExceeded), errors.Is(err, io.EOF):
		return "wait for the node to recover, or use another one"
	}
	return ""
}

// notJSON reports whether the trouble is with the JSON of an answer, as of a web page, and not with one that
// was cut short.
func notJSON(err error) bool {
	_, ok := errors.AsType[*json.SyntaxError](err)
	return ok && !strings.Contains(err.Error(), "unexpected end")
}

// httpStatus is the HTTP status that an error tells of, 0 for none.
func httpStatus(err error) int {
	status := httpFailure.FindStringSubmatch(innermost(err).Error())
	if status == nil {
		return 0
	}
	code, _ := strconv.Atoi(status[1][:3])
	return code
}

// watch returns a context that notes which host a request goes to.
func watch(ctx context.Context, host *atomic.Pointer[string]) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GetConn: func(hostPort string) { host.Store(&hostPort) }})
}

// told is the error of a question without the node's URL, and with its host where the node itself failed, or
// the way to it. What the chain says is left as it is, but for what does not print, and so is what a chain
// reader says that is no HTTP client.
func (t *Tries) told(err error) error {
	var answer interface{ ErrorCode() int }
	host := t.host.Load()
	if _, ok := errors.AsType[*SeveralError](err); ok { // which names them itself
		return plain(err)
	}
	failed, other := cause(err)
	switch {
	case errors.Is(err, context.Canceled):
		return failed
	case errors.As(err, &answer):
		if answer.ErrorCode() == 3 || !noNode.MatchString(err.Error()) {
			return plain(err)
		}
	case !other && (host == nil || !Unavailable(err)):
		return plain(err)
	case host == nil && httpStatus(failed) == 0 && !errors.As(failed, new(*unansweredError)):
		return failed // it never came to a request
	}
	told := &Error{Err: failed}
	if host != nil {
		told.Host = *host
	}
	return told
}
