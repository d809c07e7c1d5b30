package storetest

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/userop/outbox"
)

// testOutboxModel takes random steps with the outbox and with a [outbox.Memory], and compares what they say
// and have.
func (c *OutboxConfig) testOutboxModel(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			boxes := c.boxes(t)
			m := &outboxModel{random: rand.New(rand.NewPCG(seed, 7)), model: outbox.NewMemory(), ids: make(map[uint64]uint64)}
			for n := range 150 {
				m.box = boxes[n%len(boxes)]
				m.step(t)
			}
		})
	}
}

type outboxModel struct {
	random *rand.Rand
	box    outbox.Outbox
	model  outbox.Outbox
	ids    map[uint64]uint64 // of the model's entries in the outbox, whose numbers may have gaps
	last   uint64            // of the model's
}

// step does the same to both. A lease is either over at once or outlasts the test.
func (m *outboxModel) step(t *testing.T) {
	t.Helper()
	step := m.choose(t)
	want, wantErr := step(m.model, func(id uint64) uint64 { return id })
	time.Sleep(2 * time.Microsecond) // the unit of the stores' times
	have, haveErr := step(m.box, func(id uint64) uint64 { return m.ids[id] })
	for _, kind := range []error{outbox.ErrInvalid, outbox.ErrNotFound, outbox.ErrExists, outbox.ErrNonceTaken, outbox.ErrConflict, outbox.ErrSettled, outbox.ErrLeased, outbox.ErrGiven} {
		if errorsIs(wantErr, kind) {
			require.ErrorIs(t, haveErr, kind)
		}
	}
	if wantErr == nil {
		require.NoError(t, haveErr)
	}
	m.require(t, want, have)
	all, err := m.model.List(t.Context(), outbox.Query{Limit: 1000})
	require.NoError(t, err)
	list, err := m.box.List(t.Context(), outbox.Query{Limit: 1000})
	require.NoError(t, err)
	m.require(t, all, list)
}

func (m *outboxModel) require(t *testing.T, want, have []*outbox.Entry) {
	t.Helper()
	require.Equal(t, keysOf(want), keysOf(have))
	for i := range want {
		if _, known := m.ids[want[i].ID]; !known && want[i] != nil {
			m.ids[want[i].ID], m.last = have[i].ID, want[i].ID
		}
		expected := want[i].Clone()
		expected.ID = m.ids[expected.ID]
		requireEntry(t, expected, have[i])
		require.Equal(t, want[i].LeaseUntil.IsZero(), have[i].LeaseUntil.IsZero())
	}
}

type outboxStep func(box outbox.Outbox, id func(uint64) uint64) ([]*outbox.Entry, error)

// one is a list of what a step returns, with which a failure comes alone.
func one(e *outbox.Entry, err error) ([]*outbox.Entry, error) {
	if e == nil {
		return nil, err
	}
	return []*outbox.Entry{e}, err
}

