package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/go-sesame/sesame/userop"
	"github.com/go-sesame/sesame/userop/outbox"
)

// OutboxConfig says how to open the outbox under test.
type OutboxConfig struct {
	// Open returns a new, empty outbox. What has to be closed, it leaves to t.Cleanup. It is tested as an
	// [outbox.Listener] too, if it is one.
	Open func(t *testing.T) outbox.Outbox
	// Reopen ends the use of an outbox that Open returned and opens its data again, as after a restart. Leave
	// it nil for one that forgets.
	Reopen func(t *testing.T, box outbox.Outbox) outbox.Outbox
	// Join opens the data of an outbox that stays in use once more, as a second process does. Leave it nil
	// for one that belongs to one process.
	Join func(t *testing.T, box outbox.Outbox) outbox.Outbox
}

// RunOutbox tests an outbox.
func RunOutbox(t *testing.T, c OutboxConfig) {
	t.Helper()
	t.Run("record", c.testRecord)
	t.Run("refused recordings", c.testRefusedRecordings)
	t.Run("taken", c.testTaken)
	t.Run("find", c.testFind)
	t.Run("attempts", c.testAttempts)
	t.Run("settle", c.testSettle)
	t.Run("refused outcomes", c.testRefusedOutcomes)
	t.Run("free", c.testFree)
	t.Run("claim", c.testClaim)
	t.Run("claim at once", c.testClaimAtOnce)
	t.Run("take", c.testTake)
	t.Run("leases", c.testOutboxLeases)
	t.Run("report", c.testReport)
	t.Run("list", c.testListEntries)
	t.Run("sweep", c.testSweep)
	t.Run("record at once", c.testRecordAtOnce)
	t.Run("one step at once", c.testStepAtOnce)
	t.Run("budgets", c.testBudgets)
	t.Run("budget of attempts", c.testBudgetOfAttempts)
	t.Run("reservation over", c.testReservationOver)
	t.Run("budget at once", c.testBudgetAtOnce)
	t.Run("budget and reopen", c.testBudgetReopen)
	t.Run("listen", c.testListen)
	t.Run("no shared memory", c.testOutboxMemory)
	t.Run("cancelled context", c.testOutboxCancelled)
	t.Run("reopen", c.testOutboxReopen)
	t.Run("model", c.testOutboxModel)
}

const (
	outboxChain = 80002
	holder      = "worker 1"
	otherHolder = "worker 2"
)

var (
	outboxAccount = common.HexToAddress("0xacc0000000000000000000000000000000000001")
	entryPoint    = common.HexToAddress("0x5ff137d4b0fdcd49dca30c7cf57e578a026d2789")

	longLease = outbox.Lease{Holder: holder, TTL: long}
	overLease = outbox.Lease{Holder: holder, TTL: short}
	ourLease  = outbox.Lease{Holder: otherHolder, TTL: long}
)

// attempt returns a signed operation of that nonce; n makes it another one.
func attempt(nonce, n uint64) outbox.Attempt { return attemptOf(outboxAccount, outboxChain, nonce, n) }

func attemptOf(account common.Address, chain, nonce, n uint64) outbox.Attempt {
	op := newOperation()
	op.Sender, op.Nonce, op.MaxFeePerGas = account, *uint256.NewInt(nonce), *uint256.NewInt(1000 + n)
	return outbox.Attempt{Operation: op, Hash: op.Hash(entryPoint, chain), Until: 1_900_000_000 + n}
}

// recording returns what records a key with an operation of that nonce.
func recording(key string, nonce uint64) outbox.Recording {
	return outbox.Recording{
		Send: outbox.Send{
			ChainID: outboxChain, Account: outboxAccount, EntryPoint: entryPoint, Key: key,
			Kind: "session", Asked: `{"calls":["<0x01> & é"]}`,
		},
		Attempt: attempt(nonce, 0),
		Lease:   longLease,
	}
}

func record(t *testing.T, box outbox.Outbox, r outbox.Recording) *outbox.Entry {
	t.Helper()
	entry, err := box.Record(t.Context(), r)
	require.NoError(t, err)
	return entry
}

