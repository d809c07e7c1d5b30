package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/go-sesame/sesame/userop/outbox"
)

func asTaken(err error, taken **outbox.TakenError) bool { return errors.As(err, taken) }

func isOneOf(err error, targets ...error) bool {
	return slices.ContainsFunc(targets, func(target error) bool { return errors.Is(err, target) })
}

func claim(t *testing.T, box outbox.Outbox, lease outbox.Lease, limit int) []*outbox.Entry {
	t.Helper()
	claimed, err := box.Claim(t.Context(), 0, lease, limit)
	require.NoError(t, err)
	return claimed
}

func keysOf(entries []*outbox.Entry) (keys []string) {
	for _, e := range entries {
		keys = append(keys, e.Key)
	}
	return keys
}

// recordOver records entries whose leases are over at once.
func recordOver(t *testing.T, box outbox.Outbox, keys ...string) (entries []*outbox.Entry) {
	t.Helper()
	for i, key := range keys {
		r := recording(key, uint64(7+i))
		r.Lease = overLease
		entries = append(entries, record(t, box, r))
	}
	return entries
}

func (c *OutboxConfig) testClaim(t *testing.T) {
	boxes := c.boxes(t)
	require.Empty(t, claim(t, boxes[0], longLease, 0))
	held := record(t, boxes[0], recording("held", 1))
	entries := recordOver(t, boxes[0], "a", "b", "c", "d")

	elsewhere, err := boxes[1].Claim(t.Context(), entries[0].ChainID+1, ourLease, 0)
	require.NoError(t, err)
	require.Empty(t, elsewhere, "of another chain")
	first, err := boxes[1].Claim(t.Context(), entries[0].ChainID, ourLease, 2)
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b"}, keysOf(first), "those that wait longest")
	want := entries[0].Clone()
	want.Version, want.Given, want.Holder = 2, true, otherHolder
	requireEntry(t, want, first[0])
	require.Equal(t, first[0], entryOf(t, boxes[0], "a"))
	require.Equal(t, []string{"c", "d"}, keysOf(claim(t, boxes[0], outbox.Lease{Holder: holder, TTL: short}, 0)), "others")
	require.Equal(t, []string{"c", "d"}, keysOf(claim(t, boxes[1], ourLease, 0)), "again, as nobody has them")
	require.Empty(t, claim(t, boxes[1], ourLease, 0))

	_, err = boxes[0].AddAttempt(t.Context(), first[0].ID, 1, attempt(7, 1), longLease)
	require.ErrorIs(t, err, outbox.ErrConflict, "who had it before overwrites nothing")

	settle(t, boxes[0], held, landed(held.Attempts[0].Hash))
	settled, err := boxes[0].Settle(t.Context(), first[1].ID, 2, expired(first[1]), longLease)
	require.NoError(t, err)
	require.Equal(t, holder, settled.Holder)
	require.Equal(t, []string{"held"}, keysOf(claim(t, boxes[1], ourLease, 0)), "to be reported; the other one is leased")

	for _, limit := range []int{-1, 1001} {
		_, err := boxes[0].Claim(t.Context(), 0, longLease, limit)
		require.ErrorIs(t, err, outbox.ErrInvalid)
	}
	for _, lease := range []outbox.Lease{{}, {Holder: holder}, {TTL: long}, {Holder: "a\n", TTL: long}, {Holder: holder, TTL: -1}, {Holder: holder, TTL: outbox.MaxTTL + 1}} {
		_, err := boxes[0].Claim(t.Context(), 0, lease, 0)
		require.ErrorIs(t, err, outbox.ErrInvalid)
	}
}

func (c *OutboxConfig) testClaimAtOnce(t *testing.T) {
	boxes := c.boxes(t)
	const entries, workers = 40, 8
	var keys []string
	for n := range entries {
		keys = append(keys, fmt.Sprint("key ", n))
	}
	recordOver(t, boxes[0], keys...)
	var mu sync.Mutex
	var all []string
	var group errgroup.Group
	for n := range workers {
		group.Go(func() error {
			for {
				claimed, err := boxes[n%len(boxes)].Claim(t.Context(), 0, outbox.Lease{Holder: fmt.Sprint(n), TTL: long}, 3)
				if err != nil {
					return err
				}
				mu.Lock()
				all = append(all, keysOf(claimed)...)
				over := len(all) >= entries
				mu.Unlock()
				if over {
					return nil
				}
			}
		})
	}
	require.NoError(t, group.Wait())
	require.ElementsMatch(t, keys, all, "each went to one")
}

