package abi

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/abiword"
)

const swap = "function swap(bytes32 id, (address to, uint128 amount) order, uint8[2] pair, bytes data, (address to, int64 amount)[] legs, string)"

func TestWord(t *testing.T) {
	for _, test := range []struct {
		signature, path string
		word            Word
	}{
		{swap, "id", Word{Path: "id", Type: "bytes32", Offset: 0}},
		{swap, "0", Word{Path: "id", Type: "bytes32", Offset: 0}},
		{swap, "arg0", Word{Path: "id", Type: "bytes32", Offset: 0}},
		{swap, "order.to", Word{Path: "order.to", Type: "address", Offset: 32}},
		{swap, "order.amount", Word{Path: "order.amount", Type: "uint128", Offset: 64}},
		{swap, "order.1", Word{Path: "order.amount", Type: "uint128", Offset: 64}},
		{swap, "pair[1]", Word{Path: "pair[1]", Type: "uint8", Offset: 128}},
		{swap, "data.offset", Word{Path: "data.offset", Type: TypeOffset, Offset: 160, Begins: 256}},
		{swap, "legs.offset", Word{Path: "legs.offset", Type: TypeOffset, Offset: 192}},
		{swap, "arg5.offset", Word{Path: "arg5.offset", Type: TypeOffset, Offset: 224}},
		{swap, "data.length", Word{Path: "data.length", Type: TypeLength, Offset: 256, Canonical: true}},
		{swap, "data.words[0]", Word{Path: "data.words[0]", Type: "bytes32", Offset: 288, Canonical: true}},
		{swap, "data.words[3]", Word{Path: "data.words[3]", Type: "bytes32", Offset: 384, Canonical: true}},
		{"f((address to, int64 amount)[] legs)", "legs.length", Word{Path: "legs.length", Type: TypeLength, Offset: 32, Canonical: true}},
		{"f((address to, int64 amount)[] legs)", "legs[0].to", Word{Path: "legs[0].to", Type: "address", Offset: 64, Canonical: true}},
		{"f((address to, int64 amount)[] legs)", "legs[2].amount", Word{Path: "legs[2].amount", Type: "int64", Offset: 224, Canonical: true}},
		{"f((address, (bool, bytes2)) legs)", "legs.arg1.1", Word{Path: "legs.arg1.arg1", Type: "bytes2", Offset: 64}},
		{"f(string[] names)", "names[2].offset", Word{Path: "names[2].offset", Type: TypeOffset, Offset: 128, Canonical: true}},
		{"f(string[3] names)", "names[2].offset", Word{Path: "names[2].offset", Type: TypeOffset, Offset: 96, Canonical: true}},
		{"f(string[3] names)", "names[0].length", Word{Path: "names[0].length", Type: TypeLength, Offset: 128, Canonical: true}},
		{"f(uint8 a, (bool b, string s, uint8[] n) t, uint8 c)", "t.b", Word{Path: "t.b", Type: "bool", Offset: 96, Canonical: true}},
		{"f(uint8 a, (bool b, string s, uint8[] n) t, uint8 c)", "t.n.offset", Word{Path: "t.n.offset", Type: TypeOffset, Offset: 160, Canonical: true}},
		{"f(uint8 a, (bool b, string s, uint8[] n) t, uint8 c)", "t.s.words[1]", Word{Path: "t.s.words[1]", Type: "bytes32", Offset: 256, Canonical: true}},
		{"f(string[3] names)", "names.offset", Word{Path: "names.offset", Type: TypeOffset, Offset: 0, Begins: 32}},
		{"f(string[3] names)", "names[0].offset", Word{Path: "names[0].offset", Type: TypeOffset, Offset: 32, Canonical: true, Begins: 96}},
		{"f(uint8 a, (bool b, string s, uint8[] n) t, uint8 c)", "t.offset", Word{Path: "t.offset", Type: TypeOffset, Offset: 32, Begins: 96}},
		{"f(uint8 a, (bool b, string s, uint8[] n) t, uint8 c)", "t.s.offset", Word{Path: "t.s.offset", Type: TypeOffset, Offset: 128, Canonical: true, Begins: 96}},
		{"f(string offset)", "offset.offset", Word{Path: "offset.offset", Type: TypeOffset, Offset: 0, Begins: 32}},
		{"f(string, bool offset)", "offset", Word{Path: "offset", Type: "bool", Offset: 32}},
		{"f((bool offset, bytes b) t)", "t.offset", Word{Path: "t.offset", Type: "bool", Offset: 32, Canonical: true}},
		{"f((bool offset, bytes b) t)", "t.@offset", Word{Path: "t.@offset", Type: TypeOffset, Offset: 0, Begins: 32}},
		{"f((bytes offset, bytes b) t)", "t.offset.@offset", Word{Path: "t.offset.offset", Type: TypeOffset, Offset: 32, Canonical: true, Begins: 64}},
		{"f((bool length, bytes words) t)", "t.length", Word{Path: "t.length", Type: "bool", Offset: 32, Canonical: true}},
		{"f((bool length, bytes words) t)", "t.words.words[0]", Word{Path: "t.words.words[0]", Type: "bytes32", Offset: 128, Canonical: true}},
		{"f(uint8 arg1, bool)", "arg1", Word{Path: "arg1", Type: "uint8", Offset: 0}},
		{"f(uint8 arg1, bool)", "1", Word{Path: "1", Type: "bool", Offset: 32}},
		{"f(uint8[2][3] m)", "m[2][1]", Word{Path: "m[2][1]", Type: "uint8", Offset: 160}},
		{"f(uint8[2][] m)", "m[2][1]", Word{Path: "m[2][1]", Type: "uint8", Offset: 224, Canonical: true}},
	} {
		f := MustParseFunction(test.signature)
		w, err := f.Word(test.path)
		require.NoError(t, err, test.path)
		require.Equal(t, test.word, w)
		require.Equal(t, w.Type != TypeOffset, w.Name() == w.Path)
		back, ok := f.WordAt(w.Offset)
		require.True(t, ok)
		require.Equal(t, w, back)
	}
}

