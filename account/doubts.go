package account

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/lanekey"
	"github.com/go-sesame/sesame/userop"
	"github.com/go-sesame/sesame/userop/outbox"
)

// doubts are the operations outside of [Lanes] that may have been accepted although sending them failed. The
// nonce of one is not given to another operation while it is open.
type doubts struct {
	mu   sync.Mutex
	open map[common.Address]map[uint256.Int]*doubt // by nonce
}

type doubt struct {
	userop.Doubt
	of    userop.Reservation // whose operation it is
	since time.Time
	// alone says that the lane was made for the operation: no other one comes there.
	alone bool
	// rests says that it need not be sent again: the bundler has it, or the caller replaces it. asked says
	// that somebody sends it again just now.
	rests, asked bool
}

// forgottenAfter is how long a doubt is remembered that no operation of its account settles.
const forgottenAfter = 24 * time.Hour

// add remembers a doubt.
func (d *doubts) add(in *doubt) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for account, all := range d.open {
		for nonce, old := range all {
			if time.Since(old.since) > forgottenAfter {
				d.remove(account, &nonce)
			}
		}
	}
	account := in.Operation.Sender
	if d.open == nil {
		d.open = make(map[common.Address]map[uint256.Int]*doubt)
	}
	if d.open[account] == nil {
		d.open[account] = make(map[uint256.Int]*doubt)
	}
	in.since = time.Now()
	d.open[account][in.Operation.Nonce] = in
}

func (d *doubts) remove(account common.Address, nonce *uint256.Int) {
	if delete(d.open[account], *nonce); len(d.open[account]) == 0 {
		delete(d.open, account)
	}
}

// of returns the account's operations that are to be sent again, each to one caller at a time.
func (d *doubts) of(account common.Address) (all []userop.Doubt) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, open := range d.open[account] {
		if open.rests || open.asked {
			continue
		}
		open.asked = true
		again := open.Doubt
		again.Settled = func(err error) { d.settled(open, err) }
		all = append(all, again)
	}
	return all
}

// any reports whether an operation of the account is in doubt.
func (d *doubts) any(account common.Address) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.open[account]) > 0
}

// settled notes what became of sending an operation again.
func (d *doubts) settled(open *doubt, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	open.asked = false
	account, nonce := open.Operation.Sender, &open.Operation.Nonce
	switch {
	case err == nil:
		open.rests = true
	case !userop.MayBeAccepted(err) && d.open[account][*nonce] == open:
		d.remove(account, nonce)
	}
}

// ended forgets the doubt about a reservation's operation: the chain has ended it.
func (d *doubts) ended(of userop.Reservation, op *userop.Operation) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if open := d.open[op.Sender][op.Nonce]; open != nil && open.of == of {
		d.remove(op.Sender, &op.Nonce)
	}
}

// replace notes that the caller sends op instead of the one in doubt that has its nonce: that one is not sent
// again by anybody else, and no third one gets the nonce.
func (d *doubts) replace(op *userop.Operation) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if open := d.open[op.Sender][op.Nonce]; open != nil {
		open.rests = true
	}
}

