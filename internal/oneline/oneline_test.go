package oneline_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/oneline"
)

func TestOf(t *testing.T) {
	for text, want := range map[string]string{
		"":                          "",
		"AA23 reverted: ümlaut":     "AA23 reverted: ümlaut",
		"a\nb\r\tc":                 "a b  c",
		"\x1b[2J\u202eevil\u2028":   " [2J evil ",
		"cut \xff amid a character": "cut \ufffd amid a character",
	} {
		require.Equal(t, want, oneline.Of(text))
		require.Equal(t, want, oneline.Within(100, text))
	}
}

func TestWithin(t *testing.T) {
	for longest := 4; longest < 40; longest++ {
		short := oneline.Within(longest, strings.Repeat("ä\n", 20))
		require.LessOrEqual(t, len(short), longest)
		require.True(t, utf8.ValidString(short))
		require.True(t, strings.HasSuffix(short, "…"))
	}
	require.Equal(t, "whole", oneline.Within(5, "whole"))
}