// landed is the outcome of an operation that was included.
func landed(hash common.Hash) outbox.Outcome {
	return outbox.Outcome{
		State: outbox.StateLanded, Hash: hash, Transaction: common.HexToHash("0x77"), BlockHash: common.HexToHash("0x78"), BlockNumber: 79,
		Paymaster: common.HexToAddress("0x80"), Cost: *uint256.MustFromHex("0xffffffffffffffffffff"), GasUsed: *uint256.NewInt(81),
	}
}

func reverted(hash common.Hash) outbox.Outcome {
	o := landed(hash)
	o.State, o.RevertData, o.Reason = outbox.StateReverted, []byte{8, 0, 9}, "é\x00<b>"
	return o
}

func replaced(by common.Hash) outbox.Outcome {
	return outbox.Outcome{State: outbox.StateEnded, By: by, Transaction: common.HexToHash("0x90")}
}

func expired(e *outbox.Entry) outbox.Outcome {
	return outbox.Outcome{State: outbox.StateEnded, Until: e.Until(), BlockTime: e.Until() + 1}
}

func settle(t *testing.T, box outbox.Outbox, e *outbox.Entry, o outbox.Outcome) *outbox.Entry {
	t.Helper()
	settled, err := box.Settle(t.Context(), e.ID, e.Version, o, outbox.Lease{})
	require.NoError(t, err)
	return settled
}

// entryOf returns the entry of a key as the outbox has it.
func entryOf(t *testing.T, box outbox.Outbox, key string) *outbox.Entry {
	t.Helper()
	found, err := box.Find(t.Context(), outboxChain, outboxAccount, key)
	require.NoError(t, err)
	return found.Entry
}

// requireEntry compares what an entry says with what it is to say, but for the store's own times.
func requireEntry(t *testing.T, want, have *outbox.Entry) {
	t.Helper()
	require.Equal(t, untimed(want), untimed(have))
}

func untimed(e *outbox.Entry) *outbox.Entry {
	e = e.Clone()
	e.CreatedAt, e.UpdatedAt, e.EndedAt, e.LeaseUntil = time.Time{}, time.Time{}, time.Time{}, time.Time{}
	for i := range e.Attempts {
		e.Attempts[i].At = time.Time{}
	}
	return e
}

// boxes returns the outbox under test, twice where it can be joined.
func (c *OutboxConfig) boxes(t *testing.T) []outbox.Outbox {
	box := c.Open(t)
	if c.Join == nil {
		return []outbox.Outbox{box, box}
	}
	return []outbox.Outbox{box, c.Join(t, box)}
}

func (c *OutboxConfig) testRecord(t *testing.T) {
	boxes := c.boxes(t)
	r := recording("order-4711 é", 7)
	entry := record(t, boxes[0], r)
	requireEntry(t, &outbox.Entry{
		ID: entry.ID, Version: 1, Send: r.Send, Nonce: *uint256.NewInt(7), Attempts: []outbox.Attempt{r.Attempt},
		State: outbox.StateOpen, Holder: holder,
	}, entry)
	require.NotZero(t, entry.ID)
	require.False(t, entry.CreatedAt.IsZero())
	require.Equal(t, entry.CreatedAt, entry.UpdatedAt)
	require.Equal(t, entry.CreatedAt, entry.Attempts[0].At)
	require.Equal(t, entry.CreatedAt.Add(long), entry.LeaseUntil)
	require.Equal(t, entry, entryOf(t, boxes[1], r.Send.Key), "as it was returned")

	next := record(t, boxes[1], recording("order-4712", 8))
	require.Greater(t, next.ID, entry.ID)
}