// holds returns the operation in doubt that the next nonce of a lane belongs to, nil for none. Those before
// it in the lane have been settled by the chain, and what the bundler has in lanes of its own stands in
// nobody's way.
func (d *doubts) holds(account common.Address, next *uint256.Int) *userop.Operation {
	d.mu.Lock()
	defer d.mu.Unlock()
	for nonce, open := range d.open[account] {
		sameLane := new(uint256.Int).Rsh(&nonce, 64).Eq(new(uint256.Int).Rsh(next, 64))
		if sameLane && nonce.Lt(next) || !sameLane && open.rests && open.alone {
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
	lane    *uint256.Int  // that the caller chose, nil for none
	taken   []uint256.Int // nonces that are others'
	read    func(context.Context) (uint256.Int, error)
	// beside, where it is not nil, reads what read does besides, where the nonce is known without.
	beside func(context.Context) error
	// remembers says that the nonce may be one that the last operation's end showed, known that it is, which
	// is last.
	remembers, known bool
	last             uint256.Int
	alone            bool              // it is the first nonce of a lane made for it
	op               *userop.Operation // nil until committed; only its sender and nonce count
}

// reservesNonce is a draft's Reserve that takes the next nonce of a lane, as the reader like reads it.
func (c *Client) reservesNonce(like readNonce) func(context.Context) (userop.Reservation, error) {
	like.client = c
	return func(context.Context) (userop.Reservation, error) {
		r := like
		return &r, nil
	}
}

// readNext reads the next nonce of the lane, unless the end of the last operation there showed it lately.
// While it is open what became of any of the account's it is always read, and so it is where a service
// refused what was made with one that was remembered.
func (r *readNonce) readNext(ctx context.Context) (next uint256.Int, err error) {
	if r.remembers && !r.client.doubts.any(r.account) {
		if r.last, r.known = r.client.nonces.take(r.account, r.lane); r.known {
			if r.beside != nil {
				err = r.beside(ctx)
			}
			return r.last, err
		}
	}
	return r.read(ctx)
}

// forget has the nonce read the next time, and reports whether it was remembered.
func (r *readNonce) forget() bool {
	was := r.known
	r.remembers, r.known = false, false
	return was
}

// Nonce returns the next nonce of the lane, or one of a new lane where that belongs to an operation in doubt.
func (r *readNonce) Nonce(ctx context.Context) (uint256.Int, error) {
	next, err := r.readNext(ctx)
	if err != nil {
		return uint256.Int{}, err
	}
	r.alone = false
	held := r.client.doubts.holds(r.account, &next)
	switch taken := slices.Contains(r.taken, next); {
	case held == nil && !taken:
		return next, nil
	case r.lane != nil && held == nil:
		return uint256.Int{}, fmt.Errorf("%w: nonce %s of %s; wait for that one, or choose another lane", outbox.ErrNonceTaken, next.Hex(), r.account)
	case r.lane != nil:
		return uint256.Int{}, &heldNonceError{held, held.Hash(r.client.contracts.EntryPoint, r.client.chainID)}
	}
	r.alone = true
	key := lanekey.New()
	return *key.Lsh(&key, 64), nil
}

// Commit implements [userop.Reservation]. An operation that takes the place of one with its nonce is
// committed while somebody waits for that one, whose end releases the reservation.
func (r *readNonce) Commit(op *userop.Operation, _ common.Hash) error {
	if r.op == nil || r.op.Sender != op.Sender || r.op.Nonce != op.Nonce {
		r.op = op
	}
	return nil
}

// Release implements [userop.Reservation].
func (r *readNonce) Release(used bool) {
	if r.op == nil {
		if r.known {
			r.client.nonces.giveBack(r.account, &r.last)
		}
		return
	}
	if used {
		r.client.nonces.used(r.account, &r.op.Nonce)
	}
	r.client.doubts.ended(r, r.op)
}

// Doubt implements [userop.Reservation].
func (r *readNonce) Doubt(in userop.Doubt) {
	r.client.doubts.add(&doubt{Doubt: in, of: r, alone: r.alone})
}

// Doubts implements [userop.Reservation].
func (r *readNonce) Doubts() []userop.Doubt { return r.client.doubts.of(r.account) }

// givenNonce is a nonce that the caller gave, which may be that of an operation in doubt: the caller replaces
// that one. It implements [userop.Reservation].
type givenNonce struct{ readNonce }

// nonceGiven is a draft's Reserve for a nonce of the caller's own.
func (c *Client) nonceGiven(account common.Address, nonce *uint256.Int) func(context.Context) (userop.Reservation, error) {
	return func(context.Context) (userop.Reservation, error) {
		return &givenNonce{readNonce{client: c, account: account, read: func(context.Context) (uint256.Int, error) { return *nonce, nil }}}, nil
	}
}

// Nonce returns the nonce that was given.
func (g *givenNonce) Nonce(ctx context.Context) (uint256.Int, error) { return g.read(ctx) }

// Doubts implements [userop.Reservation]. What the caller replaces is not sent again before.
func (*givenNonce) Doubts() []userop.Doubt { return nil }

// Commit implements [userop.Reservation].
func (g *givenNonce) Commit(op *userop.Operation, hash common.Hash) error {
	g.client.doubts.replace(op)
	return g.readNonce.Commit(op, hash)
}

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
