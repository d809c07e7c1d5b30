package account_test

import (
	"context"
	"sync"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
	"github.com/go-sesame/sesame/userop/outbox"
)

// The one that recorded a send reaches no service; another process found it meanwhile, and gave it to one.
func TestOnceFreesNothingThatAnotherGaveAway(t *testing.T) {
	w, _ := onceWorld(t, nil)
	sess := w.grant(t, []policy.Policy{w.nftPolicy()})
	other := w.client.Account(w.owner.Address())
	closed := bundler.New("http://127.0.0.1:1/")
	t.Cleanup(closed.Close)
	first, door := *w, &gate{Bundler: w.config.Bundler}
	first.config.Bundler = door
	first.restart(t)
	w.bundler.Pause()

	calls := []account.Call{w.mint(t, w.owner.Address())}
	opts := []account.Option{account.WithLeafOf(sess), account.Sponsored(), account.Once("order")}
	found := make(chan error, 1)
	var meanwhile sync.Once
	door.set(func(ctx context.Context, op *userop.Operation, _ func() (common.Hash, error)) (common.Hash, error) {
		meanwhile.Do(func() {
			_, err := other.Send(t.Context(), calls, opts...)
			found <- err
		})
		return closed.SendUserOperation(ctx, op, w.client.Contracts().EntryPoint)
	})
	_, err := first.user.Send(t.Context(), calls, opts...)
	require.NoError(t, <-found)
	require.Error(t, err)
	require.True(t, userop.MayBeAccepted(err), "%v", err)
	require.NotContains(t, err.Error(), "is free again")
	require.NotNil(t, w.entry(t, "order"))

	w.bundler.Resume()
	door.set(nil)
	tx, err := first.user.Send(t.Context(), calls, opts...)
	require.NoError(t, err)
	_, err = tx.Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, uint64(1), w.nfts(t))
	require.Equal(t, outbox.StateLanded, w.entry(t, "order").State)
}
