// Package line keeps names from elsewhere from acting on a terminal, or making a line of their own in a log.
package line

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Is reports whether text is UTF-8 without anything that moves a cursor, ends a line or turns its direction.
func Is(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool {
		return unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp, unicode.Bidi_Control)
	})
}

// Text returns text as a message has it: what is not one line stands between quotes.
func Text(text string) string {
	if Is(text) {
		return text
	}
	return strconv.QuoteToASCII(text)
}
