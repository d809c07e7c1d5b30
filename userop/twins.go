package userop

import (
	"sync"

	"github.com/ethereum/go-ethereum/common"
)

// mostTwins is how many operations are remembered that were made anew of another one.
const mostTwins = 1024

// twins are the operations that were made anew after a bundler refused another one, which has their nonce.
// The refusal is the bundler's word: whichever of both lands is the one that was to be sent.
type twins struct {
	mu     sync.Mutex
	before map[common.Hash]*Operation // by the userOpHash of the later one
	order  []common.Hash              // the oldest first
}

// note remembers what the operation of that hash was made anew of.
func (t *twins) note(hash common.Hash, before *Operation) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.before == nil {
		t.before = make(map[common.Hash]*Operation)
	}
	if t.before[hash] == nil {
		t.order = append(t.order, hash)
	}
	t.before[hash] = before
	if len(t.order) > mostTwins {
		delete(t.before, t.order[0])
		t.order = t.order[1:]
	}
}

// of returns what the operation of that hash was made anew of, nil for nothing.
func (t *twins) of(hash common.Hash) *Operation {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.before[hash]
}
