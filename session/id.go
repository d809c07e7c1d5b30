package session

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-sesame/sesame/session/internal/line"
	"github.com/go-sesame/sesame/session/policy"
)

var errNoID = fmt.Errorf("%w: leaf without an ID", policy.ErrInvalid)

// checkID returns an error matching [policy.ErrInvalid] unless the ID of a leaf is one line of text: it is in
// errors and logs.
func checkID(id string) error {
	switch {
	case id == "":
		return errNoID
	case !line.Is(id):
		return fmt.Errorf("%w: session ID %+q is not one line of text; leave control characters out", policy.ErrInvalid, id)
	}
	return nil
}

// idTexts are IDs for an error; each that a store should not have taken stands between quotes.
func idTexts(ids []string) []string {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = line.Text(id)
	}
	return texts
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
