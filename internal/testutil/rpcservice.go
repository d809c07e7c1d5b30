package testutil

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/rpc"
)

// JSON-RPC error codes, as in ERC-7769.
const (
	codeRejected     = -32500
	codePaymaster    = -32501
	codeTimeRange    = -32503
	codeAggregator   = -32506
	codeSignature    = -32507
	codeReverted     = -32521
	codeInvalidInput = -32602
	codeServerError  = -32000 // a service's own
)

// rpcError is a JSON-RPC error as a service answers it.
type rpcError struct {
	code    int
	message string
	data    any // nil for none
}

var (
	_ rpc.Error     = (*rpcError)(nil)
	_ rpc.DataError = (*rpcError)(nil)
)

func (e *rpcError) Error() string  { return e.message }
func (e *rpcError) ErrorCode() int { return e.code }
func (e *rpcError) ErrorData() any { return e.data }

// invalid is the error for a request that is wrong in itself.
func invalid(format string, args ...any) *rpcError {
	return &rpcError{code: codeInvalidInput, message: fmt.Sprintf(format, args...)}
}

// withData adds revert data to the error.
func (e *rpcError) withData(revert []byte) *rpcError {
	if len(revert) > 0 {
		e.data = hexutil.Encode(revert)
	}
	return e
}

// rpcService is a JSON-RPC server over HTTP on 127.0.0.1.
type rpcService struct {
	rpc  *rpc.Server
	http *server
	url  string
}

// startService serves the exported methods of each API under its namespace: SendUserOperation of "eth" is
// eth_sendUserOperation.
func startService(apis map[string]any) (*rpcService, error) {
	s := &rpcService{rpc: rpc.NewServer()}
	for namespace, api := range apis {
		if err := s.rpc.RegisterName(namespace, api); err != nil {
			return nil, fmt.Errorf("JSON-RPC namespace %s: %w", namespace, err)
		}
	}
	var err error
	s.http, s.url, err = serve(s.rpc)
	return s, err
}

func (s *rpcService) close() error {
	err := s.http.shutdown()
	s.rpc.Stop()
	return err
}
