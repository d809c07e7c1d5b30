package account_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/userop/outbox"
)

// downStore is a store whose outbox is down, and counts how often it is asked for what is due.
type downStore struct {
	*memstore.Store
	box *downBox
}

func (s downStore) Outbox() outbox.Outbox { return s.box }

type downBox struct {
	outbox.Outbox
	claims atomic.Int64
}

func (b *downBox) Claim(context.Context, uint64, outbox.Lease, int) ([]*outbox.Entry, error) {
	b.claims.Add(1)
	return nil, errors.New("the database is down")
}

func (b *downBox) Sweep(context.Context, time.Duration, int) (int, error) {
	return 0, errors.New("the database is down")
}

// Run outlasts an outbox that is down, and asks it less often the longer that lasts.
func TestRunLeavesADeadOutboxAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, box := newLaneWorld(), &downBox{Outbox: outbox.NewMemory()}
		client, err := account.NewClient(account.Config{ChainID: 80002, Chain: w, Bundler: w, Outbox: downStore{memstore.New(), box}})
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		require.ErrorIs(t, client.Run(ctx), context.DeadlineExceeded)
		require.Greater(t, box.claims.Load(), int64(20), "every half minute at least")
		require.Less(t, box.claims.Load(), int64(30), "and not every few seconds")
	})
}
