package abi

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseContract(t *testing.T) {
	c, err := ParseContract(`
		// a comment
		function mint(address to) payable
		function mint(address to, uint256 amount)

		/**
		 * Burns (what else).
		 */
		function burn( // one
			uint256 id
		)
		event Minted(address indexed to)
		error SoldOut(uint256 left)
	`)
	require.NoError(t, err)
	require.Len(t, c.Functions(), 3)
	require.Equal(t, "event Minted(address indexed to)", c.Events()[0].String())
	require.Equal(t, "error SoldOut(uint256 left)", c.Errors()[0].String())

	f, err := c.Function("burn")
	require.NoError(t, err)
	require.Equal(t, "function burn(uint256 id)", f.String())
	f, err = c.Function("mint(address)")
	require.NoError(t, err)
	require.Equal(t, "function mint(address to) payable", f.String())
	_, err = c.Function("mint")
	require.EqualError(t, err, `several functions are named "mint": say which of mint(address), mint(address,uint256)`)
	_, err = c.Function("fly")
	require.EqualError(t, err, `the contract has no function "fly"`)
}

func TestParseContractRefuses(t *testing.T) {
	for text, problem := range map[string]string{
		"function f()\n\nmint(address)":  `line 3: "mint(address)" does not begin with function, event or error`,
		"// one\n/* two\n":               `line 2: a comment without its end`,
		"\n\nfunction f(\n  a\n) view\n": `line 3: parse "function f(\n  a\n) view": column 15: unknown type "a"`,
		"function f(":                    `line 1: parse "function f(": column 12: expected a type, found the end`,
		"event f(":                       `line 1: parse "event f(": column 9: expected a type, found the end`,
		"error f(":                       `line 1: parse "error f(": column 9: expected a type, found the end`,
	} {
		_, err := ParseContract(text)
		require.EqualError(t, err, problem)
		require.PanicsWithError(t, problem, func() { MustParseContract(text) })
	}
}
