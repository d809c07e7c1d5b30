package abi

import (
	"encoding/binary"
	"math/big"
	"runtime"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/abiword"
)

// words joins words, each given in hex without leading zeros, to data.
func words(list ...string) []byte {
	var data []byte
	for _, word := range list {
		data = append(data, common.HexToHash(word).Bytes()...)
	}
	return data
}

func TestUnpackTypes(t *testing.T) {
	f := MustParseFunction("f(uint8, uint24, uint64, int16, int256, bool, address, bytes4, bytes32, bytes, string, uint16[2], address[], (address to, uint256 amount)[])")
	data, err := f.Pack(1, 2, 3, -4, -5, true, alice, "0x01020304", common.Hash{9}, "0xabcd", "text", []int{6, 7}, []any{alice}, []any{[]any{alice, 8}})
	require.NoError(t, err)
	values, err := f.Unpack(data)
	require.NoError(t, err)
	require.Equal(t, []any{
		uint8(1), big.NewInt(2), uint64(3), int16(-4), big.NewInt(-5), true, alice, [4]byte{1, 2, 3, 4}, common.Hash{9},
		[]byte{0xab, 0xcd}, "text", []uint16{6, 7}, []common.Address{alice},
		[]Tuple{{{Name: "to", Value: alice}, {Name: "amount", Value: big.NewInt(8)}}},
	}, values)

	amount, ok := values[13].([]Tuple)[0].Get("amount")
	require.True(t, ok)
	require.Equal(t, big.NewInt(8), amount)
	_, ok = values[13].([]Tuple)[0].Get("other")
	require.False(t, ok)
}

func TestUnpackSharesNoMemory(t *testing.T) {
	data, err := Pack("f(bytes)", []byte{1, 2})
	require.NoError(t, err)
	values, err := Unpack("f(bytes)", data)
	require.NoError(t, err)
	clear(data)
	require.Equal(t, []byte{1, 2}, values[0])
}

func TestUnpackRefuses(t *testing.T) {
	const dirtyAddress = "0x0100000000000000000000005aaeb6053f3e94c9b9a09f33669435e7ef1beaed"
	const huge = "0xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
	for _, test := range []struct {
		signature string
		data      []byte
		problem   string
		anyLayout bool // the data is good as a result
	}{
		{"f(address to)", words(dirtyAddress), "argument 1 (to): word " + dirtyAddress + " is not an address", false},
		{"f(bool x)", words("2"), "argument 1 (x): word 0x0000000000000000000000000000000000000000000000000000000000000002 is not a bool", false},
		{"f(uint8 x)", words("100"), "argument 1 (x): word 0x0000000000000000000000000000000000000000000000000000000000000100 does not fit uint8", false},
		{"f(int8 x)", words("80"), "argument 1 (x): word 0x0000000000000000000000000000000000000000000000000000000000000080 does not fit int8", false},
		{"f(bytes31 x)", words("1"), "argument 1 (x): word 0x0000000000000000000000000000000000000000000000000000000000000001 does not fit bytes31", false},
		{"f(uint8 x)", nil, "data ends too early: 0 bytes where 32 are needed", false},
		{"f(uint8 x)", make([]byte, 31), "data ends too early: 31 bytes where 32 are needed", false},
		{"f(uint8 x)", words("1", "2"), "32 bytes left over after the arguments", true},
		{"f(uint8 x)", append(words("1"), 0), "1 byte left over after the arguments", true},
		{"f(bytes x)", words("20"), "argument 1 (x): data ends too early: 0 bytes where 32 are needed", false},
		{"f(uint8[] x)", words("20"), "argument 1 (x): data ends too early: 0 bytes where 32 are needed", false},
		{"f(bytes x)", words("40"), "argument 1 (x): offset 0x40 goes beyond the data", false},
		{"f(bytes x)", words(huge), "argument 1 (x): offset " + huge + " goes beyond the data", false},
		{"f(bytes x)", words("0"), "argument 1 (x): offset 0 where the standard encoder puts 32", true},
		{"f(bytes x)", words("40", "0", "0"), "argument 1 (x): offset 64 where the standard encoder puts 32", true},
		{"f(bytes x)", words("20", "1"), "argument 1 (x): length 0x1 goes beyond the data", false},
		{"f(bytes x)", words("20", huge), "argument 1 (x): length " + huge + " goes beyond the data", false},
		{"f(bytes x)", append(words("20", "1"), 7), "argument 1 (x): padding is not zero", true},
		{"f(bytes x)", words("20", "1", huge), "argument 1 (x): padding is not zero", true},
		{"f(bytes x, bytes y)", words("40", "40", "0"), "argument 2 (y): offset 64 where the standard encoder puts 96", true},
		{"f(uint8[] x)", words("20", "2", "1"), "argument 1 (x): length 0x2 goes beyond the data", false},
		{"f(uint8[] x)", words("20", "1", "100"), "argument 1 (x[0]): word 0x0000000000000000000000000000000000000000000000000000000000000100 does not fit uint8", false},
		{"f((bool a)[] x)", words("20", "1", "2"), "argument 1 (x[0].a): word 0x0000000000000000000000000000000000000000000000000000000000000002 is not a bool", false},
		{"f(string[2] x)", words("20", "40"), "argument 1 (x): data ends too early: 32 bytes where 64 are needed", false},
		{"f((string,bool) x)", words("20", "40"), "argument 1 (x): data ends too early: 32 bytes where 64 are needed", false},
		{"f((uint8[2])[] x)", words("20", "1", "5"), "argument 1 (x): length 0x1 goes beyond the data", false},
	} {
		f := MustParseFunction(test.signature)
		_, err := f.Unpack(append(f.selector[:], test.data...))
		require.EqualError(t, err, "unpack "+f.Signature()+": "+test.problem)

		_, err = decode(test.data, f.inputs, anyLayout)
		require.Equal(t, test.anyLayout, err == nil, "%s: %v", test.problem, err)
	}
}

