package userop_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/testutil"
	"github.com/go-sesame/sesame/userop"
)

func TestOperationHashVectors(t *testing.T) {
	var vectors struct {
		Cases []struct {
			UserOp     json.RawMessage `json:"userOp"`
			ChainID    uint64          `json:"chainId"`
			EntryPoint common.Address  `json:"entryPoint"`
			UserOpHash common.Hash     `json:"userOpHash"`
		} `json:"cases"`
	}
	require.NoError(t, json.Unmarshal(testutil.Vectors(t, "userops.json"), &vectors))
	require.NotEmpty(t, vectors.Cases)
	for i, c := range vectors.Cases {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			var op userop.Operation
			require.NoError(t, json.Unmarshal(c.UserOp, &op))
			require.Equal(t, c.UserOpHash, op.Hash(c.EntryPoint, c.ChainID))

			out, err := json.Marshal(op)
			require.NoError(t, err)
			var want map[string]any
			require.NoError(t, json.Unmarshal(c.UserOp, &want))
			if _, ok := want["signature"]; !ok {
				want["signature"] = "0x"
			}
			wantJSON, err := json.Marshal(want)
			require.NoError(t, err)
			require.JSONEq(t, string(wantJSON), string(out))
		})
	}
}

const fullOperation = `{
	"sender":"0x6eB03766eCDD0306De87c0d272eaFEc9267a7c85","nonce":"0x10000000000000001","initCode":"0x","callData":"0x0000189a",
	"callGasLimit":"0x186a0","verificationGasLimit":"0x30d40","preVerificationGas":"0xc350",
	"maxFeePerGas":"0x59682f00","maxPriorityFeePerGas":"0x3b9aca00","paymasterAndData":"0x","signature":"0x1234"}`

func someOperation() userop.Operation {
	op := userop.Operation{
		Sender:               common.HexToAddress("0x6eB03766eCDD0306De87c0d272eaFEc9267a7c85"),
		CallData:             common.FromHex("0x0000189a"),
		CallGasLimit:         *uint256.NewInt(100_000),
		VerificationGasLimit: *uint256.NewInt(200_000),
		PreVerificationGas:   *uint256.NewInt(50_000),
		MaxFeePerGas:         *uint256.NewInt(1_500_000_000),
		MaxPriorityFeePerGas: *uint256.NewInt(1_000_000_000),
		Signature:            common.FromHex("0x1234"),
	}
	op.Nonce.Lsh(uint256.NewInt(1), 64).AddUint64(&op.Nonce, 1)
	return op
}

func TestOperationMarshal(t *testing.T) {
	for _, op := range []any{someOperation(), new(someOperation())} {
		out, err := json.Marshal(op)
		require.NoError(t, err)
		require.JSONEq(t, fullOperation, string(out))
	}
	zero, err := json.Marshal(userop.Operation{})
	require.NoError(t, err)
	require.JSONEq(t, `{"sender":"0x0000000000000000000000000000000000000000","nonce":"0x0","initCode":"0x","callData":"0x",
		"callGasLimit":"0x0","verificationGasLimit":"0x0","preVerificationGas":"0x0","maxFeePerGas":"0x0","maxPriorityFeePerGas":"0x0",
		"paymasterAndData":"0x","signature":"0x"}`, string(zero))
}

func TestOperationUnmarshalForms(t *testing.T) {
	var op userop.Operation
	require.NoError(t, json.Unmarshal([]byte(`{
		"sender":"0x6eb03766ecdd0306de87c0d272eafec9267a7c85","nonce":"18446744073709551617","callData":"0x0000189a",
		"callGasLimit":100000,"verificationGasLimit":"200000","preVerificationGas":"0xc350",
		"maxFeePerGas":1500000000,"maxPriorityFeePerGas":"1000000000","signature":"0x1234",
		"factory":"0x1234","Nonce":"0x7"}`), &op))
	want := someOperation()
	require.Equal(t, want.Hash(entryPoint, testChainID), op.Hash(entryPoint, testChainID))
	out, err := json.Marshal(op)
	require.NoError(t, err)
	require.JSONEq(t, fullOperation, string(out), "unknown fields are not carried along")
}