func TestWordRefuses(t *testing.T) {
	for _, test := range []struct{ signature, path, problem string }{
		{swap, "amount", `no "amount", there is id, order, pair, data, legs, arg5`},
		{swap, "6", `no "6", there is id, order, pair, data, legs, arg5`},
		{swap, "", `no "", there is id, order, pair, data, legs, arg5`},
		{swap, "order", "order is a tuple: name a component, like order.to"},
		{swap, "order.", `no "", there is to, amount`},
		{swap, "order.x", `no "x", there is to, amount`},
		{swap, "order[0]", `no "[0]", there is to, amount`},
		{swap, "pair", "pair is an array: name an element, like pair[0]"},
		{swap, "pair[2]", "pair has 2 elements, counted from 0"},
		{swap, "pair.to", "pair is an array: write an element's number, like [0]"},
		{swap, "pair[-1]", "pair is an array: write an element's number, like [0]"},
		{swap, "pair[+1]", "pair is an array: write an element's number, like [0]"},
		{swap, "pair[1", "pair is an array: write an element's number, like [0]"},
		{swap, "pair[]", "pair is an array: write an element's number, like [0]"},
		{swap, "pair[99999999999999999999]", "pair is an array: write an element's number, like [0]"},
		{swap, "id.to", `id is of type bytes32 and has no "to"`},
		{swap, "id.length", `id is of type bytes32 and has no "length"`},
		{swap, "data.to", `data is of type bytes and has no "to"`},
		{swap, "data.words", "say which word of data, like data.words[0]"},
		{swap, "data.words[0].x", "say which word of data, like data.words[0]"},
		{swap, "data.words[4294967296]", "say which word of data, like data.words[0]"},
		{swap, "data.length.x", "data.length is a number, without members"},
		{swap, "data", "data is a dynamic bytes, which no single word holds: name data.length, or a word of the content, like data.words[0]; data.offset is the word that says where it begins"},
		{swap, "data.offset.x", "data.offset is a number, without members"},
		{swap, "offset", `no "offset", there is id, order, pair, data, legs, arg5`},
		{swap, "@offset", `no "@offset", there is id, order, pair, data, legs, arg5`},
		{swap, "order.offset", `no "offset", there is to, amount`},
		{swap, "id.offset", `id is of type bytes32 and has no "offset"`},
		{"f(string reason)", "reason", "reason is a dynamic string, which no single word holds: name reason.length, or a word of the content, like reason.words[0]; reason.offset is the word that says where it begins"},
		{"f(uint8[] ids)", "ids", "ids is a dynamic array, which no single word holds: name ids.length, or an element, like ids[0]; ids.offset is the word that says where it begins"},
		{"f(string[3] names)", "names", "names is a dynamic array, which no single word holds: name an element, like names[0].words[0]; names.offset is the word that says where it begins"},
		{"f(string[3] names)", "names[0]", "names[0] is a dynamic string, which no single word holds: name names[0].length, or a word of the content, like names[0].words[0]; names[0].offset is the word that says where it begins"},
		{"f((bool b, string s) t)", "t", "t is a dynamic tuple, which no single word holds: name a component, like t.b; t.offset is the word that says where it begins"},
		{"f((bool offset, string s) t)", "t", "t is a dynamic tuple, which no single word holds: name a component, like t.offset; t.@offset is the word that says where it begins"},
		{swap, "legs", "it has no fixed place in the calldata: the content of legs moves with the length of data before it; where all calls have one layout, give the offset in bytes, or name legs.offset, the word that says where it begins"},
		{"f(string[] names)", "names[2]", "it has no fixed place in the calldata: the content of names[2] moves with the number of elements of names; where all calls have one layout, give the offset in bytes, or name names[2].offset, the word that says where it begins"},
		{swap, "legs.length", "it has no fixed place in the calldata: the content of legs moves with the length of data before it; where all calls have one layout, give the offset in bytes"},
		{swap, "legs[0].to", "it has no fixed place in the calldata: the content of legs moves with the length of data before it; where all calls have one layout, give the offset in bytes"},
		{swap, "arg5.words[1]", "it has no fixed place in the calldata: the content of arg5 moves with the length of data before it; where all calls have one layout, give the offset in bytes"},
		{"f(string[] names)", "names[0].length", "it has no fixed place in the calldata: the content of names[0] moves with the number of elements of names; where all calls have one layout, give the offset in bytes"},
		{"f(string[2] names)", "names[1].length", "it has no fixed place in the calldata: the content of names[1] moves with the length of names[0] before it; where all calls have one layout, give the offset in bytes"},
		{"f()", "x", `no "x", there is none`},
	} {
		f := MustParseFunction(test.signature)
		_, err := f.Word(test.path)
		require.EqualError(t, err, fmt.Sprintf("word %q of %s: %s", test.path, f.Signature(), test.problem))
		require.Equal(t, strings.HasPrefix(test.problem, "it has no fixed place"), errors.Is(err, ErrNoFixedOffset))
	}
}

