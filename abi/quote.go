package abi

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxQuoted bounds foreign text in error messages, in bytes.
const maxQuoted = 120

// quote puts foreign text between quotes: shortened, nothing unprintable.
func quote(s string) string {
	return strconv.Quote(shorten(s, maxQuoted))
}

// shorten cuts s to about limit bytes, at the start of a character, and says so with an ellipsis.
func shorten(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit] + "…"
}

// clean makes foreign text fit for a log line: invalid UTF-8 and what does not print (line breaks,
// terminal escapes, text direction marks) become U+FFFD, and it is shortened to limit bytes.
func clean(s string, limit int) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return utf8.RuneError
	}, strings.ToValidUTF8(shorten(s, limit), string(utf8.RuneError)))
}
