package tsstore

import (
	"time"

	"github.com/go-sesame/sesame/session"
)

// The SDK's words for a leaf's status.
const (
	pending  = "PENDING"
	active   = "ACTIVE"
	inactive = "INACTIVE"
	expired  = "EXPIRED"
	revoked  = "REVOKED"
)

// readStatus returns what a word of the SDK means for a leaf. Where word and window disagree, the leaf must
// not sign.
func readStatus(word string, leaf *session.Leaf, now time.Time) (status session.Status, ok bool) {
	switch word {
	case pending:
		return session.StatusPending, true
	case active:
		return session.StatusActive, true
	case inactive, revoked:
		return session.StatusRevoked, true
	case expired:
		if leaf.StatusAt(now) == session.StatusExpired {
			return session.StatusActive, true
		}
		return session.StatusRevoked, true
	}
	return 0, false
}

// writeStatus returns the SDK's word for a status that is stored; expired is none.
func writeStatus(status session.Status) string {
	switch status {
	case session.StatusPending:
		return pending
	case session.StatusRevoked:
		return revoked
	}
	return active
}
