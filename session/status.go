package session

import (
	"fmt"

	"github.com/go-sesame/sesame/session/policy"
)

// Status is where a leaf stands in its life.
type Status uint8

const (
	// StatusPending: written down before its operation was sent. It signs only once the account's
	// root on chain is the one it belongs to.
	StatusPending Status = iota + 1
	// StatusActive: the account's root on chain was seen to contain the leaf.
	StatusActive
	// StatusRevoked: a tombstone. The leaf never signs again, whatever the chain still allows.
	StatusRevoked
	// StatusExpired is never stored: it is what an active or pending leaf is after its end.
	StatusExpired
)

var statusNames = [...]string{StatusPending: "pending", StatusActive: "active", StatusRevoked: "revoked", StatusExpired: "expired"}

// String returns the status in lower case.
func (s Status) String() string {
	if int(s) < len(statusNames) && statusNames[s] != "" {
		return statusNames[s]
	}
	return fmt.Sprintf("status %d", uint8(s))
}

// MarshalText writes the status in lower case.
func (s Status) MarshalText() ([]byte, error) {
	if int(s) < len(statusNames) && statusNames[s] != "" {
		return []byte(statusNames[s]), nil
	}
	return nil, fmt.Errorf("%w: unknown session status %d", policy.ErrInvalid, uint8(s))
}

// UnmarshalText reads what MarshalText writes.
func (s *Status) UnmarshalText(text []byte) error {
	for i, name := range statusNames {
		if name != "" && name == string(text) {
			*s = Status(i)
			return nil
		}
	}
	return fmt.Errorf("%w: unknown session status %q", policy.ErrInvalid, text)
}