func (c *OutboxConfig) testRefusedRecordings(t *testing.T) {
	box := c.Open(t)
	for name, spoil := range map[string]func(*outbox.Recording){
		"no chain":           func(r *outbox.Recording) { r.Send.ChainID = 0 },
		"a chain beyond":     func(r *outbox.Recording) { r.Send.ChainID = 1 << 63 },
		"no account":         func(r *outbox.Recording) { r.Send.Account = common.Address{} },
		"no EntryPoint":      func(r *outbox.Recording) { r.Send.EntryPoint = common.Address{} },
		"no key":             func(r *outbox.Recording) { r.Send.Key = "" },
		"a long key":         func(r *outbox.Recording) { r.Send.Key = string(make([]byte, outbox.MaxKey+1)) },
		"a key of two lines": func(r *outbox.Recording) { r.Send.Key = "a\nb" },
		"a key with a NUL":   func(r *outbox.Recording) { r.Send.Key = "a\x00b" },
		"a key not in UTF-8": func(r *outbox.Recording) { r.Send.Key = "\xff" },
		"no kind":            func(r *outbox.Recording) { r.Send.Kind = "" },
		"much asked":         func(r *outbox.Recording) { r.Send.Asked = string(make([]byte, outbox.MaxAsked+1)) },
		"asked not in UTF-8": func(r *outbox.Recording) { r.Send.Asked = "\xff" },
		"no holder":          func(r *outbox.Recording) { r.Lease.Holder = "" },
		"no time":            func(r *outbox.Recording) { r.Lease.TTL = 0 },
		"much time":          func(r *outbox.Recording) { r.Lease.TTL = outbox.MaxTTL + 1 },
		"no operation":       func(r *outbox.Recording) { r.Attempt.Operation = nil },
		"another's":          func(r *outbox.Recording) { r.Attempt = attemptOf(common.HexToAddress("0x01"), outboxChain, 7, 0) },
		"unsigned":           func(r *outbox.Recording) { r.Attempt.Operation.Signature = nil },
		"another hash":       func(r *outbox.Recording) { r.Attempt.Hash[0]++ },
		"another chain's":    func(r *outbox.Recording) { r.Attempt = attemptOf(outboxAccount, 1, 7, 0) },
		"an end beyond":      func(r *outbox.Recording) { r.Attempt.Until = 1 << 63 },
		"a large operation":  func(r *outbox.Recording) { r.Attempt.Operation.Signature = make([]byte, outbox.MaxOperation) },
	} {
		t.Run(name, func(t *testing.T) {
			r := recording("key", 7)
			spoil(&r)
			_, err := box.Record(t.Context(), r)
			require.ErrorIs(t, err, outbox.ErrInvalid)
		})
	}
	list, err := box.List(t.Context(), outbox.Query{})
	require.NoError(t, err)
	require.Empty(t, list)

	largest := recording(string(append(make([]byte, 0, outbox.MaxKey), fmt.Sprintf("%0*d", outbox.MaxKey, 1)...)), 7)
	largest.Send.Asked = fmt.Sprintf("%0*d", outbox.MaxAsked, 1)
	largest.Send.Asked = "\x00" + largest.Send.Asked[1:]
	largest.Attempt.Operation.Signature = make([]byte, outbox.MaxOperation-3)
	largest.Attempt.Until = 1<<63 - 1
	largest.Lease.TTL = outbox.MaxTTL
	entry := record(t, box, largest)
	require.Equal(t, entry, entryOf(t, box, largest.Send.Key), "what is just taken comes back")
}

func (c *OutboxConfig) testTaken(t *testing.T) {
	boxes := c.boxes(t)
	first := record(t, boxes[0], recording("a", 7))
	for name, want := range map[string]struct {
		r   outbox.Recording
		err error
	}{
		"key":            {recording("a", 8), outbox.ErrExists},
		"nonce":          {recording("b", 7), outbox.ErrNonceTaken},
		"the same again": {recording("a", 7), outbox.ErrExists},
	} {
		entry, err := boxes[1].Record(t.Context(), want.r)
		require.ErrorIs(t, err, want.err, name)
		require.Nil(t, entry)
		var taken *outbox.TakenError
		require.ErrorAs(t, err, &taken)
		require.Equal(t, first, taken.Entry, name)
	}
	elsewhere := recording("a", 7)
	elsewhere.Send.Account = common.HexToAddress("0x02")
	elsewhere.Attempt = attemptOf(elsewhere.Send.Account, outboxChain, 7, 0)
	record(t, boxes[1], elsewhere)
	elsewhere = recording("a", 7)
	elsewhere.Send.ChainID = 1
	elsewhere.Attempt = attemptOf(outboxAccount, 1, 7, 0)
	record(t, boxes[1], elsewhere)

	settle(t, boxes[0], first, expired(first))
	_, err := boxes[0].Record(t.Context(), recording("a", 8))
	require.ErrorIs(t, err, outbox.ErrExists, "the key stays")
	record(t, boxes[0], recording("b", 7)) // the nonce is free again
}

