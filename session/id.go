package session

import (
	"fmt"

	"github.com/go-sesame/sesame/session/internal/line"
	"github.com/go-sesame/sesame/session/policy"
)

// checkID returns an error matching [policy.ErrInvalid] unless the ID of a leaf is one line of text: it is in
// errors and logs.
func checkID(id string) error {
	switch {
	case id == "":
		return fmt.Errorf("%w: leaf without an ID", policy.ErrInvalid)
	case !line.Is(id):
		return fmt.Errorf("%w: session ID %+q is not one line of text; leave control characters out", policy.ErrInvalid, id)
	}
	return nil
}
