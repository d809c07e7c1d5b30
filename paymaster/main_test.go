package paymaster_test

import (
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"go.uber.org/goleak"

	"github.com/go-sesame/sesame/internal/jsonrpc/jsonrpctest"
	"github.com/go-sesame/sesame/paymaster"
	"github.com/go-sesame/sesame/userop"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const chainID = 80002

var (
	entryPoint = common.HexToAddress("0x5FF137D4b0FDCD49DcA30c7CF57E578a026d2789")
	verifying  = common.HexToAddress("0x00000f79B7FaF42EEBAdbA19aCc07cD08Af44789")
	tokens     = common.HexToAddress("0x00000f7365cA6C59A2C93719ad53d567ed49c14C")
	usdc       = common.HexToAddress("0x41E94Eb019C0762f9Bfcf9Fb1E58725BfB0e7582")
	usdt       = common.HexToAddress("0xdAC17F958D2ee523a2206206994597C13D831ec7")

	sponsoredData = append(verifying.Bytes(), make([]byte, 60)...)
)

// play returns a client of a service that speaks the lines of testdata/file.
func play(t *testing.T, file string, opts ...paymaster.Option) *paymaster.Client {
	t.Helper()
	client := paymaster.New(jsonrpctest.Play(t, "testdata/"+file).URL+"/api/v1/80002/k-123456", opts...)
	t.Cleanup(client.Close)
	return client
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

func request(calculate bool) userop.SponsorRequest {
	return userop.SponsorRequest{EntryPoint: entryPoint, ChainID: chainID, CalculateGasLimits: calculate}
}
