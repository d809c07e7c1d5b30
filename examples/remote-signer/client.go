package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	"golang.org/x/sync/semaphore"

	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/session/storekit"
)

// client sends requests to one signer.
type client struct {
	base      *url.URL
	authorize func(*http.Request) // has the token, so that no printer finds it
	slots     *semaphore.Weighted
	timeout   time.Duration
	http      *http.Client
}

func newClient(cfg KeyringConfig) (*client, error) {
	base, err := url.Parse(cfg.URL)
	switch {
	case err != nil || base.Host == "" || base.User != nil || base.RawQuery != "":
		return nil, fmt.Errorf("%w: the signer's URL has to look like https://host", policy.ErrInvalid)
	case base.Scheme != "https" && (base.Scheme != "http" || !isLocal(base.Hostname())):
		return nil, fmt.Errorf("%w: signer at %s: use https, the token goes with each request", policy.ErrInvalid, base.Host)
	case cfg.Token == "":
		return nil, fmt.Errorf("%w: signer at %s without a token", policy.ErrInvalid, base.Host)
	}
	concurrency := cmp.Or(max(cfg.Concurrency, 0), 16)
	pool := http.DefaultTransport.(*http.Transport).Clone()
	pool.MaxIdleConnsPerHost = concurrency
	return &client{
		base:      base,
		authorize: func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+cfg.Token) },
		slots:     semaphore.NewWeighted(int64(concurrency)),
		timeout:   cmp.Or(max(cfg.Timeout, 0), 5*time.Second),
		http: &http.Client{
			Transport: pool,
			// A redirect would take the token elsewhere.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

func isLocal(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// String names the signer by its host.
func (c *client) String() string { return "remote signer at " + c.base.Host }

// call sends a request once.
func (c *client) call(ctx context.Context, path string, req *request) (answer, error) {
	return c.try(ctx, path, req, 1)
}

// callAgain sends a request that does no harm if it comes twice, up to three times.
func (c *client) callAgain(ctx context.Context, path string, req *request) (answer, error) {
	return c.try(ctx, path, req, 3)
}

func (c *client) try(ctx context.Context, path string, req *request, tries int) (a answer, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.timeout, fmt.Errorf("no answer within %v: %w", c.timeout, context.DeadlineExceeded))
	defer cancel()
	body, err := json.Marshal(req)
	if err != nil {
		return answer{}, err
	}
	for n := 1; ; n++ {
		again := false
		if a, again, err = c.exchange(ctx, path, req, body); err == nil {
			return a, nil
		}
		if !again || n == tries || pause(ctx, n) != nil {
			return answer{}, fmt.Errorf("%s: %s: %w", c, strings.TrimPrefix(path, "/v1/"), err)
		}
	}
}

// exchange sends a request, and says of an error whether it may pass by itself.
func (c *client) exchange(ctx context.Context, path string, req *request, body []byte) (_ answer, again bool, _ error) {
	if err := c.slots.Acquire(ctx, 1); err != nil {
		return answer{}, false, fmt.Errorf("%w: other requests are under way: %w", ErrUnavailable, context.Cause(ctx))
	}
	defer c.slots.Release(1)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base.JoinPath(path).String(), bytes.NewReader(body))
	if err != nil {
		return answer{}, false, fmt.Errorf("%w: make a request", policy.ErrInvalid)
	}
	r.Header.Set("Content-Type", "application/json")
	c.authorize(r)
	resp, err := c.http.Do(r)
	if err != nil {
		return answer{}, ctx.Err() == nil, broken(ctx, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	switch {
	case err != nil:
		return answer{}, ctx.Err() == nil, broken(ctx, err)
	case len(text) > maxBody:
		return answer{}, false, fmt.Errorf("%w: the answer is longer than %d bytes", ErrUnavailable, maxBody)
	case resp.StatusCode != http.StatusOK:
		return answer{}, passes(resp.StatusCode), refused(req, resp.StatusCode, text)
	}
	var a answer
	if err := json.Unmarshal(text, &a); err != nil {
		return answer{}, false, fmt.Errorf("%w: the answer is not a signer's; is this its URL?", ErrUnavailable)
	}
	return a, false, nil
}

// broken is the error of an exchange without an answer. It leaves out the URL that net/http quotes.
func broken(ctx context.Context, err error) error {
	if failed, ok := errors.AsType[*url.Error](err); ok {
		err = failed.Err
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// passes reports whether an HTTP status is of a kind that passes.
func passes(status int) bool {
	switch status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// refused is the error of an answer that says no.
func refused(req *request, status int, text []byte) error {
	var no refusal
	_ = json.Unmarshal(text, &no) // what is not a refusal has no code
	switch no.Code {
	case codeNoKey:
		return storekit.NoKeyError(req.ref(), req.Key)
	case codeInvalid:
		return fmt.Errorf("%w: %s", policy.ErrInvalid, clean(no.Message))
	case codeRefused:
		return fmt.Errorf("%w: %s", ErrRefused, clean(no.Message))
	case codeUnauthorized:
		return fmt.Errorf("%w: it does not know the token", ErrRefused)
	}
	return fmt.Errorf("%w: HTTP status %d", ErrUnavailable, status)
}

// clean makes a service's text fit for an error: one line that prints, and not too long.
func clean(text string) string {
	const longest = 256
	text = strings.ToValidUTF8(text[:min(len(text), longest)], "")
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
}

// pause waits before the next try: 50 ms, then twice as long, spread so that many do not come in step.
func pause(ctx context.Context, try int) error {
	delay := 25 * time.Millisecond << try
	timer := time.NewTimer(delay/2 + rand.N(delay))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