// Every name that a refusal proposes is a word's, and every dynamic value has the offset word it is told of.
func TestWordRefusesWithNamesOfWords(t *testing.T) {
	named := regexp.MustCompile(`(?:name|like) (\S+?)[,;]|; (\S+) is the word`)
	signatures := []string{
		"f(string[] names)", "f(bytes[][] parts)", "f((string s)[] list)", "f(string[2][] pairs)", "f((uint8 a, string s)[] list)",
		"f((uint8[2] pair, string s) t)", "f((string s, uint8 b) t)", "f(((string[] names) inner) t)", "f((string[] offset, uint8 b) t)",
		"f((uint8[2] pair, (bool x, bool y)[2] grid) t)", "f((bytes words, string length) t)", "f(bytes[3][2] grid)", "f(((uint8,uint8)[2],string))",
		"f(uint8[2][3] m)", "f((uint8 a)[2][] list)", "f(string offset, bytes length, uint8[] words)", "f(string)",
	}
	r := newRand()
	for range 300 {
		signatures = append(signatures, randomSignature(r))
	}
	refused := 0
	for _, signature := range signatures {
		f := MustParseFunction(signature)
		for i := range f.inputs {
			path := fieldName(f.inputs, i)
			_, err := f.Word(path)
			if err == nil {
				continue
			}
			refused++
			for _, found := range named.FindAllStringSubmatch(err.Error()+";", -1) {
				name := found[1] + found[2]
				w, err := f.Word(name)
				require.NoError(t, err, "%s of %s", path, f)
				require.Equal(t, name, w.Path)
			}
		}
	}
	require.Greater(t, refused, 200)
}

func TestWordAtFindsNothing(t *testing.T) {
	f := MustParseFunction("f(uint8 a, bool b)")
	for _, offset := range []uint64{1, 31, 33, 64, 1 << 63} {
		_, ok := f.WordAt(offset)
		require.False(t, ok, offset)
	}
	_, ok := MustParseFunction("f()").WordAt(0)
	require.False(t, ok)
	_, ok = MustParseFunction("f(bytes)").WordAt(1<<64 - 32)
	require.False(t, ok)
}

