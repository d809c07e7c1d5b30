package ethnode

import (
	"cmp"
	"context"
	"fmt"
	"math/big"
	"slices"
	"sync"
	"time"

	"github.com/go-sesame/sesame/internal/failover"
)

const (
	defaultMaxLag = 16
	// headsEvery is how often all members are asked for their newest block, and longestHead bounds that.
	headsEvery  = 10 * time.Second
	longestHead = 2 * time.Second
)

// heads are the newest blocks of a pool's members, as far as they told.
type heads struct {
	group  *failover.Group[Node]
	maxLag uint64

	asking sync.Mutex // held by who asks all members

	mu    sync.Mutex
	asked time.Time // all members, last
	told  []uint64  // by each member last, 0 where it has not
	best  uint64    // that any member told last
	lags  []bool
}

func (h *heads) start(group *failover.Group[Node], maxLag uint64) {
	h.group, h.maxLag = group, cmp.Or(maxLag, defaultMaxLag)
	h.told, h.lags = make([]uint64, group.Len()), make([]bool, group.Len())
}

// order are the places of the members as they are preferred, those last that are far behind the others.
func (h *heads) order(ctx context.Context) []int {
	h.refresh(ctx)
	order := h.group.Order()
	h.mu.Lock()
	defer h.mu.Unlock()
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case h.lags[a] == h.lags[b]:
			return 0
		case h.lags[a]:
			return 1
		}
		return -1
	})
	return order
}

// refresh asks all members for their newest block where that is due. The first time everybody waits for it.
func (h *heads) refresh(ctx context.Context) {
	if h.group.Len() == 1 {
		return
	}
	first, due := h.due()
	switch {
	case !due:
		return
	case first:
		h.asking.Lock()
	case !h.asking.TryLock():
		return
	}
	defer h.asking.Unlock()
	if _, due := h.due(); !due { // somebody else asked
		return
	}
	asking, cancel := context.WithTimeout(ctx, longestHead)
	defer cancel()
	round := make([]uint64, h.group.Len())
	var group sync.WaitGroup
	for place := range round {
		group.Go(func() {
			q := failover.Question{What: "eth_blockNumber", Order: []int{place}, Judge: judge}
			round[place], _, _ = failover.Ask(asking, h.group, q, asFailure(blockNumber)) // 0 where it failed
		})
	}
	group.Wait()
	if ctx.Err() != nil && slices.Max(round) == 0 { // for whoever asks next
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked = time.Now()
	for place, number := range round {
		if number != 0 {
			h.told[place] = number
		}
	}
	h.best = slices.Max(h.told)
	for place, number := range round {
		if number != 0 { // of one that does not answer nothing new is known
			h.lags[place] = h.best-number > h.maxLag
		}
	}
}

func (h *heads) due() (first, due bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.asked.IsZero(), time.Since(h.asked) >= headsEvery
}

// ask asks a member for its newest block, and notes what it tells. One that is far behind what others told,
// or it itself, is not preferred until all are asked again.
func (h *heads) ask(ctx context.Context, member Node) (uint64, error) {
	number, err := member.BlockNumber(ctx)
	if err != nil {
		return 0, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.best = max(h.best, number)
	place := member.(*placed).place
	h.told[place] = number
	h.lags[place] = h.lags[place] || h.best-number > h.maxLag
	return number, nil
}

// reaches returns an error for a member that does not have a block.
func (h *heads) reaches(ctx context.Context, member Node, block *big.Int) error {
	if block == nil || !block.IsUint64() || h.group.Len() == 1 {
		return nil
	}
	h.mu.Lock()
	has := h.told[member.(*placed).place] >= block.Uint64()
	h.mu.Unlock()
	if has {
		return nil
	}
	number, err := h.ask(ctx, member)
	if err == nil && number < block.Uint64() {
		err = &behindError{at: number, want: block.Uint64()}
	}
	return err
}

func blockNumber(ctx context.Context, member Node) (uint64, error) { return member.BlockNumber(ctx) }

// behindError is a node that does not have the blocks that it is asked about.
type behindError struct{ at, want uint64 }

func (e *behindError) Error() string {
	return fmt.Sprintf("it is at block %d and does not have block %d yet", e.at, e.want)
}
