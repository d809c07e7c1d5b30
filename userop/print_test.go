package userop_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/userop"
)

func printable() userop.Operation {
	return userop.Operation{
		Sender:               sender,
		Nonce:                *new(uint256.Int).AddUint64(new(uint256.Int).Lsh(uint256.NewInt(0xabc), 64), 7),
		InitCode:             append(sponsor.Bytes(), 1, 2, 3),
		CallData:             common.FromHex("0x0000189a0102"),
		CallGasLimit:         *uint256.NewInt(100),
		VerificationGasLimit: *uint256.NewInt(200),
		PreVerificationGas:   *uint256.NewInt(300),
		MaxFeePerGas:         *uint256.NewInt(1_500_000_000),
		MaxPriorityFeePerGas: *uint256.NewInt(5),
		PaymasterAndData:     append(sponsor.Bytes(), []byte("PAYMASTER-SIGNATURE")...),
		Signature:            []byte("ACCOUNT-SIGNATURE"),
	}
}

func ExampleOperation_String() {
	op := userop.Operation{
		Sender:               common.HexToAddress("0x1111111111111111111111111111111111111111"),
		Nonce:                *uint256.NewInt(7),
		CallData:             common.FromHex("0x0000189a0102"),
		CallGasLimit:         *uint256.NewInt(90_000),
		VerificationGasLimit: *uint256.NewInt(120_000),
		PreVerificationGas:   *uint256.NewInt(48_000),
		MaxFeePerGas:         *uint256.NewInt(1_500_000_000),
		MaxPriorityFeePerGas: *uint256.NewInt(1_000_000_000),
	}
	fmt.Println(op)
	// Output:
	// user operation of 0x1111111111111111111111111111111111111111: nonce 7, calls 0x0000189a with 2 bytes, gas 90000 call + 120000 verification + 48000 pre-verification, fee at most 1500000000 wei per gas, tip 1000000000, unsigned
}

func TestOperationPrintsInWords(t *testing.T) {
	require.Equal(t, "user operation of 0x1111111111111111111111111111111111111111: nonce 7 of lane 0xabc, "+
		"deploys with factory 0x2222222222222222222222222222222222222222 and 3 bytes, calls 0x0000189a with 2 bytes, "+
		"gas 100 call + 200 verification + 300 pre-verification, fee at most 1500000000 wei per gas, tip 5, "+
		"paid by paymaster 0x2222222222222222222222222222222222222222 and 19 bytes, signed with 17 bytes", printable().String())
	require.Equal(t, "user operation of 0x0000000000000000000000000000000000000000: nonce 0, no call, "+
		"gas 0 call + 0 verification + 0 pre-verification, fee at most 0 wei per gas, tip 0, unsigned", userop.Operation{}.String())
	odd := userop.Operation{CallData: []byte{1}, PaymasterAndData: []byte{2}}
	require.Contains(t, odd.String(), "calls with 0x01,")
	require.Contains(t, odd.String(), "paid by 1 bytes, too short for a paymaster")
}

func TestOperationNeverPrintsSignatures(t *testing.T) {
	op := printable()
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "op", op, "pointer", &op)
	printed := []string{log.String()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		printed = append(printed, fmt.Sprintf(verb, op), fmt.Sprintf(verb, &op), fmt.Sprintf(verb, struct{ Op *userop.Operation }{&op}.Op))
	}
	for _, text := range printed {
		require.NotEmpty(t, text)
		for _, secret := range []string{"ACCOUNT-SIGNATURE", "PAYMASTER-SIGNATURE"} {
			require.NotContains(t, text, secret)
			require.NotContains(t, strings.ToLower(text), fmt.Sprintf("%x", secret))
		}
	}
	require.Contains(t, log.String(), "op.nonce=0xabc0000000000000007")
	require.Contains(t, log.String(), `pointer.payer="paymaster 0x2222222222222222222222222222222222222222 and 19 bytes"`)
}

func TestEstimatesPrintInWords(t *testing.T) {
	op := printable()
	require.Equal(t, "at most 1500000000000 wei (150000000000 call + 900000000000 verification + 450000000000 pre-verification), "+
		"paid by paymaster "+sponsor.Hex()+": gas 100 call + 200 verification + 300 pre-verification; fee at most 1500000000 wei per gas, tip 5",
		fmt.Sprint(op.Estimate()))
}
