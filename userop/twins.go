package userop

import (
	"slices"
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
)

// mostTwins is how many operations are remembered that others were made for the nonce and the purpose of:
// more than are waited for, since a wait that has forgotten them takes the one that landed for a stranger.
const mostTwins = 1 << 15

// twins are the families of operations that a sender knows of: made anew after a bundler refused another one,
// whose refusal is that bundler's word, or in the place of one that is stuck. Whichever of a family lands is
// the one that was to be sent.
type twins struct {
	mu       sync.Mutex
	families map[common.Hash]*family // by the userOpHash of each of its operations
	order    []common.Hash           // the oldest first
}

// family are operations of one purpose with one nonce, so that one of them can land at most.
type family struct {
	members []member // the oldest first
	// bid are the highest fees of all that were made for the nonce, also for another purpose.
	bid Fees
	// canceled says that another purpose's was given away, and none of these is to be handed out by itself.
	canceled bool
}

type member struct {
	hash common.Hash
	op   *Operation
}

// join makes the operation one of the family of the other one.
func (t *twins) join(hash common.Hash, op *Operation, otherHash common.Hash, other *Operation) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f := t.familyOf(otherHash, other)
	if t.families[hash] == f {
		return
	}
	if old := t.families[hash]; old != nil { // both were known, as of operations that were stored
		for _, m := range old.members {
			t.put(f, m)
		}
		f.bid, f.canceled = f.bid.atLeast(old.bid), f.canceled || old.canceled
	}
	t.put(f, member{hash, op})
	f.bid = f.bid.atLeast(op.Fees())
}

// familyOf is the operation's family, a new one where it had none.
func (t *twins) familyOf(hash common.Hash, op *Operation) *family {
	f := t.families[hash]
	if f == nil {
		f = &family{bid: op.Fees()}
		t.put(f, member{hash, op})
	}
	return f
}

func (t *twins) put(f *family, m member) {
	if !slices.ContainsFunc(f.members, func(known member) bool { return known.hash == m.hash }) {
		f.members = append(f.members, m)
	}
	if t.families == nil {
		t.families = make(map[common.Hash]*family)
	}
	if t.families[m.hash] == nil {
		t.order = append(t.order, m.hash)
	}
	t.families[m.hash] = f
	if len(t.order) > mostTwins {
		delete(t.families, t.order[0])
		t.order = t.order[1:]
	}
}

// raise notes that fees were bid for the operation's nonce, for another purpose than its own.
func (t *twins) raise(hash common.Hash, op *Operation, bid Fees) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f := t.familyOf(hash, op)
	f.bid = f.bid.atLeast(bid)
}

// cancel notes that an operation was given away that is to prevent those of the family.
func (t *twins) cancel(hash common.Hash, op *Operation) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.familyOf(hash, op).canceled = true
}

// canceled reports whether the operation of that hash is one that was to be prevented, by the last word.
func (t *twins) canceled(hash common.Hash) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	f := t.families[hash]
	return f != nil && f.canceled
}

// restore notes that another one of the family was given away since it was to be prevented.
func (t *twins) restore(hash common.Hash) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if f := t.families[hash]; f != nil {
		f.canceled = false
	}
}

// bid returns the highest fees that were bid for the operation's nonce.
func (t *twins) bid(hash common.Hash, op *Operation) Fees {
	t.mu.Lock()
	defer t.mu.Unlock()
	if f := t.families[hash]; f != nil {
		return f.bid
	}
	return op.Fees()
}

// of returns the others of the family of the operation of that hash, the newest first.
func (t *twins) of(hash common.Hash) (others []member) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f := t.families[hash]
	if f == nil {
		return nil
	}
	for _, m := range slices.Backward(f.members) {
		if m.hash != hash {
			others = append(others, m)
		}
	}
	return others
}

// has reports whether other is one of the family of hash.
func (t *twins) has(hash, other common.Hash) bool {
	return slices.ContainsFunc(t.of(hash), func(m member) bool { return m.hash == other })
}

// atLeast are the fees, each raised to the other one's.
func (f Fees) atLeast(other Fees) Fees {
	if other.MaxFeePerGas.Gt(&f.MaxFeePerGas) {
		f.MaxFeePerGas = other.MaxFeePerGas
	}
	if other.MaxPriorityFeePerGas.Gt(&f.MaxPriorityFeePerGas) {
		f.MaxPriorityFeePerGas = other.MaxPriorityFeePerGas
	}
	return f
}

// replacePercent is how much more an operation has to pay than the one whose place it takes in a mempool, in
// both fees (ERC-4337 names none; this is what bundlers ask for).
const replacePercent = 10

// outbidding are the least fees that are by so many percent above, and by a wei at least: a tip of nothing
// has to rise, too.
func (f Fees) outbidding(percent uint) Fees {
	raised := func(v uint256.Int) uint256.Int {
		more := addPercent(v, percent)
		if more.Eq(&v) && !more.Eq(new(uint256.Int).SetAllOne()) {
			more.AddUint64(&more, 1)
		}
		return more
	}
	return Fees{MaxFeePerGas: raised(f.MaxFeePerGas), MaxPriorityFeePerGas: raised(f.MaxPriorityFeePerGas)}
}
