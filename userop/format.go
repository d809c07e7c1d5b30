package userop

import (
	"fmt"
	"io"
)

// A bundler or a paymaster of the caller's may have a key in it: what has them within reach says what it is,
// whoever prints it and how.

// Format writes the sender's chain whatever the verb.
func (s *Sender) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "sender of user operations on chain %d", s.cfg.ChainID)
}

// Format writes the operation's hash whatever the verb.
func (p *Pending) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "pending user operation "+p.hash.Hex())
}