func TestOperationUnmarshalRefuses(t *testing.T) {
	replaced := func(field, value string) string {
		var fields map[string]json.RawMessage
		require.NoError(t, json.Unmarshal([]byte(fullOperation), &fields))
		fields[field] = json.RawMessage(value)
		out, err := json.Marshal(fields)
		require.NoError(t, err)
		return string(out)
	}
	const inexact = " is not an exact non-negative integer (0x-hex or decimal digits)"
	for _, c := range []struct{ name, in, want string }{
		{"everything missing", `{}`, "user operation: missing sender, nonce, callData, callGasLimit, verificationGasLimit, preVerificationGas, maxFeePerGas, maxPriorityFeePerGas"},
		{"null is missing", replaced("nonce", `null`), "user operation: missing nonce"},
		{"exponent", replaced("maxFeePerGas", `1e18`), `user operation: maxFeePerGas: "1e18"` + inexact},
		{"fraction", replaced("callGasLimit", `1.5`), `user operation: callGasLimit: "1.5"` + inexact},
		{"negative", replaced("nonce", `-1`), `user operation: nonce: "-1"` + inexact},
		{"too large", replaced("preVerificationGas", `"0x1`+strings.Repeat("0", 64)+`"`), `user operation: preVerificationGas: "0x1` + strings.Repeat("0", 64) + `" does not fit into 256 bits`},
		{"short address", replaced("sender", `"0x1234"`), "user operation: sender: hex string has length 4, want 40 for common.Address"},
		{"bytes without 0x", replaced("callData", `"1234"`), "user operation: callData: json: cannot unmarshal hex string without 0x prefix into Go value of type hexutil.Bytes"},
		{"odd bytes", replaced("signature", `"0x123"`), "user operation: signature: json: cannot unmarshal hex string of odd length into Go value of type hexutil.Bytes"},
		{"no object", `[]`, "user operation: a JSON object was expected, got array"},
	} {
		t.Run(c.name, func(t *testing.T) {
			op := someOperation()
			err := json.Unmarshal([]byte(c.in), &op)
			require.EqualError(t, err, c.want)
			require.Equal(t, someOperation(), op, "an error changes nothing")
		})
	}
}

func FuzzOperationJSON(f *testing.F) {
	f.Add([]byte(fullOperation))
	f.Add([]byte(`{}`))
	f.Add([]byte(`{"sender":"0x6eB03766eCDD0306De87c0d272eaFEc9267a7c85","nonce":1e18}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var op userop.Operation
		if json.Unmarshal(data, &op) != nil {
			return
		}
		out, err := json.Marshal(op)
		require.NoError(t, err)
		var again userop.Operation
		require.NoError(t, json.Unmarshal(out, &again))
		require.Equal(t, op.Hash(entryPoint, testChainID), again.Hash(entryPoint, testChainID))
		second, err := json.Marshal(again)
		require.NoError(t, err)
		require.Equal(t, string(out), string(second))
	})
}

func ExampleOperation_MarshalJSON() {
	op := userop.Operation{
		Sender:       common.HexToAddress("0x6eB03766eCDD0306De87c0d272eaFEc9267a7c85"),
		Nonce:        *uint256.NewInt(7),
		CallGasLimit: *uint256.NewInt(100_000),
	}
	out, err := json.MarshalIndent(op, "", "  ")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(string(out))
	// Output:
	// {
	//   "sender": "0x6eB03766eCDD0306De87c0d272eaFEc9267a7c85",
	//   "nonce": "0x7",
	//   "initCode": "0x",
	//   "callData": "0x",
	//   "callGasLimit": "0x186a0",
	//   "verificationGasLimit": "0x0",
	//   "preVerificationGas": "0x0",
	//   "maxFeePerGas": "0x0",
	//   "maxPriorityFeePerGas": "0x0",
	//   "paymasterAndData": "0x",
	//   "signature": "0x"
	// }
}

func BenchmarkOperationMarshal(b *testing.B) {
	op := someOperation()
	for b.Loop() {
		if _, err := op.MarshalJSON(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOperationUnmarshal(b *testing.B) {
	for b.Loop() {
		var op userop.Operation
		if err := op.UnmarshalJSON([]byte(fullOperation)); err != nil {
			b.Fatal(err)
		}
	}
}

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
	require.Contains(t, log.String(), "op.account=0x1111111111111111111111111111111111111111")
	require.Contains(t, log.String(), "pointer.paymaster=0x2222222222222222222222222222222222222222\n")
}