func TestWordEncodeAndFormat(t *testing.T) {
	for _, test := range []struct {
		typ   string
		value any
		word  string
		text  string
	}{
		{"address", aliceHex, "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed", aliceHex},
		{"uint8", 255, "0xff", "255"},
		{"uint256", "115792089237316195423570985008687907853269984665640564039457584007913129639935", strings.Repeat("ff", 32), "115792089237316195423570985008687907853269984665640564039457584007913129639935"},
		{"int8", -1, strings.Repeat("ff", 32), "-1"},
		{"int256", -2, strings.Repeat("ff", 31) + "fe", "-2"},
		{"bool", true, "0x1", "true"},
		{"bool", false, "0x0", "false"},
		{"bytes4", "0x01020304", "0x01020304" + strings.Repeat("00", 28), "0x01020304"},
		{"bytes32", common.Hash{31: 9}, "0x9", "0x0000000000000000000000000000000000000000000000000000000000000009"},
		{TypeLength, 5, "0x5", "5"},
		{TypeOffset, "0x40", "0x40", "64"},
	} {
		w := Word{Path: "x", Type: test.typ}
		word, err := w.Encode(test.value)
		require.NoError(t, err)
		require.Equal(t, common.HexToHash(test.word), word)
		require.Equal(t, test.text, w.Format(word))
	}
	max := common.HexToHash(strings.Repeat("ff", 32))
	require.Equal(t, max.Hex()+" (no address)", Word{Type: "address"}.Format(max))
	require.Equal(t, max.Hex()+" (no bool)", Word{Type: "bool"}.Format(max))
	require.Equal(t, max.Hex()+" (no uint8)", Word{Type: "uint8"}.Format(max))
	require.Equal(t, max.Hex(), Word{Type: "string"}.Format(max))

	_, err := Word{Path: "legs[0].amount", Type: "uint8"}.Encode(300)
	require.EqualError(t, err, "legs[0].amount: 300 does not fit uint8")
	_, err = Word{Path: "x", Type: "string"}.Encode("")
	require.EqualError(t, err, `x: type "string" is not of one word`)
	_, err = Word{Path: "x", Type: TypeLength}.Encode(-1)
	require.EqualError(t, err, "x: -1 does not fit uint256")
}

// Every word of every call that has a name holds what Encode makes of the value with that name.
func TestWordsAreWhereTheEncoderPutsThem(t *testing.T) {
	r := newRand()
	seen := 0
	for range 1000 {
		f := MustParseFunction(randomSignature(r))
		values := randomValues(r, f.inputs)
		data := gethPack(t, f, values)
		for offset := uint64(0); offset < uint64(len(data)); offset += WordSize {
			w, ok := f.WordAt(offset)
			if !ok {
				continue
			}
			again, err := f.Word(w.Path)
			require.NoError(t, err)
			require.Equal(t, w, again)
			value, exists := valueAt(w, values)
			if !exists { // beyond the end of this call's arrays
				require.True(t, w.Canonical)
				continue
			}
			got := common.Hash(data[offset : offset+WordSize])
			if w.Type == TypeOffset {
				require.Equal(t, w.Name(), "the offset of "+strings.TrimSuffix(w.Path, ".offset"))
				if w.Begins != 0 {
					require.Equal(t, w.Begins, got.Big().Uint64(), "%s of %s", w.Path, f)
				}
				require.Zero(t, got.Big().Uint64()%WordSize)
				require.Less(t, got.Big().Uint64(), uint64(len(data)))
				continue
			}
			want, err := w.Encode(value)
			require.NoError(t, err)
			require.Equal(t, want, got, "%s of %s", w.Path, f)
			seen++
		}
	}
	require.Greater(t, seen, 2000)
}

// valueAt follows w's path through decoded values.
func valueAt(w Word, values []any) (any, bool) {
	var at any = values
	for _, step := range strings.Split(strings.ReplaceAll(w.Path, "[", ".["), ".") {
		rv := reflect.ValueOf(at)
		switch {
		case step == "length":
			return rv.Len(), true
		case step == "words":
			if s, ok := at.(string); ok {
				at = []byte(s)
			}
			padded := abiword.AppendBytes(nil, at.([]byte))[WordSize:]
			var list []common.Hash
			for ; len(padded) > 0; padded = padded[WordSize:] {
				list = append(list, common.Hash(padded[:WordSize]))
			}
			at = list
		case step == "offset":
			return nil, true
		default:
			i, err := strconv.Atoi(strings.Trim(step, "[]v"))
			if err != nil || i >= rv.Len() {
				return nil, false
			}
			at = rv.Index(i).Interface()
			if c, ok := at.(Component); ok {
				at = c.Value
			}
		}
	}
	return at, true
}

func FuzzWord(f *testing.F) {
	f.Add("order.amount", uint64(64))
	f.Add("data.words[3]", uint64(288))
	f.Add("legs[0].to", uint64(1<<40))
	fn := MustParseFunction(swap)
	f.Fuzz(func(t *testing.T, path string, offset uint64) {
		if w, err := fn.Word(path); err == nil {
			again, ok := fn.WordAt(w.Offset)
			require.True(t, ok)
			require.Equal(t, w, again)
		}
		if w, ok := fn.WordAt(offset); ok {
			require.Equal(t, offset, w.Offset)
		}
	})
}
