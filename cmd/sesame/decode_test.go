package main

import (
	"encoding/json"
	"math/big"
	"strings"
	"testing"
	"testing/synctest"
	"unicode"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

func pack(t testing.TB, signature string, args ...any) []byte {
	t.Helper()
	data, err := abi.Pack(signature, args...)
	require.NoError(t, err)
	return data
}

// signed is an operation that a session key signed, as JSON: two calls through the router.
func (w *world) signed() []byte {
	w.t.Helper()
	ctx, store, owner := w.t.Context(), memstore.New(), w.owner("dora")
	key := w.key(store, owner.Ref(), "dora's session key")
	sess, tx, err := owner.Grant(ctx, store, []policy.Policy{minting(key, owner.Address())}, account.Sponsored(), account.ForBatches())
	require.NoError(w.t, err)
	_, err = sess.Activate(ctx, tx)
	require.NoError(w.t, err)
	mint := account.Call{To: accounttest.WellKnownContracts().NFT, Data: pack(w.t, "safeMint(address to)", owner.Address())}
	op, err := w.model.Client().Account(owner.Address()).Build(ctx, []account.Call{mint, mint}, account.WithSession(sess.Leaf(0), sess.Leaf(0)), account.Sponsored())
	require.NoError(w.t, err)
	text, err := json.Marshal(op)
	require.NoError(w.t, err)
	return text
}

// The clock stands still: times are in what is decoded, and whether their bytes are zero is in its gas.
func TestDecodeOperation(t *testing.T) { synctest.Test(t, testDecodeOperation) }

func testDecodeOperation(t *testing.T) {
	w := newWorld(t)
	op := w.signed()
	var parsed userop.Operation
	require.NoError(t, json.Unmarshal(op, &parsed))
	out := w.ok(exitOK, "decode", "-chain", "80002", string(op))
	w.golden("decode-operation", out)
	require.Contains(t, out, parsed.Hash(account.DefaultContracts(80002).EntryPoint, 80002).Hex())
	require.NotContains(t, out, hexutil.Encode(parsed.Signature[200:260])[2:], "who has it can send it")
	w.golden("decode-operation-json", w.ok(exitOK, "decode", "-json", "-chain", "80002", string(op)))

	entryPoint := account.DefaultContracts(1).EntryPoint.Hex()
	for _, around := range []string{
		`{"jsonrpc":"2.0","id":1,"method":"eth_sendUserOperation","params":[` + string(op) + `,"` + entryPoint + `"]}`,
		`{"jsonrpc":"2.0","id":1,"result":{"userOperation":` + string(op) + `,"entryPoint":"` + entryPoint + `"}}`,
		`[` + string(op) + `,"` + entryPoint + `"]`,
	} {
		w.stdin = around
		require.Equal(t, out, w.ok(exitOK, "decode", "-chain", "80002"), around)
		require.Equal(t, out, w.ok(exitOK, "decode", "-chain", "80002", "@"+w.file("op.json", around)))
	}
	later := strings.Replace(string(op), `"initCode"`, `"gasFees":"0x","x"`, 1)
	later = strings.Replace(later, `"callGasLimit"`, `"y"`, 1)
	require.Contains(t, w.fails(exitFailed, "decode", later), "EntryPoint v0.7")
}

func TestDecodeReceipt(t *testing.T) {
	w := newWorld(t)
	user, nft := common.HexToAddress("0x11"), accounttest.WellKnownContracts().NFT
	topic := func(address common.Address) common.Hash { return common.BytesToHash(address.Bytes()) }
	transfer := abi.MustParseEvent("event Transfer(address indexed from, address indexed to, uint256 indexed id)")
	receipt := map[string]any{
		"userOpHash": common.HexToHash("0xabcd"), "sender": user, "nonce": "0x1", "success": true, "actualGasCost": "0x2386f26fc10000", "actualGasUsed": "0x186a0",
		"receipt": map[string]any{"transactionHash": common.HexToHash("0xef"), "blockNumber": "0x10", "blockHash": common.HexToHash("0x12")},
		"logs": []any{
			map[string]any{"address": nft, "topics": []common.Hash{transfer.Topic(), {}, topic(user), common.HexToHash("0x07")}, "data": "0x", "blockNumber": "0x10", "transactionHash": common.HexToHash("0xef"), "logIndex": "0x0"},
			map[string]any{"address": user, "topics": []common.Hash{common.HexToHash("0x1234")}, "data": "0x", "blockNumber": "0x10", "transactionHash": common.HexToHash("0xef"), "logIndex": "0x1"},
		},
	}
	text := func() string {
		text, err := json.Marshal(receipt)
		require.NoError(t, err)
		return string(text)
	}
	w.golden("decode-receipt", w.ok(exitOK, "decode", text()))
	receipt["success"], receipt["reason"] = false, hexutil.Encode(pack(t, "Error(string)", "no more\x1b[31m"))
	out := w.ok(exitOK, "decode", `{"result":`+text()+`}`)
	require.Contains(t, out, "was included, and failed")
	require.Contains(t, out, "reverted with  no more")
	require.NotContains(t, out, "\x1b")
}

func TestDecodeCallData(t *testing.T) {
	w := newWorld(t)
	to := common.HexToAddress("0x0dead")
	inner := pack(t, "transfer(address to, uint256 amount)", to, 5)
	batch := pack(t, "executeBatch_y6U(address[] dest, uint256[] value, bytes[] func)",
		[]common.Address{to, account.DefaultContracts(1).Session.Manager}, []*big.Int{big.NewInt(1e15), new(big.Int)},
		[][]byte{inner, pack(t, "setMerkleRoot(bytes32 root)", common.HexToHash("0x77"))})
	w.golden("decode-batch", w.ok(exitOK, "decode", hexutil.Encode(batch)))
	w.golden("decode-batch-json", w.ok(exitOK, "decode", "-json", hexutil.Encode(batch)))

	buy := hexutil.Encode(pack(t, "buy((uint256 id, string note)[] items, bytes4 tag, bool now)", []any{[]any{7, "a\x1bb"}}, "0x01020304", true))
	require.Contains(t, w.ok(exitOK, "decode", buy), "which neither a known function nor a known error has; -abi names others")
	named := w.ok(exitOK, "decode", "-abi", "function buy((uint256 id, string note)[] items, bytes4 tag, bool now)", buy)
	w.golden("decode-abi", named)
	require.Equal(t, named, w.ok(exitOK, "decode", "-abi", "@"+w.file("abi", "function buy((uint256 id, string note)[] items, bytes4 tag, bool now)\n"), buy))
	require.Contains(t, w.ok(exitOK, "decode", hexutil.Encode(inner)+"00"), "problem")
	require.Contains(t, w.fails(exitUsage, "decode", "-abi", "function (", "0x"), "-abi: ")
	require.Contains(t, w.fails(exitFailed, "decode", "0x0102"), "2 bytes are too few")
}

func TestDecodeReverts(t *testing.T) {
	w := newWorld(t)
	text := func(signature string, args ...any) string { return hexutil.Encode(pack(t, signature, args...)) }
	for want, is := range map[string]string{
		"reverted with  not enough":                   text("Error(string)", "not enough"),
		"panic 0x11: arithmetic overflow":             text("Panic(uint256)", 0x11),
		"reverted with  WrongValidationModule(0x":     text("WrongValidationModule(address)", common.HexToAddress("0x11")),
		"reverted with  ERC20InsufficientBalance(s":   text("ERC20InsufficientBalance(address,uint256,uint256)", common.HexToAddress("0x11"), 1, 2),
		"AA code        AA21 didn't pay prefund":      text("FailedOp(uint256,string)", 0, "AA21 didn't pay prefund"),
		"ABISV Arg Rule Violated":                     text("FailedOpWithRevert(uint256,string,bytes)", 0, "AA23 reverted", pack(t, "Error(string)", "ABISV Arg Rule Violated")),
		"what to do     the account's validation rev": text("FailedOpWithRevert(uint256,string,bytes)", 0, "AA23 reverted", "0x"),
	} {
		require.Contains(t, w.ok(exitOK, "decode", is), want)
		require.Contains(t, w.ok(exitOK, "decode", `"`+is+`"`), want, "as it is copied out of JSON")
		require.Contains(t, w.ok(exitOK, "decode", "execution reverted: "+is), strings.Fields(want)[0])
	}
	mine := text("Mine(uint256 a)", 5)
	require.Contains(t, w.ok(exitOK, "decode", "-abi", "error Mine(uint256 a)", mine), "Mine(5)")
	require.Contains(t, w.ok(exitOK, "decode", "-as", "revert", mine), "unknown error, 36 bytes")
}

func TestDecodeErrors(t *testing.T) {
	w := newWorld(t)
	w.golden("decode-aa", w.ok(exitOK, "decode", "FailedOp(0, AA23 reverted: ABISV Arg Rule Violated)"))
	w.golden("decode-service-error", w.ok(exitOK, "decode", `{"jsonrpc":"2.0","id":1,"error":{"code":-32500,"message":"AA25 invalid account nonce","data":{"revert":"`+
		hexutil.Encode(pack(t, "Error(string)", "why not"))+`"}}}`))
	w.golden("decode-service-error-json", w.ok(exitOK, "decode", "-json", `{"code":-32602,"message":"maxFeePerGas is too low"}`))
	require.Contains(t, w.fails(exitFailed, "decode", "hello"), "it is neither an operation, a receipt")
	require.Contains(t, w.fails(exitFailed, "decode", "{"), "the JSON cannot be read")
	require.Contains(t, w.fails(exitFailed, "decode", "{}"), "it is neither")
	for text, want := range map[string]string{
		"0xzz":            `is no hex: character 3 is "z"; copy all of it`,
		"0x123":           "it has 3 hex digits, which are no whole bytes",
		`{"sender":"0x"}`: "it has some fields of an operation, and lacks sender or callData",
	} {
		require.Contains(t, w.fails(exitFailed, "decode", text), want)
	}
	require.Contains(t, w.ok(exitOK, "decode", "0x08c379a0000000"), "begin with the selector of the error Error(string), and are not all of it")
	require.Contains(t, w.ok(exitOK, "decode", "AA39 strange"), "no code that is known here, of the paymaster by its first digit")
	require.Contains(t, w.fails(exitUsage, "decode", "AA23", "reverted"), "quote one that has spaces in it")
	require.Contains(t, w.fails(exitUsage, "decode"), "there is no text to decode")
	require.Contains(t, w.fails(exitUsage, "decode", "-as", "poem", "x"), "is none of operation, receipt, call, revert and error")
}

func TestDecodePreparedAndDocument(t *testing.T) {
	w := newWorld(t)
	w.story()
	w.stdin = w.ok(exitOK, "export", "-store", w.store, "-account", w.owner("carol").Address().Hex())
	w.golden("decode-document", w.ok(exitOK, "decode"))
	store, owner := memstore.New(), w.owner("emma")
	prepared, err := owner.PrepareGrant(t.Context(), store, []policy.Policy{session.Named("minting", minting(w.key(store, owner.Ref(), "emma's"), owner.Address()))}, account.Sponsored())
	require.NoError(t, err)
	text, err := json.Marshal(prepared)
	require.NoError(t, err)
	w.stdin = string(text)
	out := w.ok(exitOK, "decode")
	for _, sentence := range prepared.Describe() {
		require.Contains(t, out, sentence)
	}
}

// Whatever the text is, decoding it ends soon, without a panic, and writes nothing that does not print.
func FuzzDecode(f *testing.F) {
	inner := pack(f, "transfer(address to, uint256 amount)", common.HexToAddress("0x11"), 5)
	nested := pack(f, "FailedOpWithRevert(uint256,string,bytes)", 0, "AA23 reverted", pack(f, "Error(string)", "x"))
	for _, text := range []string{
		hexutil.Encode(inner), hexutil.Encode(nested), "0x", "AA21 didn't pay prefund", `"0x08c379a0"`, "{}", "[]", `{"error":{"error":{"error":{}}}}`,
		`{"code":1e400,"message":"x"}`, `{"sender":"0x","callData":"0x"}`, `{"sesame":1,"leaves":[]}`, `{"params":[[[[[[{}]]]]]]}`,
		`{"userOpHash":"0x","success":true,"logs":[null]}`, `{"userOperation":null}`, strings.Repeat("[", 5000), "0x" + strings.Repeat("ff", 300),
		hexutil.Encode(pack(f, "executeBatch(address[],uint256[],bytes[])", []common.Address{{}}, []int{1}, [][]byte{inner})),
		`{"sender":"0x000000000000000000000000000000000000dEaD","nonce":"0x1","callData":"` + hexutil.Encode(inner) + `","callGasLimit":"1","verificationGasLimit":"1","preVerificationGas":"1","maxFeePerGas":"1","maxPriorityFeePerGas":"1","signature":"0x01"}`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, args := range [][]string{{"decode", "-"}, {"decode", "-json", "-chain", "137", "-"}} {
			var out, note strings.Builder
			code := run(t.Context(), args, strings.NewReader(text), &out, &note, func(string) string { return "" })
			require.Contains(t, []int{exitOK, exitFailed, exitUsage}, code)
			require.Less(t, out.Len()+note.Len(), 1<<20+64*len(text))
			for _, r := range out.String() + note.String() {
				require.True(t, r == '\n' || unicode.IsPrint(r), "%q", r)
			}
			if code == exitOK && len(args) > 2 {
				require.True(t, json.Valid([]byte(out.String())))
			}
		}
	})
}
