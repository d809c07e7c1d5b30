package memstore_test

import (
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/storetest"
	"github.com/go-sesame/sesame/userop/outbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	storetest.Run(t, storetest.Config{
		Open: func(*testing.T) session.Store { return memstore.New() },
	})
}

func TestOutbox(t *testing.T) {
	storetest.RunOutbox(t, storetest.OutboxConfig{
		Open: func(*testing.T) outbox.Outbox { return memstore.New().Outbox() },
	})
}

// Close lets a holder sign to its end, and nobody in after it.
func TestCloseWaitsForHolders(t *testing.T) {
	store, ref := memstore.New(), session.Ref{ChainID: 1, Account: common.Address{1}}
	key, err := store.NewKey(t.Context(), ref)
	require.NoError(t, err)
	closed := make(chan error, 1)
	nothing := func(uint64) error { return nil }
	require.NoError(t, store.Hold(t.Context(), ref, func(uint64) error {
		go func() { closed <- store.Close() }()
		for store.Hold(t.Context(), ref, nothing) == nil { // until Close has begun
			time.Sleep(time.Millisecond)
		}
		_, err := store.SignDigest(t.Context(), session.SignRequest{Ref: ref, Key: key, Digest: common.Hash{1}})
		return err
	}))
	require.NoError(t, <-closed)
	_, err = store.SignDigest(t.Context(), session.SignRequest{Ref: ref, Key: key, Digest: common.Hash{1}})
	require.ErrorIs(t, err, session.ErrClosed)
}
