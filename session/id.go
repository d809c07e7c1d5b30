package session

import (
	"fmt"

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
