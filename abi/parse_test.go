package abi

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"
)

func TestParseFunction(t *testing.T) {
	for _, test := range []struct{ text, signature, full string }{
		{"function safeMint(address _to)", "safeMint(address)", "function safeMint(address _to)"},
		{"safeMint(address)", "safeMint(address)", "function safeMint(address)"},
		{"function transfer(address to, uint amount) external returns (bool)", "transfer(address,uint256)", "function transfer(address to, uint256 amount) returns (bool)"},
		{
			"function swap(bytes32 id, (address to, uint128 amount)[] legs) external payable returns (uint256 out)",
			"swap(bytes32,(address,uint128)[])",
			"function swap(bytes32 id, (address to, uint128 amount)[] legs) payable returns (uint256 out)",
		},
		{"f(tuple(address to,uint128)[2][] legs,tuple(int) x)", "f((address,uint128)[2][],(int256))", "function f((address to, uint128)[2][] legs, (int256) x)"},
		{"  f\t(\n uint8 [ 3 ] [ ] calldata\r\n x , string  memory ) public view virtual override;", "f(uint8[3][],string)", "function f(uint8[3][] x, string) view"},
		{"f(address payable to, address payable[] all) nonpayable", "f(address,address[])", "function f(address to, address[] all)"},
		{"f(((bytes a, bool) b, int8)[] c) pure returns (uint, (string) s)", "f(((bytes,bool),int8)[])", "function f(((bytes a, bool) b, int8)[] c) pure returns (uint256, (string) s)"},
		{"function error(bool $x_1)", "error(bool)", "function error(bool $x_1)"},
		{"error()", "error()", "function error()"},
		{"f(uint256 from, uint256 tuple)", "f(uint256,uint256)", "function f(uint256 from, uint256 tuple)"},
		{"f(bytes1 a, bytes32 b, uint8 c, int248 d)", "f(bytes1,bytes32,uint8,int248)", "function f(bytes1 a, bytes32 b, uint8 c, int248 d)"},
	} {
		f, err := ParseFunction(test.text)
		require.NoError(t, err, test.text)
		require.Equal(t, test.signature, f.Signature())
		require.Equal(t, test.full, f.String())
		require.Equal(t, crypto.Keccak256([]byte(test.signature))[:4], f.selector[:])
		requireSameAgain(t, f)
	}
}

// What people have at hand is Solidity, of any age, with its comments.
func TestParseFunctionAsPasted(t *testing.T) {
	for text, full := range map[string]string{
		"function balanceOf(address owner) constant returns (uint256)":                                       "function balanceOf(address owner) view returns (uint256)",
		"function balanceOf(address) public constant virtual override(IERC20, Lib.Token) returns (uint256);": "function balanceOf(address) view returns (uint256)",
		"balanceOf(address owner) override view":                                                             "function balanceOf(address owner) view",
		"function balanceOf(address owner) view returns (uint256) @29000":                                    "function balanceOf(address owner) view returns (uint256)",
		"function balanceOf(address owner /* of the token */) external view {":                               "function balanceOf(address owner) view",
		"function balanceOf(address owner) external {}":                                                      "function balanceOf(address owner)",
		"\ufefffunction\u00a0balanceOf(address\u00a0owner)\u2028external\fview\u200b;":                       "function balanceOf(address owner) view",
		"balanceOf(address) // how much":                                                                     "function balanceOf(address)",
		"// how much\r\nfunction balanceOf( // of\n  address owner /**/\n)\n  external;":                     "function balanceOf(address owner)",
		`
    /**
     * @notice How much (in units) an owner has, see https://eips.ethereum.org/EIPS/eip-20
     * @param owner "who" // not {another}
     */
    function balanceOf(
        address owner
    )
        external
        view
        returns (uint256 balance);
`: "function balanceOf(address owner) view returns (uint256 balance)",
		"/// @notice How much\n/// @dev (never negative)\nfunction balanceOf(address owner) external": "function balanceOf(address owner)",
	} {
		f, err := ParseFunction(text)
		require.NoError(t, err, text)
		require.Equal(t, full, f.String(), text)
		require.Equal(t, [4]byte{0x70, 0xa0, 0x82, 0x31}, f.Selector(), text)
		requireSameAgain(t, f)
	}
}

// requireSameAgain parses what f prints, and requires the same function.
func requireSameAgain(t *testing.T, f *Function) {
	again, err := ParseFunction(f.String())
	require.NoError(t, err)
	require.Equal(t, f.String(), again.String())
	require.Equal(t, f.Selector(), again.Selector())
	require.Equal(t, f.Inputs(), again.Inputs())
	require.Equal(t, f.Outputs(), again.Outputs())
}

