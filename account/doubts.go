package account

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/lanekey"
	"github.com/go-sesame/sesame/userop"
)

// doubts are the operations outside of [Lanes] that may have been accepted although sending them failed. The
// nonce of one is not given to another operation while it is open.
type doubts struct {
	mu   sync.Mutex
	open map[common.Address]map[uint256.Int]*doubt // by nonce
}

type doubt struct {
	userop.Doubt
	since time.Time
	known bool // the bundler has it: it need not be sent again
}

// forgottenAfter is how long a doubt is remembered that no operation of its account settles.
const forgottenAfter = 24 * time.Hour

// add remembers a doubt.
func (d *doubts) add(in userop.Doubt) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for account, all := range d.open {
		for nonce, old := range all {
			if time.Since(old.since) > forgottenAfter {
				d.remove(account, &nonce)
			}
		}
	}
	account, nonce := in.Operation.Sender, in.Operation.Nonce
	if d.open == nil {
		d.open = make(map[common.Address]map[uint256.Int]*doubt)
	}
	if d.open[account] == nil {
		d.open[account] = make(map[uint256.Int]*doubt)
	}
	d.open[account][nonce] = &doubt{Doubt: in, since: time.Now()}
}

func (d *doubts) remove(account common.Address, nonce *uint256.Int) {
	if delete(d.open[account], *nonce); len(d.open[account]) == 0 {
		delete(d.open, account)
	}
}

// of returns the account's operations that are to be sent again.
func (d *doubts) of(account common.Address) (all []userop.Doubt) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for nonce, open := range d.open[account] {
		if open.known {
			continue
		}
		again := open.Doubt
		again.Settled = func(err error) { d.settled(account, &nonce, err) }
		all = append(all, again)
	}
	return all
}

// settled notes what became of sending an operation again.
func (d *doubts) settled(account common.Address, nonce *uint256.Int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if open := d.open[account][*nonce]; open != nil && err == nil {
		open.known = true
	} else if !userop.MayBeAccepted(err) {
		d.remove(account, nonce)
	}
}

// holds returns the operation in doubt that the next nonce of a lane belongs to, nil for none. Those before
// it in the lane have been settled by the chain, and what the bundler has in other lanes stands in nobody's
// way.
func (d *doubts) holds(account common.Address, next *uint256.Int) *userop.Operation {
	d.mu.Lock()
	defer d.mu.Unlock()
	for nonce, open := range d.open[account] {
		sameLane := new(uint256.Int).Rsh(&nonce, 64).Eq(new(uint256.Int).Rsh(next, 64))
		if sameLane && nonce.Lt(next) || !sameLane && open.known {
			d.remove(account, &nonce)
		}
	}
	if open := d.open[account][*next]; open != nil {
		return open.Operation
	}
	return nil
}

// readNonce is the nonce of an operation outside of [Lanes]: the next one of a lane, as the chain has it. It
// implements [userop.Reservation].
type readNonce struct {
	client  *Client
	account common.Address
	lane    *uint256.Int // that the caller chose, nil for none
	read    func(context.Context) (uint256.Int, error)
}

// nonceReader is a draft's Reserve that takes the next nonce of a lane, which read reads.
func (c *Client) nonceReader(account common.Address, lane *uint256.Int, read func(context.Context) (uint256.Int, error)) func(context.Context) (userop.Reservation, error) {
	return func(context.Context) (userop.Reservation, error) {
		return &readNonce{c, account, lane, read}, nil
	}
}

// Nonce returns the next nonce of the lane, or one of a new lane where that belongs to an operation in doubt.
func (r *readNonce) Nonce(ctx context.Context) (uint256.Int, error) {
	next, err := r.read(ctx)
	if err != nil {
		return uint256.Int{}, err
	}
	switch held := r.client.doubts.holds(r.account, &next); {
	case held == nil:
		return next, nil
	case r.lane != nil:
		return uint256.Int{}, &heldNonceError{held, held.Hash(r.client.contracts.EntryPoint, r.client.chainID)}
	}
	key := lanekey.New()
	return *key.Lsh(&key, 64), nil
}

// Commit implements [userop.Reservation].
func (*readNonce) Commit(*userop.Operation, common.Hash) error { return nil }

// Release implements [userop.Reservation].
func (*readNonce) Release(bool) {}

// Doubt implements [userop.Reservation].
func (r *readNonce) Doubt(doubt userop.Doubt) { r.client.doubts.add(doubt) }

// Doubts implements [userop.Reservation].
func (r *readNonce) Doubts() []userop.Doubt { return r.client.doubts.of(r.account) }

// chosenNonce is the nonce that the caller chose, of an operation in doubt, too: that is how one is replaced.
// Those in doubt are not sent again before it. It is in doubt like any other.
type chosenNonce struct{ readNonce }

// nonceChooser is a draft's Reserve that takes this nonce.
func (c *Client) nonceChooser(account common.Address, nonce uint256.Int) func(context.Context) (userop.Reservation, error) {
	read := func(context.Context) (uint256.Int, error) { return nonce, nil }
	return func(context.Context) (userop.Reservation, error) {
		return &chosenNonce{readNonce{client: c, account: account, read: read}}, nil
	}
}

// Nonce returns what was chosen.
func (r *chosenNonce) Nonce(ctx context.Context) (uint256.Int, error) { return r.read(ctx) }

// Doubts implements [userop.Reservation].
func (*chosenNonce) Doubts() []userop.Doubt { return nil }

// heldNonceError is a lane whose next nonce belongs to an operation in doubt.
type heldNonceError struct {
	op   *userop.Operation
	hash common.Hash
}

func (e *heldNonceError) Error() string {
	return fmt.Sprintf("nonce %s of %s belongs to operation %s, which may still be included: wait for that one, choose another lane, or replace it by WithNonce", e.op.Nonce.Hex(), e.op.Sender, e.hash)
}

// Temporary reports true: the chain ends the doubt.
func (e *heldNonceError) Temporary() bool { return true }

// MayBeDelivered reports false: nothing was sent.
func (e *heldNonceError) MayBeDelivered() bool { return false }
