package userop_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/userop"
)

var (
	receiptOpHash    = common.HexToHash("0x1c13b2c93c7e4a28ef9b3b8c1bf6c6f4ef2b4b2f7f7a9e1b2b0a5c1d2e3f4a5b")
	receiptTxHash    = common.HexToHash("0x29d06c1dbd1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4")
	receiptBlockHash = common.HexToHash("0x7f3c1e9b5a4d3c2b1a0f9e8d7c6b5a49382716f5e4d3c2b1a0f9e8d7c6b5a493")
	receiptSender    = common.HexToAddress("0x6eB03766eCDD0306De87c0d272eaFEc9267a7c85")
	verifying        = common.HexToAddress("0x00000f79B7FaF42EEBAdbA19aCc07cD08Af44789")
)

// The files in testdata/receipts are one operation as different bundlers tell of it.
func TestReceiptOfEveryVendor(t *testing.T) {
	ours := func() userop.Receipt {
		return userop.Receipt{
			UserOpHash:      receiptOpHash,
			EntryPoint:      entryPoint,
			Sender:          receiptSender,
			Nonce:           *uint256.NewInt(5),
			Paymaster:       verifying,
			ActualGasCost:   *uint256.NewInt(277_650_000_000_000),
			ActualGasUsed:   *uint256.NewInt(185_100),
			Success:         true,
			TransactionHash: receiptTxHash,
			BlockHash:       receiptBlockHash,
			BlockNumber:     9_123_456,
		}
	}
	for file, change := range map[string]func(r *userop.Receipt){
		"alto.json":     func(*userop.Receipt) {},
		"biconomy.json": func(*userop.Receipt) {},
		"stackup.json":  func(r *userop.Receipt) { r.Paymaster = common.Address{} },
		"skandha.json":  func(*userop.Receipt) {},
		"minimal.json": func(r *userop.Receipt) {
			*r = userop.Receipt{UserOpHash: receiptOpHash, Success: true, TransactionHash: receiptTxHash}
		},
		"logs-only.json": func(r *userop.Receipt) {
			*r = userop.Receipt{UserOpHash: receiptOpHash, Success: true, TransactionHash: receiptTxHash, BlockHash: receiptBlockHash, BlockNumber: 9_123_456}
		},
		"reverted.json": func(r *userop.Receipt) {
			r.Success = false
			r.RevertData = common.FromHex("0x08c379a0" +
				"0000000000000000000000000000000000000000000000000000000000000020" +
				"000000000000000000000000000000000000000000000000000000000000000c" +
				"4e6f7420796f757220746f6b0000000000000000000000000000000000000000")
		},
		"reverted-reason.json": func(r *userop.Receipt) {
			r.Success = false
			r.RevertData = common.FromHex("0x82b42900")
		},
		"reverted-words.json": func(r *userop.Receipt) {
			r.Success = false
			r.Reason = "not the owner"
		},
	} {
		t.Run(file, func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join("testdata", "receipts", file))
			require.NoError(t, err)
			var got userop.Receipt
			require.NoError(t, json.Unmarshal(data, &got))
			if file != "minimal.json" {
				require.NotEmpty(t, got.Logs)
				require.Equal(t, receiptTxHash, got.Logs[0].TxHash)
			}
			want := ours()
			change(&want)
			want.Logs = got.Logs
			require.Equal(t, want, got)

			out, err := json.Marshal(got)
			require.NoError(t, err)
			var again userop.Receipt
			require.NoError(t, json.Unmarshal(out, &again))
			require.Equal(t, got, again, "there and back")
		})
	}
}

