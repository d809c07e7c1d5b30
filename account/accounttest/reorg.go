package accounttest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
)

// ErrReorg means that a chain cannot lose so many blocks; see [Chain.Reorg].
var ErrReorg = errors.New("no such reorg")

// Reorg takes the last depth blocks out of the chain, as a node does when another branch wins: the newest
// block is the one before them, and the state is what it left behind. Blocks made from now on are that other
// branch; a real one is longer than what it replaces, so [Chain.Commit] makes as many blocks as a test wants
// it to have.
//
// The transactions of the lost blocks are gone, and so are those that waited for a block: nothing sends them
// again by itself, and the nonces of their senders are free. The same bytes can be sent again. A [Bundler] of
// the chain takes its operations back into its mempool and sends them in a new bundle, at once unless it is
// paused, or loses them: see [BundlerConfig].LosesReorged. Its answers are those of the new branch from the
// moment Reorg returns.
//
// Timestamps do not go back: the next block is later than every lost one ([Chain.NextTime]).
//
// The blocks in which the money of a [Bundler], a [Paymaster] or a [Devnet] came to it, when it was started,
// cannot be lost: such a depth is an error matching [ErrReorg], and the chain stays as it is.
func (c *Chain) Reorg(ctx context.Context, depth uint64) error {
	c.rewinding.Lock()
	defer c.rewinding.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return errors.New("reorg: the chain is closed")
	}
	head, err := c.client.HeaderByNumber(ctx, nil)
	if err != nil {
		return fmt.Errorf("reorg: last block: %w", err)
	}
	switch number := head.Number.Uint64(); {
	case depth == 0:
		return errors.New("reorg of no block")
	case depth > number || number-depth < c.floor:
		return fmt.Errorf("%w: of %d blocks: the newest is block %d, and those up to block %d stay", ErrReorg, depth, number, c.floor)
	}
	lost, err := c.node.Rewind(depth)
	if err != nil {
		return fmt.Errorf("reorg of %d blocks: %w", depth, err)
	}
	if until := time.Unix(int64(head.Time), 0); until.After(c.lostUntil) {
		c.lostUntil = until
	}
	for bundler := range c.services {
		bundler.undo(lost)
	}
	return nil
}

// settled says that the blocks there are stay.
func (c *Chain) settled(ctx context.Context) error {
	number, err := c.client.BlockNumber(ctx)
	if err != nil {
		return fmt.Errorf("number of the last block: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.floor = max(c.floor, number)
	return nil
}

// follow has the bundler told of reorgs, until unfollow.
func (c *Chain) follow(b *Bundler) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.services == nil {
		c.services = make(map[*Bundler]struct{})
	}
	c.services[b] = struct{}{}
}

func (c *Chain) unfollow(b *Bundler) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.services, b)
}

// undo forgets what the bundler knew of lost blocks.
func (b *Bundler) undo(lost []*types.Block) {
	var bundles []common.Hash
	for _, block := range lost {
		for _, tx := range block.Transactions() {
			b.receipts.Delete(tx.Hash())
			bundles = append(bundles, tx.Hash())
		}
	}
	b.pool.undo(bundles, b.forgets)
}
