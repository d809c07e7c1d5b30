package session

import (
	"fmt"
	"io"

	"github.com/go-sesame/sesame/session/internal/line"
)

// A store, a keyring or a chain of the caller's may have a secret in it: what has them within reach says what
// it is, whoever prints it and how.

// String names the sessions by their account.
func (s *Sessions) String() string { return "sessions of " + s.ref.String() }

// Format writes [Sessions.String] whatever the verb.
func (s *Sessions) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// Format writes which leaf it is whatever the verb.
func (r LeafRef) Format(f fmt.State, _ rune) {
	if r.sessions == nil {
		_, _ = io.WriteString(f, "no session")
		return
	}
	_, _ = io.WriteString(f, "session "+line.Text(r.id)+" of "+r.sessions.ref.String())
}

// Format writes what it is whatever the verb.
func (s *Signer) Format(f fmt.State, _ rune) { fmt.Fprint(f, "signer of ", s.leaves) }

// Format writes what it is whatever the verb.
func (c *RootChange) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "change of the "+c.sessions.String())
}
