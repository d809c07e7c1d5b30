package bundler_test

import (
	"os"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"go.uber.org/goleak"

	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/internal/jsonrpc/jsonrpctest"
	"github.com/go-sesame/sesame/userop"
)

func TestMain(m *testing.M) {
	if os.Getenv(wireServer) != "" {
		serveWire()
		return
	}
	goleak.VerifyTestMain(m)
}

var (
	entryPoint = common.HexToAddress("0x5FF137D4b0FDCD49DcA30c7CF57E578a026d2789")
	opHash     = common.HexToHash("0x1c13b2c93c7e4a28ef9b3b8c1bf6c6f4ef2b4b2f7f7a9e1b2b0a5c1d2e3f4a5b")
	txHash     = common.HexToHash("0x29d06c1dbd1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4")
)

const chainID = 80002

// play returns a client of a bundler that speaks the lines of testdata/file.
func play(t *testing.T, file string, opts ...bundler.Option) (*bundler.Client, *jsonrpctest.Dialogue) {
	t.Helper()
	server := jsonrpctest.Play(t, "testdata/"+file)
	client := bundler.New(server.URL+"/api/v2/80002/k-123456", opts...)
	t.Cleanup(client.Close)
	return client, server
}

func operation() *userop.Operation {
	return &userop.Operation{
		Sender:               common.HexToAddress("0x6eB03766eCDD0306De87c0d272eaFEc9267a7c85"),
		Nonce:                *uint256.NewInt(5),
		CallData:             common.FromHex("0x0000189a"),
		CallGasLimit:         *uint256.NewInt(100_000),
		VerificationGasLimit: *uint256.NewInt(200_000),
		PreVerificationGas:   *uint256.NewInt(50_000),
		MaxFeePerGas:         *uint256.NewInt(1_500_000_000),
		MaxPriorityFeePerGas: *uint256.NewInt(1_000_000_000),
		Signature:            common.FromHex("0x1234"),
	}
}
