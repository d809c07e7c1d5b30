package faultproxy

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// BombSize is what a [GzipBomb] unpacks to, in bytes.
const BombSize = 16 << 20

const (
	endlessPiece = 32 << 10
	endlessPause = 10 * time.Millisecond
)

func gatewayFaults() []fault {
	return []fault{
		{kind: CutJSON, weight: 10, do: after(func(x *exchange, a *answer) {
			a.body = a.body[:len(a.body)/2]
			x.write(a)
		})},
		{kind: Endless, weight: 2, do: after((*exchange).endless)},
		{kind: Gzip, weight: 10, do: after(func(x *exchange, a *answer) {
			a.header.Set("Content-Encoding", "gzip")
			a.body = zip(func(to io.Writer) { _, _ = to.Write(a.body) })
			x.write(a)
		})},
		{kind: GzipBomb, weight: 1, do: after(func(x *exchange, a *answer) {
			a.status, a.body = http.StatusOK, x.bomb()
			a.header.Set("Content-Encoding", "gzip")
			x.write(a)
		})},
		{kind: HTML200, weight: 10, do: after(func(x *exchange, _ *answer) { x.write(x.page(http.StatusOK)) })},
		{kind: HTML502, weight: 10, do: instead(func(x *exchange) *answer { return x.page(http.StatusBadGateway) })},
		{kind: HTML504, weight: 10, do: after(func(x *exchange, _ *answer) { x.write(x.page(http.StatusGatewayTimeout)) })},
		{kind: Redirect, weight: 5, do: instead((*exchange).redirect)},
		{kind: Status429, weight: 5, do: instead(func(x *exchange) *answer { return x.tooMany("1") })},
		{kind: Status429Date, weight: 3, do: instead(func(x *exchange) *answer {
			return x.tooMany(time.Now().Add(2 * time.Second).UTC().Format(http.TimeFormat)) // in whole seconds: one at least
		})},
		{kind: Status401, weight: 5, do: instead(func(x *exchange) *answer {
			a := jsonAnswer(http.StatusUnauthorized, `{"message":"Invalid API key `+x.secret+`"}`)
			return a
		})},
		{kind: Status403, weight: 5, do: instead(func(x *exchange) *answer {
			return x.say(http.StatusForbidden, -32001, "Forbidden: the key "+x.secret+" may not do that", nil)
		})},
		{kind: Status404, weight: 5, do: instead(func(x *exchange) *answer {
			return textAnswer(http.StatusNotFound, "Cannot POST "+x.r.URL.Path+"\n")
		})},
		{kind: Status500, weight: 8, do: instead(internalError)},
		{kind: Status500AfterAcceptance, weight: 8, do: after(func(x *exchange, _ *answer) { x.write(internalError(x)) })},
	}
}

func internalError(x *exchange) *answer {
	return x.say(http.StatusInternalServerError, -32603, "Internal error", nil)
}

func jsonAnswer(status int, body string) *answer {
	return &answer{status, http.Header{"Content-Type": {"application/json"}}, []byte(body)}
}

func textAnswer(status int, body string) *answer {
	return &answer{status, http.Header{"Content-Type": {"text/plain; charset=utf-8"}}, []byte(body)}
}

// page is what a gateway shows to people. It quotes the URL.
func (x *exchange) page(status int) *answer {
	title := fmt.Sprintf("%d %s", status, http.StatusText(status))
	body := "<!DOCTYPE html>\n<html><head><title>" + title + "</title></head>\n<body><h1>" + title + "</h1><p>" + x.URL() + "</p></body></html>\n"
	return &answer{status, http.Header{"Content-Type": {"text/html; charset=utf-8"}}, []byte(body)}
}

func (x *exchange) tooMany(retryAfter string) *answer {
	a := x.say(http.StatusTooManyRequests, -32005, "too many requests for "+x.secret, nil)
	a.header.Set("Retry-After", retryAfter)
	return a
}

// redirect sends the client elsewhere, in each of the ways that there are.
func (x *exchange) redirect() *answer {
	statuses := []int{http.StatusTemporaryRedirect, http.StatusPermanentRedirect, http.StatusMovedPermanently, http.StatusFound}
	a := textAnswer(statuses[x.rand.IntN(len(statuses))], "moved\n")
	a.header.Set("Location", "http://"+x.other.addr+x.r.URL.Path)
	return a
}

// endless begins an answer and goes on until the client is gone.
func (x *exchange) endless(*answer) {
	x.w.Header().Set("Content-Type", "application/json")
	x.w.WriteHeader(http.StatusOK)
	_, _ = io.WriteString(x.w, `{"jsonrpc":"2.0","id":1,"result":"0x`)
	piece := bytes.Repeat([]byte("0"), endlessPiece)
	flush := http.NewResponseController(x.w).Flush
	for x.r.Context().Err() == nil {
		if _, err := x.w.Write(piece); err != nil || flush() != nil || wait(x.stop, endlessPause) != nil {
			return
		}
	}
}

// pack makes the bomb.
func pack() []byte {
	const head, tail = `{"jsonrpc":"2.0","id":1,"result":"0x`, `"}`
	return zip(func(to io.Writer) {
		_, _ = io.WriteString(to, head)
		_, _ = io.CopyN(to, zeros{}, BombSize-int64(len(head)+len(tail)))
		_, _ = io.WriteString(to, tail)
	})
}

// zeros are digits.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return copy(p, strings.Repeat("0", len(p))), nil }

func zip(write func(io.Writer)) []byte {
	var packed bytes.Buffer
	to := gzip.NewWriter(&packed)
	write(to)
	_ = to.Close() // into memory
	return packed.Bytes()
}
