package abi

import (
	"testing"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/stretchr/testify/require"
)

func TestPackText(t *testing.T) {
	for _, test := range []struct {
		signature string
		text      []string
		args      []any
	}{
		{"f(address,uint256)", []string{aliceHex, " 0x10 "}, []any{alice, 16}},
		{"f(int8,bool,bool)", []string{"-5", "true", "false"}, []any{-5, true, false}},
		{"f(bytes,bytes4)", []string{"0x", "0x01020304"}, []any{[]byte{}, []byte{1, 2, 3, 4}}},
		{"f(string)", []string{` a, "b" [c `}, []any{` a, "b" [c `}},
		{"f(string)", []string{``}, []any{``}},
		{"f(uint8[])", []string{" [ 1 , 0x2 ] "}, []any{[]int{1, 2}}},
		{"f(uint8[])", []string{"[]"}, []any{[]int{}}},
		{"f(uint8[][2])", []string{"[[],[1,2]]"}, []any{[][]int{{}, {1, 2}}}},
		{"f(string[])", []string{`["", "a,b]", c d, "\"\n"]`}, []any{[]string{"", "a,b]", "c d", "\"\n"}}},
		{"f((address to, uint8[] amounts)[] legs)", []string{"[(" + aliceHex + ",[1,2]),[" + aliceHex + `,["3"]]]`}, []any{[]any{[]any{alice, []int{1, 2}}, []any{alice, []int{3}}}}},
	} {
		f := MustParseFunction(test.signature)
		want, err := f.Pack(test.args...)
		require.NoError(t, err)
		got, err := f.PackText(test.text...)
		require.NoError(t, err, test.text)
		require.Equal(t, hexutil.Encode(want), hexutil.Encode(got), test.text)
	}
}

func TestPackTextRefuses(t *testing.T) {
	for _, test := range []struct {
		signature string
		text      []string
		problem   string
	}{
		{"f(uint8 a, uint8 b)", []string{"1"}, "it takes 2 arguments, 1 given"},
		{"f(uint8 a, uint8 b)", []string{"1", "256"}, "argument 2 (b): 256 does not fit uint8"},
		{"f(uint8 a)", []string{""}, `argument 1 (a): "" is not an integer: write decimals or 0x-hex`},
		{"f(uint8[] a)", []string{"1,2"}, `argument 1 (a): "1,2" is not the text of uint8[]: write [a,b]`},
		{"f(uint8[] a)", []string{"(1,2)"}, `argument 1 (a): "(1,2)" is not the text of uint8[]: write [a,b]`},
		{"f(uint8[] a)", []string{"[1,2"}, `argument 1 (a): "[1,2" is not the text of uint8[]: write [a,b]`},
		{"f(uint8[] a)", []string{"[1,]"}, `argument 1 (a): nothing between two commas of "[1,]": write "" for an empty string`},
		{"f(uint8[] a)", []string{"[1,[2]]"}, `argument 1 (a[1]): "[2]" is not an integer: write decimals or 0x-hex`},
		{"f(uint8[] a)", []string{"[1],[2]"}, `argument 1 (a): unexpected ']' at column 2 of "1],[2"`},
		{"f(uint8[][] a)", []string{"[[1,2),3]"}, `argument 1 (a): unexpected ')' at column 5 of "[1,2),3"`},
		{"f(uint8[][] a)", []string{"[[1]"}, `argument 1 (a): missing ']' in "[1"`},
		{"f(uint8[][] a)", []string{"[1]"}, `argument 1 (a[0]): "1" is not the text of uint8[]: write [a,b]`},
		{"f(string[] a)", []string{`["x]`}, `argument 1 (a): a double quote is never closed`},
		{"f(string[] a)", []string{`["x"y]`}, `argument 1 (a[0]): "\"x\"y" is not a quoted string`},
		{"f((uint8 x, bool y)[] a)", []string{"[(1,true),(1)]"}, `argument 1 (a[1]): (uint8,bool) has 2 components, 1 given`},
		{"f((uint8 x, bool y)[] a)", []string{"[(1,yes)]"}, `argument 1 (a[0].y): cannot use "yes" as bool`},
		{"f((uint8[] x) a)", []string{"[1]"}, `argument 1 (a.x): "1" is not the text of uint8[]: write [a,b]`},
	} {
		f := MustParseFunction(test.signature)
		_, err := f.PackText(test.text...)
		require.EqualError(t, err, "pack "+f.Signature()+": "+test.problem)
	}
}

func TestSplitArgs(t *testing.T) {
	three := MustParseFunction("f(string, string, uint8[])")
	args, err := three.SplitArgs(` a , "b, \"c\"" ,[1,[2,(3,4)]] `)
	require.NoError(t, err)
	require.Equal(t, []string{"a", `b, "c"`, "[1,[2,(3,4)]]"}, args)

	args, err = MustParseFunction("f()").SplitArgs(" ")
	require.NoError(t, err)
	require.Empty(t, args)
	args, err = MustParseFunction("f(string)").SplitArgs("")
	require.NoError(t, err)
	require.Equal(t, []string{""}, args)

	for text, problem := range map[string]string{
		"a,b":     "it takes 3 arguments, 2 given",
		"":        "it takes 3 arguments, 0 given",
		"a,b,[c":  `missing ']' in "a,b,[c"`,
		"a,b,c]":  `unexpected ']' at column 6 of "a,b,c]"`,
		`a,b,"c`:  "a double quote is never closed",
		`a,"b"b,`: `"\"b\"b" is not a quoted string`,
	} {
		_, err := three.SplitArgs(text)
		require.EqualError(t, err, "arguments of f(string,string,uint8[]): "+problem)
	}
}

func FuzzPackText(f *testing.F) {
	f.Add(`[["a"], [b, "c,"]], (1,0x02)`)
	f.Add(`[], [1,2]`)
	fn := MustParseFunction("f(string[][] a, (uint8, bytes) b)")
	f.Fuzz(func(t *testing.T, text string) {
		args, err := fn.SplitArgs(text)
		if err != nil {
			return
		}
		if data, err := fn.PackText(args...); err == nil {
			_, err := fn.Unpack(data)
			require.NoError(t, err)
		}
	})
}