func TestFunctionDescribesItself(t *testing.T) {
	f := MustParseFunction("function swap(bytes32, (address to, uint128 amount)[2][] legs) returns (uint out)")
	require.Equal(t, "swap", f.Name())
	require.Equal(t, "0x635a3481", fmt.Sprintf("0x%x", f.Selector()))
	legs := Param{Name: "legs", Type: "(address,uint128)[2][]", Components: []Param{{Name: "to", Type: "address"}, {Name: "amount", Type: "uint128"}}}
	require.Equal(t, []Param{{Type: "bytes32"}, legs}, f.Inputs())
	require.Equal(t, []Param{{Name: "out", Type: "uint256"}}, f.Outputs())

	f.Inputs()[1].Components[0].Name = "changed"
	require.Equal(t, legs, f.Inputs()[1])
}

func TestParseRefuses(t *testing.T) {
	for _, test := range []struct {
		text    string
		column  int
		problem string
	}{
		{"", 1, `expected the name of a function`},
		{"(address)", 1, `expected the name of a function`},
		{"function", 1, `"function" is not a name`},
		{"function (address)", 1, `"function" is not a name`},
		{"constructor(address)", 1, `"constructor" is not a name`},
		{"fallback()", 1, `fallback runs for what no function takes, and has no selector to pack; for a function of that name write function fallback(…)`},
		{"fallback(bytes calldata) external payable returns (bytes memory)", 1, `fallback runs for what no function takes, and has no selector to pack; for a function of that name write function fallback(…)`},
		{" receive() external payable", 2, `receive runs for what no function takes, and has no selector to pack; for a function of that name write function receive(…)`},
		{"event Mint(address)", 1, `an event where a function is wanted`},
		{"error Mint(address)", 1, `an error where a function is wanted`},
		{"safeMint", 9, `expected "(", found the end`},
		{"f(uint257 x)", 3, `unknown type "uint257"`},
		{"function f(uint257 x)", 12, `unknown type "uint257"`},
		{"f(uint0)", 3, `unknown type "uint0"`},
		{"f(uint08)", 3, `unknown type "uint08"`},
		{"f(uint9)", 3, `unknown type "uint9"`},
		{"f(bytes33)", 3, `unknown type "bytes33"`},
		{"f(bytes0)", 3, `unknown type "bytes0"`},
		{"f(fixed128x18)", 3, `unknown type "fixed128x18"`},
		{"f(function)", 3, `unknown type "function"`},
		{"f(Order o)", 3, `unknown type "Order": write a struct as a tuple (address to, uint256 amount), a contract as address, an enum as uint8`},
		{"f(tuple x)", 3, `unknown type "tuple": write its components, tuple(address to, uint256 amount)`},
		{"f(address,)", 11, `expected a type, found ")"`},
		{"f(address", 10, `expected "," or ")", found the end`},
		{"f(address a b)", 13, `unexpected "b" after the name "a"`},
		{"f(address a; b)", 12, `expected "," or ")", found "; b)"`},
		{"f(address a, uint a)", 19, `duplicate name "a"`},
		{"f((address a, uint a) x)", 20, `duplicate name "a"`},
		{"f(address indexed a)", 11, `only arguments of events are indexed`},
		{"f(() x)", 3, `a tuple without components`},
		{"f(uint[0])", 8, `an array of length 0`},
		{"f(uint[65537])", 8, `larger than 65536 words`},
		{"f(uint[99999999999999999999])", 8, `larger than 65536 words`},
		{"f(uint[300][300])", 13, `larger than 65536 words`},
		{"f(string[65537])", 10, `larger than 65536 words`},
		{"f(uint[65536] a, uint b)", 23, `larger than 65536 words`},
		{"f((uint[65536],uint))", 20, `larger than 65536 words`},
		{"f(uint[1)", 9, `expected "]", found ")"`},
		{"f(uint[-1])", 8, `expected "]", found "-1])"`},
		{"f(uint" + strings.Repeat("[]", 17) + ")", 3, `nested deeper than 16`},
		{"f" + strings.Repeat("(", 1000), 19, `nested deeper than 16`},
		{"f(" + strings.Repeat("(", 10) + "uint" + strings.Repeat("[])", 10) + ")", 5, `nested deeper than 16`},
		{"f() view payable", 10, `"payable" after "view"`},
		{"f() internal", 5, `internal functions cannot be called from outside`},
		{"f() fast", 5, `unknown modifier "fast": leave a contract's own modifiers out, they are no part of its ABI`},
		{"f(uint a) external onlyOwner nonReentrant", 20, `unknown modifier "onlyOwner": leave a contract's own modifiers out, they are no part of its ABI`},
		{"f() onlyRole(MINTER) view", 5, `unknown modifier "onlyRole": leave a contract's own modifiers out, they are no part of its ABI`},
		{"f() view constant", 10, `"constant" after "view"`},
		{"f() override()", 14, `expected the contract that is overridden, found ")"`},
		{"f() override(A", 15, `expected "," or ")", found the end`},
		{"f() override(A B)", 16, `expected "," or ")", found "B)"`},
		{"f(/* the owner)", 3, `a comment without its end`},
		{"f(/*/)", 3, `a comment without its end`},
		{"f() / view", 5, `unexpected "/ view"`},
		{"f() { return 1; }", 7, `unexpected "return 1; }": leave the body out`},
		{"f() {} function g()", 8, `unexpected "function g()": leave the body out`},
		{`{"type":"function","name":"f","inputs":[]}`, 1, `expected the name of a function: an ABI in JSON is not read; write it as function name(address to, uint256 amount)`},
		{`[{"type":"function"}]`, 1, `expected the name of a function: an ABI in JSON is not read; write it as function name(address to, uint256 amount)`},
		{"f() returns ()", 5, `returns without a result`},
		{"f() returns (uint) returns (uint)", 20, `returns given twice`},
		{"f() returns uint", 13, `expected "(", found "uint"`},
		{"f();;", 5, `unexpected ";"`},
		{"f() é", 5, `unexpected "é"`},
		{"f(\x00)", 3, `expected a type, found "\x00)"`},
		{strings.Repeat("f", 5000), 4097, `longer than 4096 bytes`},
	} {
		_, err := ParseFunction(test.text)
		var syntax *SyntaxError
		require.ErrorAs(t, err, &syntax, test.text)
		require.Equal(t, &SyntaxError{Signature: test.text, Column: test.column, Problem: test.problem}, syntax)
	}
}

