package accounttest

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/go-sesame/sesame/internal/jsonrpc"
	"github.com/go-sesame/sesame/internal/jsonrpc/jsonrpctest"
	"github.com/go-sesame/sesame/internal/localhttp"
)

// JSON-RPC error codes, as in ERC-7769.
const (
	codeRejected   = jsonrpc.CodeRejected
	codePaymaster  = jsonrpc.CodePaymaster
	codeTimeRange  = jsonrpc.CodeTimeRange
	codeAggregator = jsonrpc.CodeAggregator
	codeSignature  = jsonrpc.CodeSignature
	codeReverted   = jsonrpc.CodeReverted
)

var (
	_ rpc.Error     = (*jsonrpctest.Error)(nil)
	_ rpc.DataError = (*jsonrpctest.Error)(nil)
)

// withData adds revert data to the error.
func withData(e *jsonrpctest.Error, revert []byte) *jsonrpctest.Error {
	if len(revert) > 0 {
		e.Data = hexutil.Encode(revert)
	}
	return e
}

// rpcService is a JSON-RPC server over HTTP on 127.0.0.1.
type rpcService struct {
	rpc  *rpc.Server
	http *localhttp.Server
}

// startService serves the exported methods of each API under its namespace: SendUserOperation of "eth" is
// eth_sendUserOperation. Port 0 is a free one.
func startService(apis map[string]any, port int) (*rpcService, error) {
	s := &rpcService{rpc: rpc.NewServer()}
	for namespace, api := range apis {
		if err := s.rpc.RegisterName(namespace, api); err != nil {
			return nil, fmt.Errorf("JSON-RPC namespace %s: %w", namespace, err)
		}
	}
	var err error
	s.http, err = localhttp.Serve(s.rpc, port)
	return s, err
}

func (s *rpcService) url() string { return s.http.URL }

func (s *rpcService) close() error {
	err := s.http.Shutdown()
	s.rpc.Stop()
	return err
}
