package storetest

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
)

func stopOf(name string, ref session.Ref, key common.Address) session.Stop {
	return session.Stop{Name: name, Ref: ref, Key: key, Who: "alice é", Why: "a test"}
}

// switches returns the store under test as switches, nil where it has none.
func (c *Config) switches(t *testing.T) (stores []session.Store, switches []session.Switch) {
	for _, store := range c.stores(t) {
		s, ok := store.(session.Switch)
		if !ok {
			return nil, nil
		}
		stores, switches = append(stores, store), append(switches, s)
	}
	return stores, switches
}

// testStops throws the kill switch for all that it can be about, and looks who signs, through another use of
// the store.
func (c *Config) testStops(t *testing.T) {
	stores, s := c.switches(t)
	if s == nil {
		return
	}
	refs := []session.Ref{c.ref(0), c.ref(1)}
	keys := []common.Address{common.HexToAddress("0x01"), common.HexToAddress("0x02")}
	none := func(uint64) error { return nil }
	for name, test := range map[string]struct {
		stop session.Stop
		runs [2][2]bool // by account and key
		hold [2]bool    // of a key that is not named
	}{
		"everything":            {stopOf("x", session.Ref{}, common.Address{}), [2][2]bool{}, [2]bool{}},
		"account":               {stopOf("x", refs[0], common.Address{}), [2][2]bool{1: {true, true}}, [2]bool{false, true}},
		"key":                   {stopOf("x", session.Ref{}, keys[1]), [2][2]bool{{true, false}, {true, false}}, [2]bool{}},
		"key of one account":    {stopOf("x", refs[1], keys[0]), [2][2]bool{{true, true}, {false, true}}, [2]bool{true, false}},
		"nothing, as before it": {session.Stop{}, [2][2]bool{{true, true}, {true, true}}, [2]bool{true, true}},
	} {
		t.Run(name, func(t *testing.T) {
			if test.stop.Name != "" {
				stored, err := s[0].Stop(t.Context(), test.stop)
				require.NoError(t, err)
				require.False(t, stored.At.IsZero())
				again, err := s[1].Stop(t.Context(), test.stop)
				require.NoError(t, err)
				require.Equal(t, stored, again, "the same again changes nothing")
				list, err := s[1].Stops(t.Context())
				require.NoError(t, err)
				require.Equal(t, []session.Stop{stored}, list)
				other := test.stop
				other.Why = "another one"
				_, err = s[1].Stop(t.Context(), other)
				require.ErrorIs(t, err, session.ErrConflict)
			}
			check := func(runs bool, err error) {
				t.Helper()
				if runs {
					require.NoError(t, err)
					return
				}
				require.ErrorIs(t, err, session.ErrStopped)
				stopped := new(session.StoppedError)
				require.ErrorAs(t, err, &stopped)
				require.Equal(t, test.stop.Who, stopped.Stop.Who)
			}
			for i, ref := range refs {
				for j, key := range keys {
					check(test.runs[i][j], s[1].HoldKey(t.Context(), ref, key, none))
				}
				check(test.hold[i], stores[1].Hold(t.Context(), ref, none))
			}
			if test.stop.Name != "" {
				require.NoError(t, s[1].Lift(t.Context(), "x"))
			}
			require.NoError(t, s[0].HoldKey(t.Context(), refs[0], keys[0], none))
			require.ErrorIs(t, s[0].Lift(t.Context(), "x"), session.ErrNotFound)
		})
	}

	final := stopOf("leaked", session.Ref{}, keys[0])
	final.Final = true
	_, err := s[0].Stop(t.Context(), final)
	require.NoError(t, err)
	require.ErrorIs(t, s[1].Lift(t.Context(), "leaked"), session.ErrRevoked)
	err = s[1].HoldKey(t.Context(), refs[0], keys[0], none)
	require.ErrorContains(t, err, "stopped by the kill switch: "+refs[0].String()+"; alice é stopped key "+keys[0].Hex()+" at ")
	require.ErrorContains(t, err, `: a test; "leaked" is never lifted: use another key`)
	for name, spoil := range map[string]func(*session.Stop){
		"no name":         func(s *session.Stop) { s.Name = "" },
		"nobody":          func(s *session.Stop) { s.Who = "" },
		"no reason":       func(s *session.Stop) { s.Why = "" },
		"a long one":      func(s *session.Stop) { s.Why = strings.Repeat("x", session.MaxStopText+1) },
		"two lines":       func(s *session.Stop) { s.Who = "a\nb" },
		"half an account": func(s *session.Stop) { s.Ref.ChainID = 1 },
	} {
		stop := stopOf("y", session.Ref{}, common.Address{})
		spoil(&stop)
		_, err := s[0].Stop(t.Context(), stop)
		require.ErrorIs(t, err, policy.ErrInvalid, name)
	}
}

// testStopUnderLoad has many sign at once while the switch is thrown: none begins to after that was
// committed, and those that had begun were waited for.
func (c *Config) testStopUnderLoad(t *testing.T) {
	_, s := c.switches(t)
	if s == nil {
		return
	}
	ref, key := c.ref(0), common.HexToAddress("0x01")
	for round, about := range []session.Ref{{}, ref} {
		var stopped atomic.Bool
		var signing, signed, late atomic.Int64
		var group errgroup.Group
		for n := range 6 {
			group.Go(func() error {
				for {
					err := s[n%2].HoldKey(t.Context(), ref, key, func(uint64) error {
						signing.Add(1)
						defer signing.Add(-1)
						time.Sleep(100 * time.Microsecond) // a signature
						if stopped.Load() {
							late.Add(1)
						}
						signed.Add(1)
						return nil
					})
					if err != nil {
						if errors.Is(err, session.ErrStopped) {
							return nil
						}
						return err
					}
				}
			})
		}
		require.Eventually(t, func() bool { return signed.Load() > 20 }, 20*time.Second, time.Millisecond)
		name := strings.Repeat("x", round+1)
		_, err := s[0].Stop(t.Context(), stopOf(name, about, common.Address{}))
		require.Zero(t, signing.Load(), "a signature is under way")
		stopped.Store(true)
		require.NoError(t, err)
		require.NoError(t, group.Wait())
		require.Zero(t, late.Load(), "signatures after the stop")
		require.NoError(t, s[1].Lift(t.Context(), name))
	}
}

// testStopReopen has a stop be there after a restart.
func (c *Config) testStopReopen(t *testing.T) {
	store := c.Open(t)
	s, ok := store.(session.Switch)
	if !ok || c.Reopen == nil {
		return
	}
	stored, err := s.Stop(t.Context(), stopOf("x", c.ref(1), common.HexToAddress("0x01")))
	require.NoError(t, err)
	list, err := c.Reopen(t, store).(session.Switch).Stops(t.Context())
	require.NoError(t, err)
	require.Equal(t, []session.Stop{stored}, list)
}
