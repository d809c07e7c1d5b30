package contracts

import (
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
)

// revertData encodes an error as a contract does.
func revertData(t require.TestingT, signature string, args ...any) []byte {
	data, err := abi.Pack(signature, args...)
	require.NoError(t, err)
	return data
}

func TestDecodeRevert(t *testing.T) {
	zeros := common.Hash{}
	stake := []any{1, 2}
	inner := revertData(t, "WrongValidationModule(address)", alice)
	for _, test := range []struct {
		data []byte
		text string
	}{
		{nil, "no reason"},
		{revertData(t, "Error(string)", "ABISV Arg Rule Violated"), "ABISV Arg Rule Violated"},
		{revertData(t, "Error(string)", ""), "no reason"},
		{revertData(t, "Error(string)", "a\nb\x1b[31m\xff\u202e\u00a0ü"), "a\ufffdb\ufffd[31m\ufffd\ufffd\ufffdü"},
		{revertData(t, "Error(string)", strings.Repeat("ü", 1000)), strings.Repeat("ü", 256) + "…"},
		{revertData(t, "Panic(uint256)", 0x11), "panic 0x11: arithmetic overflow or underflow"},
		{revertData(t, "Panic(uint256)", 0x01), "panic 0x01: assertion failed"},
		{revertData(t, "Panic(uint256)", 0x00), "panic 0x00: generic panic"},
		{revertData(t, "Panic(uint256)", 0x99), "panic 0x99: unknown code"},
		{revertData(t, "FailedOp(uint256,string)", 0, "AA24 signature error"), "FailedOp 0: AA24 signature error"},
		{revertData(t, "FailedOpWithRevert(uint256,string,bytes)", 1, "AA23 reverted", inner), "FailedOp 1: AA23 reverted: WrongValidationModule(" + aliceHex + ")"},
		{revertData(t, "FailedOpWithRevert(uint256,string,bytes)", 1, "AA23 reverted", []byte{}), "FailedOp 1: AA23 reverted: no reason"},
		{inner, "WrongValidationModule(" + aliceHex + ")"},
		{revertData(t, "AlreadyInitialized()"), "AlreadyInitialized()"},
		{
			revertData(t, "ModuleAndPrevModuleMismatch(address,address,address)", alice, common.Address{}, alice),
			"ModuleAndPrevModuleMismatch(expectedModule=" + aliceHex + ", returnedModule=0x0000000000000000000000000000000000000000, prevModule=" + aliceHex + ")",
		},
		{revertData(t, "InsufficientBalance(uint256,uint256)", 1, 2), "InsufficientBalance(1, 2)"},
		{revertData(t, "ERC20InsufficientAllowance(address,uint256,uint256)", alice, 1, 2), "ERC20InsufficientAllowance(spender=" + aliceHex + ", allowance=1, needed=2)"},
		{
			revertData(t, "ExecutionResult(uint256,uint256,uint48,uint48,bool,bytes)", 1, 2, 3, 4, true, "0x"),
			"ExecutionResult(preOpGas=1, paid=2, validAfter=3, validUntil=4, targetSuccess=true, targetResult=0x)",
		},
		{
			revertData(t, "ExecutionResult(uint256,uint256,uint48,uint48,bool,bytes)", 1, 2, 3, 4, false, revertData(t, "Error(string)", "broken")),
			"ExecutionResult(preOpGas=1, paid=2, validAfter=3, validUntil=4, targetSuccess=false, targetResult=0x08c379a0" + strings.Repeat("0", 62) + "20" + strings.Repeat("0", 63) + "6" + "62726f6b656e" + strings.Repeat("0", 52) + "): broken",
		},
		{
			revertData(t, "ValidationResult((uint256,uint256,bool,uint48,uint48,bytes),(uint256,uint256),(uint256,uint256),(uint256,uint256))", []any{1, 2, false, 3, 4, "0xab"}, stake, stake, stake),
			"ValidationResult(returnInfo=(preOpGas=1, prefund=2, sigFailed=false, validAfter=3, validUntil=4, paymasterContext=0xab), senderInfo=(stake=1, unstakeDelaySec=2), factoryInfo=(stake=1, unstakeDelaySec=2), paymasterInfo=(stake=1, unstakeDelaySec=2))",
		},
		{revertData(t, "SenderAddressResult(address)", alice), "SenderAddressResult(" + aliceHex + ")"},
		{revertData(t, "SignatureValidationFailed(address)", alice), "SignatureValidationFailed(" + aliceHex + ")"},
		{revertData(t, "WrongContractSignature(bytes)", make([]byte, 1000)), "WrongContractSignature(0x" + strings.Repeat("00", 128) + "… (1000 bytes))"},
		{[]byte{0x12, 0x34, 0x56, 0x78}, "0x12345678 (unknown error, 4 bytes)"},
		{append([]byte{0x12, 0x34, 0x56, 0x78}, zeros[:]...), "0x12345678 (unknown error, 36 bytes)"},
		{[]byte{0x12}, "0x12 (unknown error, 1 byte)"},
		{inner[:20], "0x" + common.Bytes2Hex(inner[:4]) + " (malformed WrongValidationModule, 20 bytes)"},
		{append(revertData(t, "FailedOp(uint256,string)", 0, "AA24")[:68], 1), "0x220266b6 (malformed FailedOp, 69 bytes)"},
	} {
		r := DecodeRevert(test.data)
		require.Equal(t, test.text, r.String())
		require.EqualError(t, r, test.text)
		require.Equal(t, len(test.data), len(r.Data))
	}
}

