package storekit_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/storekit"
)

func TestHold(t *testing.T) {
	mine := errors.New("mine")
	for name, test := range map[string]struct {
		deadline, takes, released time.Duration
		fn, release               error
		want                      string
	}{
		"in time":                 {takes: time.Second, released: time.Second},
		"its error":               {takes: time.Second, released: time.Second, fn: mine, want: "mine"},
		"too late":                {takes: time.Hour, released: session.MaxHold, want: "sessions of account 0x0000000000000000000000000000000000000000 on chain 0 were not held to the end: the signer took longer than 10s: context deadline exceeded"},
		"too late with its error": {takes: time.Hour, released: session.MaxHold, fn: mine, want: "mine"},
		"after the deadline":      {deadline: 2 * time.Second, takes: 3 * time.Second, released: 2 * time.Second, want: "sessions of account 0x0000000000000000000000000000000000000000 on chain 0 were not held to the end: the signer took longer than 2s: context deadline exceeded"},
		"a long deadline":         {deadline: time.Hour, takes: time.Hour, released: session.MaxHold, want: "sessions of account 0x0000000000000000000000000000000000000000 on chain 0 were not held to the end: the signer took longer than 10s: context deadline exceeded"},
		"lost":                    {takes: time.Second, released: time.Second, release: mine, want: "sessions of account 0x0000000000000000000000000000000000000000 on chain 0 were not held to the end: mine"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, begin := t.Context(), time.Now()
				if test.deadline != 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, test.deadline)
					defer cancel()
				}
				var released []time.Duration
				release := func() error { released = append(released, time.Since(begin)); return test.release }
				err := storekit.Hold(ctx, session.Ref{}, release, func() error { time.Sleep(test.takes); return test.fn })
				require.Equal(t, []time.Duration{test.released}, released)
				if test.want == "" {
					require.NoError(t, err)
					return
				}
				require.EqualError(t, err, test.want)
			})
		})
	}
}

func TestHoldReleasesAfterAPanic(t *testing.T) {
	released := 0
	require.Panics(t, func() {
		_ = storekit.Hold(t.Context(), session.Ref{}, func() error { released++; return nil }, func() error { panic("mine") })
	})
	require.Equal(t, 1, released)
}