func (c *OutboxConfig) testFind(t *testing.T) {
	boxes := c.boxes(t)
	found, err := boxes[0].Find(t.Context(), outboxChain, outboxAccount, "a")
	require.ErrorIs(t, err, outbox.ErrNotFound)
	require.Equal(t, outbox.Found{}, found)
	_, err = boxes[0].FindHash(t.Context(), common.Hash{1})
	require.ErrorIs(t, err, outbox.ErrNotFound)

	high := recording("high", 0)
	high.Attempt.Operation.Nonce.Lsh(uint256.NewInt(5), 64)
	high.Attempt.Hash = high.Attempt.Operation.Hash(entryPoint, outboxChain)
	entries := []*outbox.Entry{record(t, boxes[0], recording("b", 300)), record(t, boxes[0], high), record(t, boxes[0], recording("c", 9)), record(t, boxes[0], recording("d", 11))}
	settle(t, boxes[0], entries[2], expired(entries[2]))

	nonces := []uint256.Int{*uint256.NewInt(11), *uint256.NewInt(300), entries[1].Nonce}
	found, err = boxes[1].Find(t.Context(), outboxChain, outboxAccount, "a")
	require.ErrorIs(t, err, outbox.ErrNotFound)
	require.Equal(t, outbox.Found{Nonces: nonces}, found, "the nonces come with it")
	found, err = boxes[1].Find(t.Context(), outboxChain, outboxAccount, "d")
	require.NoError(t, err)
	require.Equal(t, outbox.Found{Entry: entries[3], Nonces: nonces}, found)
	for _, e := range entries {
		found, err := boxes[1].FindHash(t.Context(), e.Attempts[0].Hash)
		require.NoError(t, err)
		require.Equal(t, e.ID, found.ID)
	}
	found, err = boxes[1].Find(t.Context(), 1, outboxAccount, "d")
	require.ErrorIs(t, err, outbox.ErrNotFound)
	require.Empty(t, found.Nonces)
}

