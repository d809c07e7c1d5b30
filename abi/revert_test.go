package abi

import (
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"
)

// revertData encodes an error as a contract does.
func revertData(t require.TestingT, signature string, args ...any) []byte {
	data, err := Pack(signature, args...)
	require.NoError(t, err)
	return data
}

func TestDecodeRevert(t *testing.T) {
	zeros := common.Hash{}
	known := []*ErrorDef{
		MustParseErrorDef("WrongModule(address)"), MustParseErrorDef("SoldOut()"), MustParseErrorDef("NotBefore(uint256 from, bytes proof)"),
		MustParseErrorDef("FailedOp(uint256 index, string reason)"),
	}
	wrong := revertData(t, "WrongModule(address)", alice)
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
		{wrong, "WrongModule(" + aliceHex + ")"},
		{revertData(t, "SoldOut()"), "SoldOut()"},
		{revertData(t, "NotBefore(uint256,bytes)", 1, make([]byte, 1000)), "NotBefore(from=1, proof=0x" + strings.Repeat("00", 128) + "… (1000 bytes))"},
		{revertData(t, "FailedOp(uint256,string)", 1, "AA24"), `FailedOp(index=1, reason="AA24")`},
		{[]byte{0x12, 0x34, 0x56, 0x78}, "0x12345678 (unknown error, 4 bytes)"},
		{append([]byte{0x12, 0x34, 0x56, 0x78}, zeros[:]...), "0x12345678 (unknown error, 36 bytes)"},
		{[]byte{0x12}, "0x12 (unknown error, 1 byte)"},
		{wrong[:20], "0x" + common.Bytes2Hex(wrong[:4]) + " (malformed WrongModule, 20 bytes)"},
	} {
		r := DecodeRevert(test.data, known...)
		require.Equal(t, test.text, r.String())
		require.EqualError(t, r, test.text)
		require.Equal(t, len(test.data), len(r.Data))
	}
}

func TestRevertIsFoundByValueAndByPointer(t *testing.T) {
	revert := DecodeRevert(revertData(t, "Error(string)", "SessionNotApproved"))
	for _, wrapped := range []error{revert, &revert} {
		err := fmt.Errorf("send: %w", wrapped)
		var value Revert
		require.ErrorAs(t, err, &value)
		require.Equal(t, "SessionNotApproved", value.Reason())
		var pointer *Revert
		require.ErrorAs(t, err, &pointer)
		require.Equal(t, "SessionNotApproved", pointer.Reason())
		var other *SyntaxError
		require.False(t, errors.As(err, &other))
	}
}

func TestRevertParts(t *testing.T) {
	def := MustParseErrorDef("error Refused(uint256 at, string why)")
	data := revertData(t, def.Signature(), 3, "no\n")
	r := DecodeRevert(data, def)
	require.Equal(t, Revert{Name: "Refused", Signature: "Refused(uint256,string)", Args: []any{big.NewInt(3), "no\n"}, Data: data, def: def}, r)
	require.Empty(t, r.Reason())

	r.Title, r.Message = "refused 3", "no\n"
	inner := DecodeRevert(revertData(t, "Error(string)", "because"))
	r.Inner = &inner
	require.Equal(t, "no\ufffd", r.Reason())
	require.EqualError(t, r, "refused 3: no\ufffd: because")
	require.Equal(t, "because", inner.Message)

	r = DecodeRevert(data[:50], def)
	require.Equal(t, Revert{Data: data[:50], malformed: def}, r)
	require.Empty(t, r.Reason())
	require.Empty(t, DecodeRevert(revertData(t, "Panic(uint256)", 1)).Reason())
	require.Equal(t, "no reason", Revert{}.String())

	data[4]++
	require.NotEqual(t, data[:50], r.Data)
}

func TestDecodeRevertOfKnownErrors(t *testing.T) {
	soldOut := MustParseErrorDef("error SoldOut(uint256[] ids, string[2] names, (bytes4 a, bool b) x, int8 y)")
	data := revertData(t, soldOut.Signature(), []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, []string{"a\"", "b\n"}, []any{"0x01020304", true}, -1)
	require.Equal(t, fmt.Sprintf("0x%x (unknown error, 708 bytes)", soldOut.Selector()), DecodeRevert(data).String())
	require.Equal(t, `SoldOut(ids=[1, 2, 3, 4, 5, 6, 7, 8, 2 more], names=["a\"", "b�"], x=(a=0x01020304, b=true), y=-1)`, DecodeRevert(data, soldOut).String())

	first, second := MustParseErrorDef("AlreadyInitialized()"), MustParseErrorDef("AlreadyInitialized()")
	require.Same(t, first, DecodeRevert(first.selector[:], first, second).def)
	own := MustParseErrorDef("error Error(string text)")
	require.Same(t, own, DecodeRevert(revertData(t, "Error(string)", "x"), own).def)
}

func TestErrorDefUnpack(t *testing.T) {
	def := MustParseErrorDef("NotEOA(address account)")
	values, err := def.Unpack(revertData(t, "NotEOA(address)", alice))
	require.NoError(t, err)
	require.Equal(t, []any{alice}, values)
	_, err = def.Unpack([]byte{1})
	require.EqualError(t, err, "unpack NotEOA(address): data 0x01… of 1 byte does not begin with its selector 0x"+fmt.Sprintf("%x", def.selector))
	_, err = def.Unpack(append(def.selector[:], make([]byte, 31)...))
	require.EqualError(t, err, "unpack NotEOA(address): data ends too early: 31 bytes where 32 are needed")
}

func FuzzDecodeRevert(f *testing.F) {
	known := []*ErrorDef{MustParseErrorDef("Refused(uint256,string,bytes)"), MustParseErrorDef("NotEOA(address)")}
	f.Add([]byte{})
	f.Add(revertData(f, "Error(string)", "x"))
	f.Add(revertData(f, "Refused(uint256,string,bytes)", 0, "AA23", revertData(f, "Panic(uint256)", 1)))
	f.Add(revertData(f, "NotEOA(address)", alice))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := DecodeRevert(data, known...)
		text := r.String()
		require.Equal(t, text, clean(text, len(text)))
		require.LessOrEqual(t, len(text), 4*maxReason)
		require.Equal(t, r.Name == "", r.Signature == "")
	})
}
