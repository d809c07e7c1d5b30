package session

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-sesame/sesame/session/policy"
)

var errNoID = fmt.Errorf("%w: leaf without an ID", policy.ErrInvalid)

// checkID returns an error matching [policy.ErrInvalid] unless the ID of a leaf is one line of text: it is in
// errors and logs.
func checkID(id string) error {
	switch {
	case id == "":
		return errNoID
	case !isLine(id):
		return fmt.Errorf("%w: session ID %+q is not one line of text; leave control characters out", policy.ErrInvalid, id)
	}
	return nil
}

// isLine reports whether text is UTF-8 without anything that moves a cursor, ends a line or turns its
// direction.
func isLine(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool {
		return unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp, unicode.Bidi_Control)
	})
}

// idText is an ID for an error; one that a store should not have taken stands between quotes.
func idText(id string) string {
	if isLine(id) {
		return id
	}
	return strconv.QuoteToASCII(id)
}

// idTexts is [idText] of each.
func idTexts(ids []string) []string {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = idText(id)
	}
	return texts
}