func (c *OutboxConfig) testAttempts(t *testing.T) {
	boxes := c.boxes(t)
	entry := record(t, boxes[0], recording("a", 7))
	second, err := boxes[1].AddAttempt(t.Context(), entry.ID, 1, attempt(7, 1), ourLease)
	require.NoError(t, err)
	want := entry.Clone()
	want.Version, want.Given, want.Holder = 2, true, otherHolder
	want.Attempts = append(want.Attempts, attempt(7, 1))
	requireEntry(t, want, second)
	require.Equal(t, entry.CreatedAt, second.CreatedAt)
	require.Equal(t, second, entryOf(t, boxes[0], "a"))
	for _, a := range want.Attempts {
		found, err := boxes[0].FindHash(t.Context(), a.Hash)
		require.NoError(t, err)
		require.Equal(t, second, found)
	}
	resigned := attempt(7, 1) // the same hash, as a signature is no part of it
	resigned.Operation.Signature = []byte{1}
	other := attempt(7, 2)
	other.Hash[0]++
	for name, refused := range map[string]struct {
		id, version uint64
		attempt     outbox.Attempt
		lease       outbox.Lease
		err         error
	}{
		"an earlier version": {entry.ID, 1, attempt(7, 2), longLease, outbox.ErrConflict},
		"a later version":    {entry.ID, 3, attempt(7, 2), longLease, outbox.ErrConflict},
		"no entry":           {entry.ID + 1, 1, attempt(7, 2), longLease, outbox.ErrNotFound},
		"another nonce":      {entry.ID, 2, attempt(8, 2), longLease, outbox.ErrInvalid},
		"another hash":       {entry.ID, 2, other, longLease, outbox.ErrInvalid},
		"the same bytes":     {entry.ID, 2, attempt(7, 1), longLease, outbox.ErrInvalid},
		"no lease":           {entry.ID, 2, attempt(7, 2), outbox.Lease{}, outbox.ErrInvalid},
	} {
		_, err := boxes[0].AddAttempt(t.Context(), refused.id, refused.version, refused.attempt, refused.lease)
		require.ErrorIs(t, err, refused.err, name)
	}
	require.Equal(t, second, entryOf(t, boxes[0], "a"), "nothing changed")

	last, err := boxes[0].AddAttempt(t.Context(), entry.ID, 2, resigned, longLease)
	require.NoError(t, err)
	for n := uint64(len(last.Attempts)); n < outbox.MaxAttempts; n++ {
		last, err = boxes[0].AddAttempt(t.Context(), entry.ID, last.Version, attempt(7, n), longLease)
		require.NoError(t, err)
	}
	_, err = boxes[0].AddAttempt(t.Context(), entry.ID, last.Version, attempt(7, outbox.MaxAttempts), longLease)
	require.ErrorIs(t, err, outbox.ErrInvalid, "they are bounded")

	settle(t, boxes[0], last, landed(attempt(7, 1).Hash))
	_, err = boxes[0].AddAttempt(t.Context(), entry.ID, last.Version+1, attempt(7, 99), longLease)
	require.ErrorIs(t, err, outbox.ErrSettled)
}

func (c *OutboxConfig) testSettle(t *testing.T) {
	boxes := c.boxes(t)
	for nonce, outcome := range []func(e *outbox.Entry) outbox.Outcome{
		func(e *outbox.Entry) outbox.Outcome { return landed(e.Attempts[0].Hash) },
		func(e *outbox.Entry) outbox.Outcome { return reverted(e.Attempts[1].Hash) },
		func(e *outbox.Entry) outbox.Outcome { return replaced(common.HexToHash("0x91")) },
		expired,
	} {
		key := fmt.Sprint("key ", nonce)
		entry := record(t, boxes[0], recording(key, uint64(nonce)))
		entry, err := boxes[0].AddAttempt(t.Context(), entry.ID, 1, attempt(uint64(nonce), 1), longLease)
		require.NoError(t, err)
		o := outcome(entry)
		lease := outbox.Lease{}
		if nonce%2 == 1 {
			lease = ourLease
		}
		settled, err := boxes[1].Settle(t.Context(), entry.ID, entry.Version, o, lease)
		require.NoError(t, err)
		want := entry.Clone()
		want.Version, want.State, want.Outcome, want.Holder = 3, o.State, o, lease.Holder
		requireEntry(t, want, settled)
		require.Equal(t, settled.UpdatedAt, settled.EndedAt)
		require.Equal(t, settled, entryOf(t, boxes[0], key))

		elsewhere := o
		elsewhere.BlockNumber, elsewhere.Transaction = 1000, common.HexToHash("0x1000")
		if o.State != outbox.StateEnded {
			for _, again := range []outbox.Outcome{o, elsewhere} {
				same, err := boxes[0].Settle(t.Context(), entry.ID, 1, again, longLease)
				require.NoError(t, err)
				require.Equal(t, settled, same, "the same again changes nothing")
			}
		}
		for _, other := range []outbox.Outcome{landed(entry.Attempts[1].Hash), reverted(entry.Attempts[0].Hash), replaced(common.HexToHash("0x92"))} {
			_, err := boxes[0].Settle(t.Context(), entry.ID, settled.Version, other, longLease)
			require.ErrorIs(t, err, outbox.ErrSettled)
		}
		require.Equal(t, settled, entryOf(t, boxes[0], key), "it stays")
	}
}

