package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/go-sesame/sesame/userop/outbox"
)

var (
	budgetKey = common.HexToAddress("0x4e70000000000000000000000000000000000001")
	gasOfKey  = outbox.Counter{Key: budgetKey, Unit: outbox.Gas}
	opsOfAll  = outbox.Counter{Unit: outbox.Operations}
	tokensOf  = outbox.Counter{Unit: outbox.TokenUnit(common.HexToAddress("0x20"))}
)

func charge(c outbox.Counter, amount, limit uint64) outbox.Charge {
	return outbox.Charge{Counter: c, Amount: *uint256.NewInt(amount), Limit: *uint256.NewInt(limit)}
}

// counts is what the counters of an account say, as "spent open total".
func counts(t *testing.T, b outbox.Budgeter) map[outbox.Counter]string {
	t.Helper()
	list, err := b.Usage(t.Context(), outboxChain, outboxAccount)
	require.NoError(t, err)
	have := make(map[outbox.Counter]string)
	for _, u := range list {
		require.Equal(t, outbox.Day(u.Day), u.Day)
		have[u.Counter] = fmt.Sprint(u.Spent.Dec(), " ", u.Open.Dec(), " ", u.Total.Dec())
	}
	return have
}

func reserve(t *testing.T, b outbox.Budgeter, entry uint64, charges ...outbox.Charge) uint64 {
	t.Helper()
	id, err := b.Reserve(t.Context(), outboxChain, outboxAccount, entry, charges, long)
	require.NoError(t, err)
	return id
}

func (c *OutboxConfig) budgeters(t *testing.T) (boxes []outbox.Outbox, budgeters []outbox.Budgeter) {
	for _, box := range c.boxes(t) {
		b, ok := box.(outbox.Budgeter)
		require.True(t, ok, "an outbox counts what sends cost")
		boxes, budgeters = append(boxes, box), append(budgeters, b)
	}
	return boxes, budgeters
}

// testBudgets takes reservations through every end that they can have.
func (c *OutboxConfig) testBudgets(t *testing.T) {
	boxes, b := c.budgeters(t)
	send := func(n uint64, charges ...outbox.Charge) *outbox.Entry {
		t.Helper()
		r := recording(fmt.Sprint("budget ", n), n)
		r.Attempt.Reserved = reserve(t, b[n%2], 0, charges...)
		return record(t, boxes[(n+1)%2], r)
	}
	all := []outbox.Charge{charge(gasOfKey, 30, 100), charge(opsOfAll, 1, 3), charge(tokensOf, 40, 1000)}
	first := send(1, all...)
	require.Equal(t, map[outbox.Counter]string{gasOfKey: "0 30 0", opsOfAll: "0 1 0", tokensOf: "0 40 0"}, counts(t, b[1]))
	require.Zero(t, first.Attempts[0].Reserved)

	// What is over a limit reserves nothing.
	_, err := b[1].Reserve(t.Context(), outboxChain, outboxAccount, 0, []outbox.Charge{charge(tokensOf, 1, 1000), charge(gasOfKey, 71, 100)}, long)
	var over *outbox.OverBudgetError
	require.ErrorAs(t, err, &over)
	require.ErrorIs(t, err, outbox.ErrOverBudget)
	left := over.Usage.Left(&over.Charge.Limit)
	require.Equal(t, uint64(70), left.Uint64())
	require.True(t, over.FreesUp().IsZero(), "what is under way is in the way")
	require.ErrorContains(t, err, "over budget: wei of gas of the key "+budgetKey.Hex()+" of account "+outboxAccount.Hex()+" on chain 80002, 100 a day: the send may take 71, and 70 is left; it frees up once sends that are under way have ended, which hold 30")

	// The true cost takes the place of the reservation.
	outcome := landed(first.Attempts[0].Hash)
	outcome.Cost = *uint256.NewInt(12)
	settle(t, boxes[0], first, outcome)
	settle(t, boxes[1], first, outcome) // the same again
	require.Equal(t, map[outbox.Counter]string{gasOfKey: "12 0 12", opsOfAll: "1 0 1", tokensOf: "40 0 40"}, counts(t, b[0]))

	// What reverted moved nothing, and cost its gas.
	second := send(2, all...)
	outcome = reverted(second.Attempts[0].Hash)
	outcome.Cost = *uint256.NewInt(20)
	settle(t, boxes[0], second, outcome)
	require.Equal(t, map[outbox.Counter]string{gasOfKey: "32 0 32", opsOfAll: "2 0 2", tokensOf: "40 0 40"}, counts(t, b[0]))

	// What ended without landing is given back, and so is what was freed, and what was never recorded.
	settle(t, boxes[0], send(3, all...), replaced(common.HexToHash("0x91")))
	freed := send(4, all...)
	require.NoError(t, boxes[1].Free(t.Context(), freed.ID, freed.Version))
	loose := reserve(t, b[0], 0, all...)
	_, err = b[0].Reserve(t.Context(), outboxChain, outboxAccount, 0, all, long)
	require.ErrorAs(t, err, &over)
	require.Equal(t, opsOfAll, over.Charge.Counter)
	for range 2 {
		require.NoError(t, b[1].Return(t.Context(), outboxChain, outboxAccount, loose))
	}
	require.Equal(t, map[outbox.Counter]string{gasOfKey: "32 0 32", opsOfAll: "2 0 2", tokensOf: "40 0 40"}, counts(t, b[0]))

	// A reservation that is gone records nothing.
	r := recording("budget 5", 5)
	r.Attempt.Reserved = loose
	_, err = boxes[0].Record(t.Context(), r)
	require.ErrorIs(t, err, outbox.ErrReservation)
	require.Nil(t, entryIn(t, boxes[0], "budget 5"))

	// Tomorrow frees up what was spent today, unless it is more than a day's.
	_, err = b[0].Reserve(t.Context(), outboxChain, outboxAccount, 0, []outbox.Charge{charge(gasOfKey, 69, 100)}, long)
	require.ErrorAs(t, err, &over)
	require.Equal(t, over.Usage.Day.Add(24*time.Hour), over.FreesUp())
	require.ErrorContains(t, err, "68 is left; it frees up at "+over.FreesUp().Format(time.RFC3339))
	_, err = b[0].Reserve(t.Context(), outboxChain, outboxAccount, 0, []outbox.Charge{charge(gasOfKey, 101, 100)}, long)
	require.ErrorContains(t, err, "it frees up never")

	for name, charges := range map[string][]outbox.Charge{
		"none":    {},
		"no unit": {charge(outbox.Counter{}, 1, 1)},
		"twice":   {charge(gasOfKey, 1, 1), charge(gasOfKey, 2, 2)},
	} {
		_, err := b[0].Reserve(t.Context(), outboxChain, outboxAccount, 0, charges, long)
		require.ErrorIs(t, err, outbox.ErrInvalid, name)
	}
	wide := outbox.Charge{Counter: outbox.Counter{Unit: outbox.Value}, Amount: *new(uint256.Int).SetAllOne(), Limit: *new(uint256.Int).SetAllOne()}
	reserve(t, b[0], 0, wide)
	require.Equal(t, "0 "+wide.Amount.Dec()+" 0", counts(t, b[1])[wide.Counter])
}