func (c *OutboxConfig) testTake(t *testing.T) {
	boxes := c.boxes(t)
	entry := record(t, boxes[0], recording("a", 7))
	_, err := boxes[1].Take(t.Context(), entry.ID, 1, ourLease)
	require.ErrorIs(t, err, outbox.ErrLeased)
	_, err = boxes[1].Take(t.Context(), entry.ID, 2, longLease)
	require.ErrorIs(t, err, outbox.ErrConflict)
	_, err = boxes[1].Take(t.Context(), entry.ID+1, 1, longLease)
	require.ErrorIs(t, err, outbox.ErrNotFound)
	_, err = boxes[1].Take(t.Context(), entry.ID, 1, outbox.Lease{})
	require.ErrorIs(t, err, outbox.ErrInvalid)
	require.Equal(t, entry, entryOf(t, boxes[0], "a"))

	mine, err := boxes[0].Take(t.Context(), entry.ID, 1, overLease)
	require.NoError(t, err, "one's own")
	require.Equal(t, uint64(2), mine.Version)
	taken, err := boxes[1].Take(t.Context(), entry.ID, 2, ourLease)
	require.NoError(t, err)
	want := entry.Clone()
	want.Version, want.Given, want.Holder = 3, true, otherHolder
	requireEntry(t, want, taken)
	require.Equal(t, taken, entryOf(t, boxes[0], "a"))

	settled := settle(t, boxes[0], taken, landed(entry.Attempts[0].Hash))
	settled, err = boxes[0].Take(t.Context(), entry.ID, settled.Version, longLease)
	require.NoError(t, err, "to report it")
	require.NoError(t, boxes[0].MarkReported(t.Context(), entry.ID))
	_, err = boxes[0].Take(t.Context(), entry.ID, settled.Version+1, longLease)
	require.ErrorIs(t, err, outbox.ErrSettled)
}

func (c *OutboxConfig) testOutboxLeases(t *testing.T) {
	boxes := c.boxes(t)
	entries := recordOver(t, boxes[0], "a", "b", "c", "d")
	ids := []uint64{entries[0].ID, entries[1].ID, entries[2].ID, entries[3].ID, entries[3].ID + 1}
	require.Equal(t, []string{"a"}, keysOf(claim(t, boxes[1], ourLease, 1)))

	held, err := boxes[0].Renew(t.Context(), longLease, ids...)
	require.NoError(t, err)
	require.ElementsMatch(t, ids[1:4], held, "those that nobody else got")
	renewed := entryOf(t, boxes[1], "b")
	requireEntry(t, entries[1], renewed)
	require.True(t, renewed.LeaseUntil.After(entries[1].LeaseUntil))
	require.Empty(t, claim(t, boxes[1], ourLease, 0))

	require.NoError(t, boxes[0].Release(t.Context(), holder, ids[0], ids[1], ids[4]))
	require.Equal(t, otherHolder, entryOf(t, boxes[1], "a").Holder, "another's is let be")
	released := entryOf(t, boxes[1], "b")
	require.Empty(t, released.Holder)
	require.True(t, released.LeaseUntil.IsZero())
	held, err = boxes[0].Renew(t.Context(), longLease, ids[1])
	require.NoError(t, err)
	require.Empty(t, held, "what was released is nobody's")
	require.Equal(t, []string{"b"}, keysOf(claim(t, boxes[1], ourLease, 0)))

	for _, none := range [][]uint64{nil, {}} {
		held, err := boxes[0].Renew(t.Context(), longLease, none...)
		require.NoError(t, err)
		require.Empty(t, held)
		require.NoError(t, boxes[0].Release(t.Context(), holder, none...))
	}
	_, err = boxes[0].Renew(t.Context(), outbox.Lease{}, ids...)
	require.ErrorIs(t, err, outbox.ErrInvalid)
	require.ErrorIs(t, boxes[0].Release(t.Context(), "", ids...), outbox.ErrInvalid)
}

func (c *OutboxConfig) testReport(t *testing.T) {
	boxes := c.boxes(t)
	entry := recordOver(t, boxes[0], "a")[0]
	require.ErrorIs(t, boxes[0].MarkReported(t.Context(), entry.ID), outbox.ErrConflict, "it is open")
	require.ErrorIs(t, boxes[0].MarkReported(t.Context(), entry.ID+1), outbox.ErrNotFound)
	settled, err := boxes[0].Settle(t.Context(), entry.ID, 1, landed(entry.Attempts[0].Hash), longLease)
	require.NoError(t, err)
	for range 2 {
		require.NoError(t, boxes[1].MarkReported(t.Context(), entry.ID))
		want := settled.Clone()
		want.Version, want.Reported, want.Holder = 3, true, ""
		requireEntry(t, want, entryOf(t, boxes[0], "a"))
	}
	require.Empty(t, claim(t, boxes[0], longLease, 0), "it is done")
	held, err := boxes[0].Renew(t.Context(), longLease, entry.ID)
	require.NoError(t, err)
	require.Empty(t, held)
}

