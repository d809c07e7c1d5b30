package userop_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/ethereum/go-ethereum/rpc"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/userop"
)

// coded is a JSON-RPC error as go-ethereum's client has it.
type coded int

func (c coded) Error() string  { return fmt.Sprintf("error %d", int(c)) }
func (c coded) ErrorCode() int { return int(c) }

func TestABundlersDropIsADoubt(t *testing.T) {
	require.True(t, userop.MayBeAccepted(fmt.Errorf("mint: %w", userop.ErrDropped)))
	require.True(t, userop.MayBeAccepted(&userop.WaitError{Last: userop.ErrDropped, Err: context.Canceled}))
	require.False(t, userop.MayBeAccepted(&userop.EndedError{}))
	require.False(t, userop.MayBeAccepted(userop.ErrUnconfirmed), "that is beside a doubt, not one")
}

func TestANodeThatFailsForNowIsSafeToRetry(t *testing.T) {
	refused := os.NewSyscallError("connect", syscall.ECONNREFUSED)
	for _, c := range []struct {
		cause error
		retry bool
	}{
		{&net.OpError{Op: "dial", Net: "tcp", Err: refused}, true},
		{&net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}, true},
		{io.EOF, true},
		{rpc.HTTPError{StatusCode: 429, Status: "429 Too Many Requests", Body: []byte("slow down")}, true},
		{rpc.HTTPError{StatusCode: 503, Status: "503 Service Unavailable"}, true},
		{coded(-32005), true},
		{coded(429), true},

		{&net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "node.example", IsNotFound: true}}, false},
		{&net.OpError{Op: "remote error", Err: errors.New("tls: bad certificate")}, false},
		{context.Canceled, false},
		{rpc.HTTPError{StatusCode: 401, Status: "401 Unauthorized", Body: []byte("not 503 times")}, false},
		{coded(3), false},
		{coded(-32000), false},
		{errNode, false},
		{userop.ErrWrongChain, false},
	} {
		cause := fmt.Errorf("nonce of %s: %w", sender, c.cause)
		s, signed := newServices(), 0
		draft := newDraft(&signed)
		draft.InitCode = func(context.Context) ([]byte, error) { return nil, cause }
		_, err := newSender(t, s).Send(t.Context(), draft)
		require.ErrorIs(t, err, cause)
		require.Equal(t, c.retry, userop.SafeToRetry(err), c.cause)
		require.False(t, userop.MayBeAccepted(err))
		require.Zero(t, signed)

		require.False(t, userop.SafeToRetry(cause), "it may come from reading what became of an operation: %v", c.cause)
		require.False(t, userop.SafeToRetry(&userop.Error{Step: userop.StepSend, Operation: new(userop.Operation), Err: cause}))
	}
}