// entryIn returns the entry of a key, nil for none.
func entryIn(t *testing.T, box outbox.Outbox, key string) *outbox.Entry {
	t.Helper()
	found, err := box.Find(t.Context(), outboxChain, outboxAccount, key)
	if !errors.Is(err, outbox.ErrNotFound) {
		require.NoError(t, err)
	}
	return found.Entry
}

// testBudgetOfAttempts reserves for further operations of an entry only what they may cost more.
func (c *OutboxConfig) testBudgetOfAttempts(t *testing.T) {
	boxes, b := c.budgeters(t)
	r := recording("a", 7)
	r.Attempt.Reserved = reserve(t, b[0], 0, charge(gasOfKey, 50, 100), charge(opsOfAll, 1, 1))
	entry := record(t, boxes[0], r)
	next := attempt(7, 1)
	next.Reserved = reserve(t, b[1], entry.ID, charge(gasOfKey, 90, 100), charge(opsOfAll, 1, 1))
	require.Equal(t, map[outbox.Counter]string{gasOfKey: "0 90 0", opsOfAll: "0 1 0"}, counts(t, b[0]))
	_, err := boxes[0].AddAttempt(t.Context(), entry.ID, 7, next, longLease)
	require.ErrorIs(t, err, outbox.ErrConflict)
	entry, err = boxes[0].AddAttempt(t.Context(), entry.ID, 1, next, longLease)
	require.NoError(t, err)
	lost := attempt(7, 2)
	lost.Reserved = next.Reserved
	_, err = boxes[0].AddAttempt(t.Context(), entry.ID, 2, lost, longLease)
	require.ErrorIs(t, err, outbox.ErrReservation)
	lower := attempt(7, 2)
	lower.Reserved = reserve(t, b[1], entry.ID, charge(gasOfKey, 60, 100), charge(opsOfAll, 1, 1))
	entry, err = boxes[0].AddAttempt(t.Context(), entry.ID, 2, lower, longLease)
	require.NoError(t, err)
	_, err = b[0].Reserve(t.Context(), outboxChain, outboxAccount, entry.ID, []outbox.Charge{charge(gasOfKey, 101, 100)}, long)
	require.ErrorIs(t, err, outbox.ErrOverBudget)
	require.Equal(t, map[outbox.Counter]string{gasOfKey: "0 90 0", opsOfAll: "0 1 0"}, counts(t, b[0]))
	outcome := landed(next.Hash)
	outcome.Cost = *uint256.NewInt(77)
	settle(t, boxes[1], entry, outcome)
	require.Equal(t, map[outbox.Counter]string{gasOfKey: "77 0 77", opsOfAll: "1 0 1"}, counts(t, b[0]))
}