func TestUnpackChecksSelector(t *testing.T) {
	f := MustParseFunction("f(uint8)")
	_, err := f.Unpack(nil)
	require.EqualError(t, err, "unpack f(uint8): empty data does not begin with its selector 0x3120d434")
	_, err = f.Unpack([]byte{1, 2, 3})
	require.EqualError(t, err, "unpack f(uint8): data 0x010203… of 3 bytes does not begin with its selector 0x3120d434")
	_, err = f.Unpack(append([]byte{1, 2, 3, 4}, words("1")...))
	require.EqualError(t, err, "unpack f(uint8): data 0x01020304… of 36 bytes does not begin with its selector 0x3120d434")
}

func TestUnpackResult(t *testing.T) {
	f := MustParseFunction("f() returns (uint8 a, bool)")
	values, err := f.UnpackResult(words("5", "1", "77"))
	require.NoError(t, err)
	require.Equal(t, []any{uint8(5), true}, values)

	_, err = f.UnpackResult(nil)
	require.ErrorIs(t, err, ErrNoData)
	require.EqualError(t, err, "unpack result of f(): no data: is there a contract at the address on this chain, and does it have the function?")
	_, err = f.UnpackResult(words("5", "2"))
	require.EqualError(t, err, "unpack result of f(): result 2 (arg1): word 0x0000000000000000000000000000000000000000000000000000000000000002 is not a bool")
	_, err = MustParseFunction("f()").UnpackResult(words("5"))
	require.EqualError(t, err, "unpack result of f(): the signature declares no results: add returns (…)")
}

// Data in which many offsets lead to one place would decode to the product of its lengths: 3,000 times 3,000
// words here, and to the power of three in the next.
func TestHostileDataTakesBoundedMemory(t *testing.T) {
	const n = 3000
	list := func(words int, word uint64) []byte { // a length, then the same offset again and again
		data := abiword.AppendUint64(nil, uint64(words))
		for range words {
			data = abiword.AppendUint64(data, word)
		}
		return data
	}
	data := append(words("20"), list(n, n*WordSize)...)
	data = append(data, list(n, n*WordSize)...)
	data = append(data, list(n, 7)...)

	for _, signature := range []string{"f(uint256[][] x)", "f(uint256[][][] x)", "f((uint256[] a, uint256[] b)[][] x)", "f(string[][] x)", "f(bytes[][][] x)"} {
		f := MustParseFunction(signature)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := decode(data, f.inputs, anyLayout)
		runtime.ReadMemStats(&after)
		require.Error(t, err, signature)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(64*len(data)), signature)
	}
	_, err := decode(data, MustParseFunction("f(uint256[][] x)").inputs, anyLayout)
	require.ErrorContains(t, err, "data refers to itself too often")
}

// What Unpack takes, Pack gives back byte for byte; and neither ever panics.
func FuzzUnpack(f *testing.F) {
	signatures := []*Function{
		MustParseFunction("f(address,uint256,bytes)"),
		MustParseFunction("f(address[],uint256[],bytes[])"),
		MustParseFunction("f(bytes32 id, (address to, int24 amount, (string s, bool[2] b)[] x)[] legs, uint8[3][] y)"),
		MustParseFunction("f(string[2][] a, (bytes3) b, bytes c)"),
	}
	r := newRand()
	for i, fn := range signatures {
		packed, err := fn.Pack(randomValues(r, fn.inputs)...)
		require.NoError(f, err)
		f.Add(uint8(i), packed[SelectorSize:])
	}
	f.Add(uint8(1), words("60", "60", "60", "0"))
	f.Fuzz(func(t *testing.T, which uint8, data []byte) {
		fn := signatures[int(which)%len(signatures)]
		calldata := append(fn.selector[:], data...)
		if values, err := fn.Unpack(calldata); err == nil {
			packed, err := fn.Pack(values...)
			require.NoError(t, err)
			require.Equal(t, hexutil.Encode(calldata), hexutil.Encode(packed))
		}
		values, err := decode(data, fn.inputs, anyLayout)
		if err != nil {
			return
		}
		packed, err := fn.Pack(values...)
		require.NoError(t, err)
		again, err := fn.Unpack(packed)
		require.NoError(t, err)
		require.Equal(t, values, again)
	})
}

func TestWordToLengthTakesNoOverflow(t *testing.T) {
	word := make([]byte, WordSize)
	binary.BigEndian.PutUint64(word[24:], 1<<63)
	_, err := wordToLength(word, 1<<40)
	require.EqualError(t, err, "0x8000000000000000 goes beyond the data")
	_, err = wordToLength(word, -1)
	require.Error(t, err)
}