func TestReceiptRefuses(t *testing.T) {
	hash, tx := `"userOpHash":"`+receiptOpHash.Hex()+`"`, `"transactionHash":"`+receiptTxHash.Hex()+`"`
	const noHash = "transactionHash (in receipt, beside it or in a log)"
	for _, c := range []struct{ name, in, want string }{
		{"empty", `{}`, "user operation receipt: missing userOpHash, success, " + noHash},
		{"no transaction", `{` + hash + `,"success":true,"receipt":{}}`, "user operation receipt: missing " + noHash},
		{"receipt of null", `{` + hash + `,"success":true,"receipt":null}`, "user operation receipt: missing " + noHash},
		{"no success", `{` + hash + `,` + tx + `}`, "user operation receipt: missing success"},
		{"success of 1", `{` + hash + `,` + tx + `,"success":1}`, `user operation receipt: success: "1" is neither true nor false`},
		{"success in words", `{` + hash + `,` + tx + `,"success":"yes"}`, `user operation receipt: success: "\"yes\"" is neither true nor false`},
		{"floating cost", `{` + hash + `,` + tx + `,"success":true,"actualGasCost":2.7e14}`, `user operation receipt: actualGasCost: "2.7e14" is not an exact non-negative integer (0x-hex or decimal digits)`},
		{"huge block", `{` + hash + `,` + tx + `,"success":true,"receipt":{"blockNumber":"0x10000000000000000"}}`, `user operation receipt: receipt: blockNumber: 0x10000000000000000 does not fit into 64 bits`},
		{"log without topics", `{` + hash + `,` + tx + `,"success":true,"logs":[{"address":"` + verifying.Hex() + `"}]}`, `user operation receipt: logs: missing topics`},
		{"log of null", `{` + hash + `,` + tx + `,"success":true,"logs":[null]}`, `user operation receipt: logs: a JSON object was expected, got null`},
		{"receipt is a list", `{` + hash + `,` + tx + `,"success":true,"receipt":[]}`, `user operation receipt: receipt: a JSON object was expected, got array`},
		{"no object", `"0x"`, "user operation receipt: a JSON object was expected, got string"},
	} {
		t.Run(c.name, func(t *testing.T) {
			receipt := userop.Receipt{Reason: "kept"}
			require.EqualError(t, json.Unmarshal([]byte(c.in), &receipt), c.want)
			require.Equal(t, userop.Receipt{Reason: "kept"}, receipt, "an error changes nothing")
		})
	}
}

func TestRevertDataIsTheEntryPointsOwn(t *testing.T) {
	topic := common.HexToHash("0x1c4fada7374c0a9ee8841fc38afe82932dc0f8e69012e927f061a8bae611a201")
	event := func(change func(*types.Log)) *types.Log {
		log := &types.Log{
			Address: entryPoint,
			Topics:  []common.Hash{topic, receiptOpHash, common.BytesToHash(receiptSender[:])},
			Data:    common.FromHex("0x" + strings.Repeat("0", 63) + "5" + strings.Repeat("0", 62) + "40" + strings.Repeat("0", 63) + "4" + "82b42900" + strings.Repeat("0", 56)),
		}
		change(log)
		return log
	}
	for _, c := range []struct {
		name   string
		log    *types.Log
		expect string
	}{
		{"the event", event(func(*types.Log) {}), "0x82b42900"},
		{"with the hash alone", event(func(l *types.Log) { l.Topics = l.Topics[:2] }), "0x82b42900"},
		{"with a sender that is none", event(func(l *types.Log) { l.Topics[2] = receiptTxHash }), "0x82b42900"},
		{"of another operation", event(func(l *types.Log) { l.Topics[1] = receiptTxHash }), ""},
		{"of another contract", event(func(l *types.Log) { l.Address = receiptSender }), ""},
		{"another event", event(func(l *types.Log) { l.Topics[0] = receiptTxHash }), ""},
		{"without topics", event(func(l *types.Log) { l.Topics = []common.Hash{} }), ""},
		{"with an offset that leads elsewhere", event(func(l *types.Log) { l.Data[63] = 0x60 }), ""},
		{"longer than it is", event(func(l *types.Log) { l.Data[64] = 0xff }), ""},
		{"cut off", event(func(l *types.Log) { l.Data = l.Data[:95] }), ""},
		{"empty", event(func(l *types.Log) { l.Data = nil }), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, err := json.Marshal(userop.Receipt{UserOpHash: receiptOpHash, EntryPoint: entryPoint, TransactionHash: receiptTxHash, Logs: []*types.Log{c.log}})
			require.NoError(t, err)
			var got userop.Receipt
			require.NoError(t, json.Unmarshal(out, &got))
			require.Equal(t, common.FromHex(c.expect), append([]byte{}, got.RevertData...))
		})
	}
}

func FuzzReceiptJSON(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("testdata", "receipts", "*.json"))
	require.NoError(f, err)
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(f, err)
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var receipt userop.Receipt
		if json.Unmarshal(data, &receipt) != nil {
			return
		}
		require.NotEqual(t, common.Hash{}, receipt.TransactionHash)
		out, err := json.Marshal(receipt)
		require.NoError(t, err)
		var again userop.Receipt
		require.NoError(t, json.Unmarshal(out, &again))
		require.Equal(t, receipt.UserOpHash, again.UserOpHash)
		require.Equal(t, receipt.ActualGasCost, again.ActualGasCost)
		require.Equal(t, receipt.BlockNumber, again.BlockNumber)
		require.Len(t, again.Logs, len(receipt.Logs))
	})
}
