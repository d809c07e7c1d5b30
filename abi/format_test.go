package abi

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestShorten(t *testing.T) {
	require.Equal(t, "abc", shorten("abc", 3))
	require.Equal(t, "ab…", shorten("abc", 2))
	require.Equal(t, "a…", shorten("aüb", 2))
	require.Equal(t, "…", shorten("\x80\x80\x80", 1))
	require.Equal(t, `"a\n\x00"`, quote("a\n\x00"))
	require.Equal(t, strings.Repeat("a", maxQuoted)+`…"`, quote(strings.Repeat("a", 1000))[1:])
}

func TestClean(t *testing.T) {
	require.Equal(t, "a b", clean("a b", 10))
	require.Equal(t, "\ufffd\ufffd\ufffd", clean("\r\n\xff", 10))
	require.Equal(t, "ab…", clean("abc", 2))
}
