// Package oneline makes words of others fit for an error or a log.
package oneline

import (
	"strings"
	"unicode"
)

// Of is the text with a space for each character that does not print: ends of lines, and what moves a cursor
// or turns the direction of a line.
func Of(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
}

// Within is [Of] of a text that may be any length, cut to so many bytes.
func Within(longest int, text string) string {
	const more = "…"
	if text = Of(text); len(text) > longest {
		return strings.ToValidUTF8(text[:longest-len(more)], "") + more
	}
	return text
}
