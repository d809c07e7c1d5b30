package storekit

import (
	"context"
	"fmt"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/userop/outbox"
)

// Recorder is a [session.Store] that has an [outbox.Outbox] beside the sessions, and changes those of an
// account together with recording the operation that this change waits for: both are stored, or neither is. A
// crash between the two would leave a change that nobody sends, or a send of which the sessions know nothing.
type Recorder interface {
	session.Store
	// Outbox returns the store's outbox, always the same. It is closed with the store.
	Outbox() outbox.Outbox
	// ApplyRecording is Apply, and Record of the store's outbox, in one, for one account on one chain. It
	// fails with the errors of both.
	ApplyRecording(ctx context.Context, ref session.Ref, version uint64, change *session.Change, recording outbox.Recording) (uint64, *outbox.Entry, error)
}

// CheckRecording returns an error matching [outbox.ErrInvalid] if what is recorded is not of the account
// whose sessions are changed.
func CheckRecording(ref session.Ref, recording *outbox.Recording) error {
	if recording.Send.ChainID != ref.ChainID || recording.Send.Account != ref.Account {
		return otherAccount(ref, &recording.Send)
	}
	return recording.Validate()
}

func otherAccount(ref session.Ref, send *outbox.Send) error {
	of := session.Ref{ChainID: send.ChainID, Account: send.Account}
	return fmt.Errorf("%w: a send of %s with a change of the sessions of %s", outbox.ErrInvalid, of, ref)
}
