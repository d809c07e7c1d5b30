package session

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-sesame/sesame/session/policy"
)

// checkID returns an error matching [policy.ErrInvalid] unless the ID of a leaf is one line of text: it is in
// errors and logs.
func checkID(id string) error {
	switch {
	case id == "":
		return fmt.Errorf("%w: leaf without an ID", policy.ErrInvalid)
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

// maxNamed bounds how many IDs an error lists.
const maxNamed = 20

// idList says for an error which leaves there are: the newest, if they are many.
func (s *State) idList() string {
	if len(s.Leaves) == 0 {
		return "none"
	}
	var ids []string
	for i := len(s.Leaves) - 1; i >= 0 && len(ids) < maxNamed; i-- {
		ids = append(ids, fmt.Sprintf("%q", s.Leaves[i].ID))
	}
	slices.Reverse(ids)
	if rest := len(s.Leaves) - len(ids); rest > 0 {
		ids = append(ids, fmt.Sprintf("and %d more", rest))
	}
	return strings.Join(ids, ", ")
}