func (c *OutboxConfig) testListEntries(t *testing.T) {
	box := c.Open(t)
	entries := recordOver(t, box, "a", "b", "c", "d")
	settle(t, box, entries[1], landed(entries[1].Attempts[0].Hash))
	settle(t, box, entries[2], replaced(common.Hash{1}))
	require.NoError(t, box.MarkReported(t.Context(), entries[2].ID))
	other := recording("z", 7)
	other.Send.ChainID, other.Send.Account = 1, common.HexToAddress("0x02")
	other.Attempt = attemptOf(other.Send.Account, 1, 7, 0)
	record(t, box, other)

	for name, c := range map[string]struct {
		query outbox.Query
		want  []string
	}{
		"all":        {outbox.Query{}, []string{"z", "d", "c", "b", "a"}},
		"two":        {outbox.Query{Limit: 2}, []string{"z", "d"}},
		"the next":   {outbox.Query{Limit: 2, Before: entries[3].ID}, []string{"c", "b"}},
		"chain":      {outbox.Query{ChainID: outboxChain}, []string{"d", "c", "b", "a"}},
		"account":    {outbox.Query{Account: other.Send.Account}, []string{"z"}},
		"open":       {outbox.Query{State: outbox.StateOpen}, []string{"z", "d", "a"}},
		"landed":     {outbox.Query{State: outbox.StateLanded}, []string{"b"}},
		"reverted":   {outbox.Query{State: outbox.StateReverted}, nil},
		"ended":      {outbox.Query{State: outbox.StateEnded}, []string{"c"}},
		"unreported": {outbox.Query{Unreported: true}, []string{"b"}},
		"all of it":  {outbox.Query{ChainID: outboxChain, Account: outboxAccount, State: outbox.StateOpen, Before: entries[3].ID, Limit: 1}, []string{"a"}},
		"no chain":   {outbox.Query{ChainID: 1<<64 - 1}, nil},
	} {
		list, err := box.List(t.Context(), c.query)
		require.NoError(t, err, name)
		require.Equal(t, c.want, keysOf(list), name)
		for _, e := range list {
			if e.ChainID == outboxChain {
				require.Equal(t, entryOf(t, box, e.Key), e)
			}
		}
	}
	for name, query := range map[string]outbox.Query{
		"limit": {Limit: 1001}, "less": {Limit: -1}, "state": {State: 9}, "open and unreported": {State: outbox.StateOpen, Unreported: true},
	} {
		_, err := box.List(t.Context(), query)
		require.ErrorIs(t, err, outbox.ErrInvalid, name)
	}
}

func (c *OutboxConfig) testSweep(t *testing.T) {
	box := c.Open(t)
	entries := recordOver(t, box, "open", "unreported", "a", "b", "c")
	for _, e := range entries[1:] {
		settle(t, box, e, expired(e))
	}
	for _, e := range entries[2:] {
		require.NoError(t, box.MarkReported(t.Context(), e.ID))
	}
	sweep := func(limit int) (n int) {
		n, err := box.Sweep(t.Context(), 0, limit)
		require.NoError(t, err)
		return n
	}
	n, err := box.Sweep(t.Context(), long, 0)
	require.NoError(t, err)
	require.Zero(t, n, "they are kept for longer")
	require.Equal(t, 2, sweep(2))
	require.Equal(t, "c", entryOf(t, box, "c").Key, "those that ended first go first")
	require.Equal(t, 1, sweep(2))
	require.Zero(t, sweep(0))
	list, err := box.List(t.Context(), outbox.Query{})
	require.NoError(t, err)
	require.Equal(t, []string{"unreported", "open"}, keysOf(list))
	_, err = box.FindHash(t.Context(), entries[2].Attempts[0].Hash)
	require.ErrorIs(t, err, outbox.ErrNotFound)
	require.Greater(t, record(t, box, recording("a", 9)).ID, entries[4].ID, "the key is free again")

	_, err = box.Sweep(t.Context(), -1, 0)
	require.ErrorIs(t, err, outbox.ErrInvalid)
	_, err = box.Sweep(t.Context(), 0, 1001)
	require.ErrorIs(t, err, outbox.ErrInvalid)
}

func (c *OutboxConfig) testListen(t *testing.T) {
	boxes := c.boxes(t)
	listener, ok := boxes[1].(outbox.Listener)
	if !ok {
		return // has to be asked
	}
	ctx, cancel := context.WithCancel(t.Context())
	due, ended := make(chan struct{}, 100), make(chan error, 1)
	go func() { ended <- listener.Listen(ctx, func() { due <- struct{}{} }) }()
	<-due // at first

	entry := record(t, boxes[0], recording("a", 7))
	require.NoError(t, boxes[0].Release(t.Context(), holder, entry.ID))
	<-due
	claimed := claim(t, boxes[1], ourLease, 0)
	require.Len(t, claimed, 1)
	settle(t, boxes[0], claimed[0], landed(entry.Attempts[0].Hash))
	<-due
	require.Len(t, claim(t, boxes[1], ourLease, 0), 1)
	cancel()
	require.ErrorIs(t, <-ended, context.Canceled)
}
