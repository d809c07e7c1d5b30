package node_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/node"
)

// coded is a JSON-RPC error as go-ethereum's client has it.
type coded struct {
	code int
	text string
}

func (c coded) Error() string  { return c.text }
func (c coded) ErrorCode() int { return c.code }

func notJSON() error { return json.Unmarshal([]byte("<html>"), new(any)) }

func TestUnavailable(t *testing.T) {
	for _, err := range []error{
		&net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}, io.EOF, io.ErrUnexpectedEOF, notJSON(),
		errors.New("503 Service Unavailable: busy"), errors.New("429 Too Many Requests"), errors.New("408 Request Timeout"),
		coded{-32005, "limit exceeded"}, coded{429, "slow down"}, coded{-32000, "header not found"}, coded{-32000, "missing trie node abc"},
		coded{-32603, "upstream request timed out"}, coded{-32002, "request timeout"},
	} {
		require.True(t, node.Unavailable(fmt.Errorf("nonce: %w", err)), "%v", err)
	}
	for _, err := range []error{
		context.Canceled, &net.OpError{Op: "dial", Err: &net.DNSError{IsNotFound: true}}, errors.New("401 Unauthorized: not 503 times"), errors.New("no"),
		coded{3, "execution reverted: header not found"}, coded{-32000, "execution reverted: please try again"}, coded{-32601, "no such method"},
		&net.OpError{Op: "remote error", Err: errors.New("tls: bad certificate")},
	} {
		require.False(t, node.Unavailable(fmt.Errorf("nonce: %w", err)), "%v", err)
	}
}

func TestTries(t *testing.T) {
	ask := func(ctx context.Context, answer func(ctx context.Context, try int) error) (tries int, took time.Duration, err error) {
		start := time.Now()
		for t := node.Ask(ctx); t.Next(&err); {
			tries++
			err = answer(t.Context, tries)
		}
		return tries, time.Since(start), err
	}
	hang := func(ctx context.Context, _ int) error { <-ctx.Done(); return ctx.Err() }
	for name, test := range map[string]struct {
		within time.Duration // that the caller has, 0 for no end
		answer func(context.Context, int) error
		tries  int
		most   time.Duration
		ok     bool
	}{
		"answered": {0, func(context.Context, int) error { return nil }, 1, 0, true},
		"refused":  {0, func(context.Context, int) error { return coded{3, "execution reverted"} }, 1, 0, false},
		"down":     {0, func(context.Context, int) error { return io.EOF }, 3, time.Second, false},
		"down in passing": {0, func(_ context.Context, try int) error {
			if try < 3 {
				return notJSON()
			}
			return nil
		}, 3, time.Second, true},
		"never answered": {0, hang, 2, 20 * time.Second, false},
		"not answered once": {0, func(ctx context.Context, try int) error {
			if try == 1 {
				return hang(ctx, try)
			}
			return nil
		}, 2, 11 * time.Second, true},
		"not answered once, with little time": {3 * time.Second, func(ctx context.Context, try int) error {
			if try == 1 {
				return hang(ctx, try)
			}
			return nil
		}, 2, 2 * time.Second, true},
		"never answered, with little time": {4 * time.Second, hang, 3, 4 * time.Second, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				if test.within > 0 {
					limited, cancel := context.WithTimeout(ctx, test.within)
					defer cancel()
					ctx = limited
				}
				tries, took, err := ask(ctx, test.answer)
				require.Equal(t, test.ok, err == nil, "%v", err)
				require.Equal(t, test.tries, tries)
				require.LessOrEqual(t, took, test.most)
				if name == "never answered" {
					require.ErrorIs(t, err, context.DeadlineExceeded)
					require.Regexp(t, `^node: no answer within \S+s; wait for the node to recover, or use another one$`, err.Error())
					require.True(t, node.Unavailable(err))
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(50*time.Millisecond, cancel)
		tries, took, err := ask(ctx, func(context.Context, int) error { return io.EOF })
		require.ErrorIs(t, err, io.EOF)
		require.Equal(t, 1, tries)
		require.Equal(t, 50*time.Millisecond, took, "it ends with the caller")
	})
}