// choose returns a step that often can be taken.
func (m *outboxModel) choose(t *testing.T) outboxStep {
	t.Helper()
	ctx := t.Context()
	lease := outbox.Lease{Holder: []string{holder, otherHolder}[m.random.IntN(2)], TTL: []time.Duration{short, long}[m.random.IntN(2)]}
	if m.random.IntN(30) == 0 {
		lease.TTL = 0
	}
	known := &outbox.Entry{ID: m.last + 1000, Version: 1, Attempts: []outbox.Attempt{attempt(1, 1)}}
	if all, err := m.model.List(ctx, outbox.Query{}); err == nil && len(all) > 0 && m.random.IntN(20) > 0 {
		known = all[m.random.IntN(min(len(all), 6))]
	}
	version := known.Version
	if m.random.IntN(8) == 0 {
		version += uint64(m.random.IntN(3)) - 1
	}
	switch m.random.IntN(12) {
	case 0, 1, 2:
		r := recording(fmt.Sprint("key ", m.random.IntN(15)), uint64(m.random.IntN(12)))
		r.Lease = lease
		return func(box outbox.Outbox, _ func(uint64) uint64) ([]*outbox.Entry, error) {
			e, err := box.Record(ctx, r)
			if taken := (*outbox.TakenError)(nil); asTaken(err, &taken) {
				e = taken.Entry
			}
			return one(e, err)
		}
	case 3, 4:
		next := attempt(known.Attempts[0].Operation.Nonce.Uint64(), uint64(m.random.IntN(20)))
		return func(box outbox.Outbox, id func(uint64) uint64) ([]*outbox.Entry, error) {
			return one(box.AddAttempt(ctx, id(known.ID), version, next, lease))
		}
	case 5, 6:
		outcome, hash := m.outcome(known), lease
		if m.random.IntN(2) == 0 {
			hash = outbox.Lease{}
		}
		return func(box outbox.Outbox, id func(uint64) uint64) ([]*outbox.Entry, error) {
			return one(box.Settle(ctx, id(known.ID), version, outcome, hash))
		}
	case 7:
		if m.random.IntN(3) == 0 {
			return func(box outbox.Outbox, id func(uint64) uint64) ([]*outbox.Entry, error) {
				return one(box.MarkGiven(ctx, id(known.ID), version))
			}
		}
		return func(box outbox.Outbox, id func(uint64) uint64) ([]*outbox.Entry, error) {
			return nil, box.Free(ctx, id(known.ID), version)
		}
	case 8:
		limit := m.random.IntN(4)
		return func(box outbox.Outbox, _ func(uint64) uint64) ([]*outbox.Entry, error) {
			return box.Claim(ctx, 0, lease, limit)
		}
	case 9:
		if m.random.IntN(2) == 0 {
			return func(box outbox.Outbox, id func(uint64) uint64) ([]*outbox.Entry, error) {
				return one(box.Take(ctx, id(known.ID), version, lease))
			}
		}
		return func(box outbox.Outbox, id func(uint64) uint64) ([]*outbox.Entry, error) {
			return nil, box.MarkReported(ctx, id(known.ID))
		}
	case 10:
		return m.lease(t, lease)
	}
	sweep := m.random.IntN(3)
	key := fmt.Sprint("key ", m.random.IntN(15))
	return func(box outbox.Outbox, _ func(uint64) uint64) ([]*outbox.Entry, error) {
		if sweep == 0 {
			n, err := box.Sweep(ctx, 0, 2)
			return make([]*outbox.Entry, 0, n), err
		}
		found, err := box.Find(ctx, outboxChain, outboxAccount, key)
		return one(found.Entry, err)
	}
}

func (m *outboxModel) outcome(e *outbox.Entry) outbox.Outcome {
	hash := e.Attempts[m.random.IntN(len(e.Attempts))].Hash
	switch m.random.IntN(6) {
	case 0:
		return reverted(hash)
	case 1:
		return replaced(common.HexToHash("0x99"))
	case 2:
		return expired(e)
	case 3:
		return replaced(hash)
	}
	return landed(hash)
}

// lease returns a step that renews or releases, and reports who has what then.
func (m *outboxModel) lease(t *testing.T, lease outbox.Lease) outboxStep {
	ctx, release := t.Context(), m.random.IntN(2) == 0
	all, err := m.model.List(ctx, outbox.Query{})
	require.NoError(t, err)
	return func(box outbox.Outbox, id func(uint64) uint64) ([]*outbox.Entry, error) {
		var ids, wanted []uint64
		for _, e := range all {
			ids = append(ids, id(e.ID))
			if e.Holder == lease.Holder && (e.State == outbox.StateOpen || !e.Reported) {
				wanted = append(wanted, id(e.ID))
			}
		}
		if release {
			return nil, box.Release(ctx, lease.Holder, ids...)
		}
		held, err := box.Renew(ctx, lease, ids...)
		if err == nil {
			require.ElementsMatch(t, wanted, held)
		}
		return nil, err
	}
}
