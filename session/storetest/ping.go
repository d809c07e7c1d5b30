package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/go-sesame/sesame/session"
)

// testPing pings a store that is empty, in use, held and waited for, and looks that it changes nothing.
func (c *Config) testPing(t *testing.T) {
	stores, ref := c.stores(t), c.ref(0)
	if _, ok := stores[0].(session.Pinger); !ok {
		return // does not say
	}
	ping := func() error {
		for _, store := range stores {
			if err := store.(session.Pinger).Ping(t.Context()); err != nil {
				return err
			}
		}
		return nil
	}
	require.NoError(t, ping(), "an empty store serves")
	before := apply(t, stores[0], ref, session.Change{Put: newLeaves(0, 3)})
	require.NoError(t, ping())
	require.Equal(t, before, load(t, stores[0], ref, before.Version), "it changes nothing")

	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, stores[0].(session.Pinger).Ping(cancelled), context.Canceled)

	var changes errgroup.Group
	require.NoError(t, stores[0].Hold(t.Context(), ref, func(uint64) error {
		changes.Go(func() error {
			_, err := stores[1].Apply(t.Context(), ref, before.Version, &session.Change{Put: newLeaves(3, 4)})
			return err
		})
		time.Sleep(50 * time.Millisecond) // for the change to wait
		return ping()
	}), "nor does it wait for who holds sessions")
	require.NoError(t, changes.Wait())
	require.NoError(t, ping())
}