func (c *OutboxConfig) testRefusedOutcomes(t *testing.T) {
	box := c.Open(t)
	entry := record(t, box, recording("a", 7))
	entry, err := box.AddAttempt(t.Context(), entry.ID, 1, attempt(7, 1), longLease)
	require.NoError(t, err)
	early := expired(entry)
	early.BlockTime = early.Until
	first := expired(entry)
	first.Until, first.BlockTime = entry.Attempts[0].Until, entry.Attempts[0].Until+1
	for name, refused := range map[string]struct {
		version uint64
		outcome outbox.Outcome
		err     error
	}{
		"none":                         {2, outbox.Outcome{}, outbox.ErrInvalid},
		"open":                         {2, outbox.Outcome{State: outbox.StateOpen}, outbox.ErrInvalid},
		"unknown":                      {2, outbox.Outcome{State: 9}, outbox.ErrInvalid},
		"another operation landed":     {2, landed(common.Hash{1}), outbox.ErrInvalid},
		"landed nowhere":               {2, outbox.Outcome{State: outbox.StateLanded, Hash: entry.Attempts[0].Hash}, outbox.ErrInvalid},
		"replaced by its own":          {2, replaced(entry.Attempts[0].Hash), outbox.ErrInvalid},
		"over before its time":         {2, early, outbox.ErrInvalid},
		"over for one of two":          {2, first, outbox.ErrInvalid},
		"ended without a fact":         {2, outbox.Outcome{State: outbox.StateEnded}, outbox.ErrInvalid},
		"ended by an earlier version":  {1, expired(entry), outbox.ErrConflict},
		"replaced, by a later version": {3, replaced(common.Hash{1}), outbox.ErrConflict},
	} {
		_, err := box.Settle(t.Context(), entry.ID, refused.version, refused.outcome, outbox.Lease{})
		require.ErrorIs(t, err, refused.err, name)
	}
	require.Equal(t, entry, entryOf(t, box, "a"))
	_, err = box.Settle(t.Context(), entry.ID+1, 1, landed(entry.Attempts[0].Hash), outbox.Lease{})
	require.ErrorIs(t, err, outbox.ErrNotFound)
	_, err = box.Settle(t.Context(), entry.ID, 1, landed(entry.Attempts[0].Hash), outbox.Lease{})
	require.NoError(t, err, "what landed did, whatever was added")

	endless := recording("b", 8)
	endless.Attempt.Until = 0
	entry = record(t, box, endless)
	_, err = box.Settle(t.Context(), entry.ID, 1, outbox.Outcome{State: outbox.StateEnded, Until: 1, BlockTime: 2}, outbox.Lease{})
	require.ErrorIs(t, err, outbox.ErrInvalid, "what has no end cannot be over")
}

func (c *OutboxConfig) testFree(t *testing.T) {
	boxes := c.boxes(t)
	entry := record(t, boxes[0], recording("a", 7))
	require.ErrorIs(t, boxes[0].Free(t.Context(), entry.ID, 2), outbox.ErrConflict)
	require.ErrorIs(t, boxes[0].Free(t.Context(), entry.ID+1, 1), outbox.ErrNotFound)
	require.NoError(t, boxes[0].Free(t.Context(), entry.ID, 1))
	require.ErrorIs(t, boxes[0].Free(t.Context(), entry.ID, 1), outbox.ErrNotFound)
	_, err := boxes[1].FindHash(t.Context(), entry.Attempts[0].Hash)
	require.ErrorIs(t, err, outbox.ErrNotFound)

	again := record(t, boxes[1], recording("a", 7))
	require.Greater(t, again.ID, entry.ID, "whoever has the one of before does not have this")
	require.ErrorIs(t, boxes[0].Free(t.Context(), entry.ID, 1), outbox.ErrNotFound)
	_, err = boxes[0].AddAttempt(t.Context(), again.ID, 1, attempt(7, 1), longLease)
	require.NoError(t, err)

	over := recording("b", 8)
	over.Lease = overLease
	taken := record(t, boxes[0], over)
	claimed, err := boxes[1].Claim(t.Context(), 0, ourLease, 0)
	require.NoError(t, err)
	require.Len(t, claimed, 1)
	settled := settle(t, boxes[0], record(t, boxes[0], recording("c", 9)), landed(attempt(9, 0).Hash))
	given := record(t, boxes[0], recording("d", 10))
	_, err = boxes[1].MarkGiven(t.Context(), given.ID, 2)
	require.ErrorIs(t, err, outbox.ErrConflict)
	_, err = boxes[1].MarkGiven(t.Context(), given.ID+1, 1)
	require.ErrorIs(t, err, outbox.ErrNotFound)
	want := given.Clone()
	want.Version, want.Given = 2, true
	for version := range uint64(2) { // again, nothing changes
		marked, err := boxes[1].MarkGiven(t.Context(), given.ID, version+1)
		require.NoError(t, err)
		requireEntry(t, want, marked)
		require.Equal(t, marked, entryOf(t, boxes[0], "d"))
	}
	for name, e := range map[string]*outbox.Entry{"of two attempts": again, "claimed": taken, "settled": settled, "given": given} {
		for version := range uint64(4) {
			require.ErrorIs(t, boxes[0].Free(t.Context(), e.ID, version), outbox.ErrGiven, name)
		}
	}
}

