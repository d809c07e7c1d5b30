package storetest

import (
	"context"
	"io"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/storekit"
	"github.com/go-sesame/sesame/userop/outbox"
)

// recordingRef is the account that recordings of the tests are of.
var recordingRef = session.Ref{ChainID: outboxChain, Account: outboxAccount}

// testRecorder changes sessions together with recording a send: both or neither.
func (c *Config) testRecorder(t *testing.T) {
	if _, ok := c.Open(t).(storekit.Recorder); !ok {
		return // has no outbox
	}
	t.Run("both or neither", c.testApplyRecording)
	t.Run("at once", c.testApplyRecordingAtOnce)
	t.Run("closed outbox", c.testClosedOutbox)
}

func (c *Config) recorders(t *testing.T) (recorders []storekit.Recorder) {
	for _, store := range c.stores(t) {
		recorders = append(recorders, store.(storekit.Recorder))
	}
	return recorders
}

func (c *Config) testApplyRecording(t *testing.T) {
	stores := c.recorders(t)
	require.Same(t, stores[0].Outbox(), stores[0].Outbox())
	change := &session.Change{Header: session.Header{Root: common.HexToHash("0x02")}, Put: newLeaves(0, 2)}
	version, entry, err := stores[0].ApplyRecording(t.Context(), recordingRef, 0, change, recording("a", 7))
	require.NoError(t, err)
	require.Equal(t, entry, entryOf(t, stores[1].Outbox(), "a"))
	requireEntry(t, &outbox.Entry{
		ID: entry.ID, Version: 1, Send: recording("a", 7).Send, Nonce: entry.Nonce, Attempts: []outbox.Attempt{attempt(7, 0)},
		State: outbox.StateOpen, Holder: holder,
	}, entry)
	before := load(t, stores[1], recordingRef, version)
	requireSame(t, &session.State{Header: change.Header, Leaves: change.Put}, before)

	next := &session.Change{Header: session.Header{Root: common.HexToHash("0x03")}, Put: newLeaves(2, 3)}
	others := recording("b", 8)
	others.Send.ChainID++
	unsigned := recording("b", 8)
	unsigned.Attempt.Operation.Signature = nil
	for name, refused := range map[string]struct {
		ref       session.Ref
		version   uint64
		change    *session.Change
		recording outbox.Recording
		err       error
	}{
		"another version":        {recordingRef, version + 1, next, recording("b", 8), session.ErrConflict},
		"nothing to delete":      {recordingRef, version, &session.Change{Delete: []string{"nobody"}}, recording("b", 8), session.ErrNoLeaf},
		"the key is taken":       {recordingRef, version, next, recording("a", 8), outbox.ErrExists},
		"the nonce is taken":     {recordingRef, version, next, recording("b", 7), outbox.ErrNonceTaken},
		"another account's send": {recordingRef, version, next, others, outbox.ErrInvalid},
		"not signed":             {recordingRef, version, next, unsigned, outbox.ErrInvalid},
	} {
		_, none, err := stores[1].ApplyRecording(t.Context(), refused.ref, refused.version, refused.change, refused.recording)
		require.ErrorIs(t, err, refused.err, name)
		require.Nil(t, none, name)
		if taken := (*outbox.TakenError)(nil); asTaken(err, &taken) {
			require.Equal(t, entry, taken.Entry, name)
		}
		require.Equal(t, before, load(t, stores[0], recordingRef, version), name)
		_, err = stores[0].Outbox().Find(t.Context(), outboxChain, outboxAccount, "b")
		require.ErrorIs(t, err, outbox.ErrNotFound, name)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err = stores[0].ApplyRecording(ctx, recordingRef, version, next, recording("b", 8))
	require.ErrorIs(t, err, context.Canceled)
	_, _, err = stores[1].ApplyRecording(t.Context(), recordingRef, version, next, recording("b", 8))
	require.NoError(t, err)
}

// testApplyRecordingAtOnce has many change the same version under the same key, or under keys of their own.
func (c *Config) testApplyRecordingAtOnce(t *testing.T) {
	const workers = 12
	stores := c.recorders(t)
	won := make(chan uint64, workers)
	var group errgroup.Group
	for n := range workers {
		group.Go(func() error {
			r := recording([]string{"a", "b"}[n%2], uint64(n))
			change := &session.Change{Put: newLeaves(n, n+1)}
			version, _, err := stores[n%len(stores)].ApplyRecording(t.Context(), recordingRef, 0, change, r)
			if err == nil {
				won <- version
			}
			if isOneOf(err, session.ErrConflict, outbox.ErrExists) {
				return nil
			}
			return err
		})
	}
	require.NoError(t, group.Wait())
	require.Len(t, won, 1)
	list, err := stores[0].Outbox().List(t.Context(), outbox.Query{})
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Len(t, load(t, stores[0], recordingRef, <-won).Leaves, 1)
}

func (c *Config) testClosedOutbox(t *testing.T) {
	store := c.recorders(t)[0]
	box := store.Outbox()
	entry := record(t, box, recording("a", 7))
	require.NoError(t, store.(io.Closer).Close())
	for name, err := range outboxErrors(t.Context(), box, entry) {
		require.ErrorIs(t, err, session.ErrClosed, name)
	}
	_, _, err := store.ApplyRecording(t.Context(), recordingRef, 0, &session.Change{}, recording("b", 8))
	require.ErrorIs(t, err, session.ErrClosed)
}