func TestSyntaxErrorText(t *testing.T) {
	_, err := ParseFunction("function f(uint257 x)")
	require.EqualError(t, err, `parse "function f(uint257 x)": column 12: unknown type "uint257"`)
	_, err = ParseFunction("f(" + strings.Repeat("é", 100) + ")")
	require.EqualError(t, err, `parse "f(`+strings.Repeat("é", 59)+`…": column 3: expected a type, found "éééééééé…"`)
	require.PanicsWithError(t, `parse "f": column 2: expected "(", found the end`, func() { MustParseFunction("f") })
}

func TestParseEventAndError(t *testing.T) {
	e := MustParseEvent("event Transfer(address indexed from, address indexed to, uint value);")
	require.Equal(t, "Transfer(address,address,uint256)", e.Signature())
	require.Equal(t, "event Transfer(address indexed from, address indexed to, uint256 value)", e.String())
	require.Equal(t, "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef", e.Topic().Hex())
	require.True(t, e.Inputs()[1].Indexed)
	require.False(t, e.Inputs()[2].Indexed)

	d := MustParseErrorDef("FailedOp(uint256 opIndex, string reason)")
	require.Equal(t, "error FailedOp(uint256 opIndex, string reason)", d.String())
	require.Equal(t, "0x220266b6", fmt.Sprintf("0x%x", d.Selector()))

	_, err := ParseEvent("event X() anonymous")
	require.EqualError(t, err, `parse "event X() anonymous": column 11: unexpected "anonymous" after the arguments of an event`)
	_, err = ParseEvent("event X((address indexed a) b)")
	require.EqualError(t, err, `parse "event X((address indexed a) b)": column 18: only arguments of events are indexed`)
	_, err = ParseErrorDef("error X() view")
	require.EqualError(t, err, `parse "error X() view": column 11: unexpected "view" after the arguments of an error`)
	require.PanicsWithError(t, `parse "function X()": column 1: a function where an error is wanted`, func() { MustParseErrorDef("function X()") })
	require.PanicsWithError(t, `parse "error X()": column 1: an error where an event is wanted`, func() { MustParseEvent("error X()") })
}

func TestParseRandomSignatures(t *testing.T) {
	r := newRand()
	for range 1000 {
		f := MustParseFunction(randomSignature(r) + " view returns " + randomList(r, 2, 2))
		requireSameAgain(t, f)
	}
}

func FuzzParseFunction(f *testing.F) {
	f.Add("function safeMint(address _to)")
	f.Add("function swap(bytes32 id, (address to, uint128 amount)[2][] legs) external payable returns (uint256 out);")
	f.Add("f(tuple(address payable x, uint calldata y)[] memory z)")
	f.Add("f((((((((((((((((uint[])))))))))))))))))")
	f.Fuzz(func(t *testing.T, text string) {
		fn, err := ParseFunction(text)
		if err != nil {
			require.ErrorContains(t, err, "parse ")
			return
		}
		requireSameAgain(t, fn)
		fn.WordAt(64)
	})
}

// Solidity has functions of these names, too.
func TestAFunctionNamedReceive(t *testing.T) {
	for _, signature := range []string{"function receive(address token, uint256 amount)", "function fallback()"} {
		_, err := ParseFunction(signature)
		require.NoError(t, err, signature)
	}
}