// testReservationOver has one become no entry's in its time, as where its process ended.
func (c *OutboxConfig) testReservationOver(t *testing.T) {
	boxes, b := c.budgeters(t)
	lost, err := b[0].Reserve(t.Context(), outboxChain, outboxAccount, 0, []outbox.Charge{charge(opsOfAll, 1, 1)}, short)
	require.NoError(t, err)
	var fresh uint64
	require.Eventually(t, func() bool {
		fresh, err = b[1].Reserve(t.Context(), outboxChain, outboxAccount, 0, []outbox.Charge{charge(opsOfAll, 1, 1)}, long)
		return err == nil
	}, 10*time.Second, time.Millisecond)
	require.Equal(t, map[outbox.Counter]string{opsOfAll: "0 1 0"}, counts(t, b[0]))
	r := recording("late", 7)
	r.Attempt.Reserved = lost
	_, err = boxes[0].Record(t.Context(), r)
	require.ErrorIs(t, err, outbox.ErrReservation)
	r.Attempt.Reserved = fresh
	record(t, boxes[0], r)
}

// testBudgetAtOnce has many send at once, with every end: no limit is ever passed, and in the end nothing is
// reserved and the counters are what landed.
func (c *OutboxConfig) testBudgetAtOnce(t *testing.T) {
	boxes, b := c.budgeters(t)
	const workers, sends, limit = 8, 12, 40
	spent := make([]uint64, workers)
	var group errgroup.Group
	for w := range workers {
		group.Go(func() error {
			random := rand.New(rand.NewPCG(uint64(w), 15))
			for n := range sends {
				cost, err := budgetSend(t.Context(), boxes[w%2], b[w%2], random, uint64(w*sends+n), limit)
				if err != nil {
					return err
				}
				spent[w] += cost
			}
			return nil
		})
	}
	require.NoError(t, group.Wait())
	var total uint64
	for _, s := range spent {
		total += s
	}
	require.Equal(t, fmt.Sprint(total, " 0 ", total), counts(t, b[0])[gasOfKey])
	require.LessOrEqual(t, total, uint64(limit))
}

// budgetSend makes one send with a random end, and returns what it cost.
func budgetSend(ctx context.Context, box outbox.Outbox, b outbox.Budgeter, random *rand.Rand, nonce, limit uint64) (uint64, error) {
	worst := 1 + random.Uint64N(8)
	reserved, err := b.Reserve(ctx, outboxChain, outboxAccount, 0, []outbox.Charge{charge(gasOfKey, worst, limit)}, long)
	if errors.Is(err, outbox.ErrOverBudget) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	if random.IntN(6) == 0 {
		return 0, b.Return(ctx, outboxChain, outboxAccount, reserved)
	}
	r := recording(fmt.Sprint("at once ", nonce), nonce)
	r.Attempt.Reserved = reserved
	entry, err := box.Record(ctx, r)
	if err != nil {
		return 0, err
	}
	if list, err := b.Usage(ctx, outboxChain, outboxAccount); err != nil {
		return 0, err
	} else if used := new(uint256.Int).Add(&list[0].Spent, &list[0].Open); used.Uint64() > limit {
		return 0, fmt.Errorf("%s are used of %d", used.Dec(), limit)
	}
	switch random.IntN(4) {
	case 0:
		return 0, box.Free(ctx, entry.ID, entry.Version)
	case 1:
		_, err = box.Settle(ctx, entry.ID, entry.Version, expired(entry), outbox.Lease{})
		return 0, err
	}
	cost := random.Uint64N(worst + 1)
	outcome := landed(entry.Attempts[0].Hash)
	if random.IntN(2) == 0 {
		outcome = reverted(entry.Attempts[0].Hash)
	}
	outcome.Cost = *uint256.NewInt(cost)
	_, err = box.Settle(ctx, entry.ID, entry.Version, outcome, outbox.Lease{})
	return cost, err
}

// testBudgetReopen has what is counted be there after a restart.
func (c *OutboxConfig) testBudgetReopen(t *testing.T) {
	if c.Reopen == nil {
		return // it forgets
	}
	box := c.Open(t)
	r := recording("a", 7)
	r.Attempt.Reserved = reserve(t, box.(outbox.Budgeter), 0, charge(gasOfKey, 50, 100))
	entry := record(t, box, r)
	loose := reserve(t, box.(outbox.Budgeter), 0, charge(gasOfKey, 20, 100))
	box = c.Reopen(t, box)
	b := box.(outbox.Budgeter)
	require.Equal(t, "0 70 0", counts(t, b)[gasOfKey])
	require.NoError(t, b.Return(t.Context(), outboxChain, outboxAccount, loose))
	settle(t, box, entry, expired(entry))
	require.Equal(t, "0 0 0", counts(t, b)[gasOfKey])
}
