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
	// Nonce returns the nonce. It is called beside the other reads of the first step, and again for an
	// operation that takes the place of one that was refused (see [Draft].Renew): where the nonce was read
	// rather than made the operation's own, that is the next one by then.
	Nonce(ctx context.Context) (uint256.Int, error)
	// Commit says that the signed operation, whose userOpHash is hash, is about to be sent: from now on it
	// may land. An error means that the nonce is not the operation's own any more, and nothing is sent. It
	// comes again for the operation that takes the place of one that was refused; see [Draft].Renew.
	Commit(op *Operation, hash common.Hash) error
	// Release ends the reservation: used if an operation with the nonce is on chain, not used if there will
	// be none. It may come twice, and late.
	Release(used bool)
	// Doubt says that sending the committed operation failed in a way that leaves open whether it was
	// accepted, or that it was waited for long and in vain. Its nonce stays its own.
	Doubt(doubt Doubt)
	// Doubts returns earlier operations of the account that are in doubt, each to one caller: it sends them
	// again, before it makes its own operation.
	Doubts() []Doubt
}

// Doubt is a signed operation that may have been accepted, and the guard that is asked before it is sent
// again.
type Doubt struct {
	Operation *Operation
	Guard     Guard
	// Settled, if it is not nil, is told how sending it again ended: nil if it is accepted or on chain,
	// otherwise an error that [MayBeAccepted] is to be asked about.
	Settled func(err error)
}

// readNonce is the nonce of a draft that reserves none.
type readNonce func(ctx context.Context) (uint256.Int, error)

func (read readNonce) Nonce(ctx context.Context) (uint256.Int, error) { return read(ctx) }

func (readNonce) Commit(*Operation, common.Hash) error { return nil }

func (readNonce) Release(bool) {}

func (readNonce) Doubt(Doubt) {}

func (readNonce) Doubts() []Doubt { return nil }

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