func (c *OutboxConfig) testRecordAtOnce(t *testing.T) {
	boxes := c.boxes(t)
	for name, of := range map[string]func(n int) outbox.Recording{
		"one key":   func(n int) outbox.Recording { return recording("key", uint64(100+n)) },
		"one nonce": func(n int) outbox.Recording { return recording(fmt.Sprint("nonce ", n), 7) },
		"both":      func(int) outbox.Recording { return recording("both", 8) },
	} {
		t.Run(name, func(t *testing.T) {
			const workers = 16
			won, lost := make(chan *outbox.Entry, workers), make(chan *outbox.Entry, workers)
			var group errgroup.Group
			for n := range workers {
				group.Go(func() error {
					entry, err := boxes[n%len(boxes)].Record(t.Context(), of(n))
					if taken := (*outbox.TakenError)(nil); asTaken(err, &taken) {
						lost <- taken.Entry
						return nil
					}
					won <- entry
					return err
				})
			}
			require.NoError(t, group.Wait())
			require.Len(t, won, 1)
			winner := <-won
			for range workers - 1 {
				require.Equal(t, winner, <-lost)
			}
		})
	}
}

// testStepAtOnce has many take the next step of one entry: one does.
func (c *OutboxConfig) testStepAtOnce(t *testing.T) {
	boxes := c.boxes(t)
	const workers = 16
	for name, step := range map[string]func(box outbox.Outbox, e *outbox.Entry, n int) error{
		"add an attempt": func(box outbox.Outbox, e *outbox.Entry, n int) error {
			_, err := box.AddAttempt(t.Context(), e.ID, e.Version, attempt(e.Nonce.Uint64(), uint64(n+1)), longLease)
			return err
		},
		"free or claim": func(box outbox.Outbox, e *outbox.Entry, n int) error {
			if n%2 == 0 {
				return box.Free(t.Context(), e.ID, e.Version)
			}
			_, err := box.Take(t.Context(), e.ID, e.Version, outbox.Lease{Holder: fmt.Sprint(n), TTL: long})
			return err
		},
		"free or give": func(box outbox.Outbox, e *outbox.Entry, n int) error {
			if n%2 == 0 {
				return box.Free(t.Context(), e.ID, e.Version)
			}
			_, err := box.MarkGiven(t.Context(), e.ID, e.Version)
			return err
		},
		"end": func(box outbox.Outbox, e *outbox.Entry, n int) error {
			_, err := box.Settle(t.Context(), e.ID, e.Version, replaced(common.BigToHash(bigInt(n+1))), outbox.Lease{})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := recording(name, uint64(len(name)))
			r.Lease = overLease
			entry := record(t, boxes[0], r)
			done := make(chan int, workers)
			var group errgroup.Group
			for n := range workers {
				group.Go(func() error {
					err := step(boxes[n%len(boxes)], entry, n)
					if err == nil {
						done <- n
					}
					if isOneOf(err, outbox.ErrConflict, outbox.ErrSettled, outbox.ErrNotFound, outbox.ErrGiven, outbox.ErrLeased) {
						return nil
					}
					return err
				})
			}
			require.NoError(t, group.Wait())
			require.Len(t, done, 1)
		})
	}
}