func TestRevertParts(t *testing.T) {
	data := revertData(t, "FailedOpWithRevert(uint256,string,bytes)", 3, "AA23 reverted\n", revertData(t, "Error(string)", "SessionNotApproved"))
	var err error = fmt.Errorf("handleOps: %w", DecodeRevert(data))
	var r abi.Revert
	require.ErrorAs(t, err, &r)
	require.EqualError(t, err, "handleOps: FailedOp 3: AA23 reverted\ufffd: SessionNotApproved")
	require.False(t, errors.Is(err, abi.ErrNoData))
	require.Equal(t, "FailedOpWithRevert", r.Name)
	require.Equal(t, sigFailedOpWithRevert, r.Signature)
	require.Equal(t, big.NewInt(3), r.Args[0])
	require.Equal(t, "AA23 reverted\n", r.Args[1])
	require.Equal(t, "AA23 reverted\ufffd", r.Reason())
	require.Equal(t, "SessionNotApproved", r.Inner.Reason())

	r = DecodeRevert(data[:100])
	require.Empty(t, r.Name)
	require.Empty(t, r.Reason())
	require.Empty(t, DecodeRevert(revertData(t, "Panic(uint256)", 1)).Reason())
	require.Equal(t, "no reason", abi.Revert{}.String())

	data[4]++
	require.NotEqual(t, data[:100], r.Data)
}

func TestDecodeRevertWithOthers(t *testing.T) {
	soldOut := abi.MustParseErrorDef("error SoldOut(uint256[] ids, string[2] names, (bytes4 a, bool b) x, int8 y)")
	data := revertData(t, soldOut.Signature(), []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, []string{"a\"", "b\n"}, []any{"0x01020304", true}, -1)
	require.Equal(t, fmt.Sprintf("0x%x (unknown error, 708 bytes)", soldOut.Selector()), DecodeRevert(data).String())
	require.Equal(t, `SoldOut(ids=[1, 2, 3, 4, 5, 6, 7, 8, 2 more], names=["a\"", "b�"], x=(a=0x01020304, b=true), y=-1)`, DecodeRevert(data, soldOut).String())

	nested := revertData(t, "FailedOpWithRevert(uint256,string,bytes)", 0, "AA23 reverted", data)
	require.Equal(t, "SoldOut", DecodeRevert(nested, soldOut).Inner.Name)

	own := abi.MustParseErrorDef("AlreadyInitialized()")
	require.Equal(t, "AlreadyInitialized()", DecodeRevert(selectorBytes(own.Selector()), own).String())
	again := abi.MustParseErrorDef("FailedOp(uint256 at, string why)")
	require.Equal(t, "FailedOp 0: AA24", DecodeRevert(revertData(t, "FailedOp(uint256,string)", 0, "AA24"), again).String())

	list := append(make([]*abi.ErrorDef, 0, 8), soldOut)
	DecodeRevert(data, list...)
	require.Nil(t, list[:2][1], "the caller's list is left as it is")
}

// Reverts within reverts are read to a certain depth only.
func TestDecodeRevertNesting(t *testing.T) {
	data := revertData(t, "Error(string)", "innermost")
	for range 50 {
		data = revertData(t, "FailedOpWithRevert(uint256,string,bytes)", 0, "AA23", data)
	}
	require.Equal(t, "FailedOp 0: AA23: FailedOp 0: AA23: FailedOp 0: AA23: FailedOp 0: AA23", DecodeRevert(data).String())
}

func FuzzDecodeRevert(f *testing.F) {
	f.Add([]byte{})
	f.Add(revertData(f, "Error(string)", "x"))
	f.Add(revertData(f, "FailedOpWithRevert(uint256,string,bytes)", 0, "AA23", revertData(f, "Panic(uint256)", 1)))
	f.Add(revertData(f, "ExecutionResult(uint256,uint256,uint48,uint48,bool,bytes)", 1, 2, 3, 4, false, "0x08c379a0"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := DecodeRevert(data)
		text := r.String()
		require.True(t, utf8.ValidString(text))
		require.Equal(t, -1, strings.IndexFunc(text, func(r rune) bool { return r != utf8.RuneError && !unicode.IsPrint(r) }))
		require.LessOrEqual(t, len(text), maxReverts*4*512)
		require.Equal(t, r.Name == "", r.Signature == "")
	})
}
