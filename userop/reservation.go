package userop

import (
	"context"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
)

// Reservation is a nonce that belongs to one operation alone, so that operations sent at the same time do not
// collide. [Draft.Reserve] makes one. The pipeline asks for the nonce, commits it when the operation is sent,
// and releases it when it knows what became of it; a reservation whose operation nobody waits for is
// committed and never released.
type Reservation interface {
	// Nonce returns the nonce. It is called once at most, beside the other reads of the first step.
	Nonce(ctx context.Context) (uint256.Int, error)
	// Commit says that the signed operation, whose userOpHash is hash, is about to be sent: from now on it
	// may land. An error means that the nonce is not the operation's own any more, and nothing is sent. It
	// comes again for the operation that takes the place of one that was refused; see [Draft].Renew.
	Commit(op *Operation, hash common.Hash) error
	// Release ends the reservation: used if an operation with the nonce is on chain, not used if there will
	// be none. It may come twice, and late.
	Release(used bool)
}

// readNonce is the nonce of a draft that reserves none.
type readNonce func(ctx context.Context) (uint256.Int, error)

func (read readNonce) Nonce(ctx context.Context) (uint256.Int, error) { return read(ctx) }

func (readNonce) Commit(*Operation, common.Hash) error { return nil }

func (readNonce) Release(bool) {}

// heldNonce is the nonce of a draft on its way through the pipeline.
type heldNonce struct {
	Reservation
	committed bool
}

// Commit implements [Reservation].
func (h *heldNonce) Commit(op *Operation, hash common.Hash) error {
	err := h.Reservation.Commit(op, hash)
	h.committed = err == nil
	return err
}

// abandon releases a nonce that was not committed.
func (h *heldNonce) abandon() {
	if !h.committed {
		h.Release(false)
	}
}