func (c *OutboxConfig) testOutboxMemory(t *testing.T) {
	box := c.Open(t)
	r := recording("a", 7)
	entry := record(t, box, r)
	want := entry.Clone()
	r.Attempt.Operation.CallData[0]++
	entry.Attempts[0].Operation.CallData[0]++
	next := attempt(7, 1)
	second, err := box.AddAttempt(t.Context(), entry.ID, 1, next, longLease)
	require.NoError(t, err)
	next.Operation.CallData[0]++
	second.Attempts[1].Operation.CallData[0]++
	second.Attempts[0].Operation.Signature[0]++
	want.Version, want.Given, want.Attempts = 2, true, append(want.Attempts, attempt(7, 1))
	requireEntry(t, want, entryOf(t, box, "a"))
	outcome := reverted(want.Attempts[0].Hash)
	settled, err := box.Settle(t.Context(), entry.ID, 2, outcome, outbox.Lease{})
	require.NoError(t, err)
	outcome.RevertData[0]++
	settled.Outcome.RevertData[0]--
	require.Equal(t, reverted(want.Attempts[0].Hash), entryOf(t, box, "a").Outcome)
}

func (c *OutboxConfig) testOutboxCancelled(t *testing.T) {
	box := c.Open(t)
	entry := record(t, box, recording("a", 7))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, err := range outboxErrors(ctx, box, entry) {
		require.ErrorIs(t, err, context.Canceled, name)
	}
	require.Equal(t, entry, entryOf(t, box, "a"))
}

// outboxErrors returns what every method says of an entry at its first version.
func outboxErrors(ctx context.Context, box outbox.Outbox, e *outbox.Entry) map[string]error {
	errs := make(map[string]error)
	_, errs["Record"] = box.Record(ctx, recording("other", 1000))
	_, errs["Find"] = box.Find(ctx, e.ChainID, e.Account, e.Key)
	_, errs["FindHash"] = box.FindHash(ctx, e.Attempts[0].Hash)
	_, errs["AddAttempt"] = box.AddAttempt(ctx, e.ID, 1, attempt(e.Nonce.Uint64(), 1), longLease)
	_, errs["Settle"] = box.Settle(ctx, e.ID, 1, landed(e.Attempts[0].Hash), outbox.Lease{})
	_, errs["MarkGiven"] = box.MarkGiven(ctx, e.ID, 1)
	errs["Free"] = box.Free(ctx, e.ID, 1)
	_, errs["Claim"] = box.Claim(ctx, 0, longLease, 0)
	_, errs["Take"] = box.Take(ctx, e.ID, 1, longLease)
	_, errs["Renew"] = box.Renew(ctx, longLease, e.ID)
	errs["Release"] = box.Release(ctx, holder, e.ID)
	errs["MarkReported"] = box.MarkReported(ctx, e.ID)
	_, errs["List"] = box.List(ctx, outbox.Query{})
	_, errs["Sweep"] = box.Sweep(ctx, 0, 0)
	return errs
}

func (c *OutboxConfig) testOutboxReopen(t *testing.T) {
	if c.Reopen == nil {
		return // forgets, by design
	}
	box := c.Open(t)
	open := record(t, box, recording("a", 7))
	settled := settle(t, box, record(t, box, recording("b", 8)), reverted(attempt(8, 0).Hash))
	last := record(t, box, recording("c", 9))
	require.NoError(t, box.Free(t.Context(), last.ID, 1))

	box = c.Reopen(t, box)
	require.Equal(t, open, entryOf(t, box, "a"))
	require.Equal(t, settled, entryOf(t, box, "b"))
	next := record(t, box, recording("c", 9))
	require.Greater(t, next.ID, last.ID, "a number is given once")
	var none *userop.Receipt
	require.Equal(t, none, open.Receipt())
	require.True(t, settled.Receipt().Confirmed)
}
