package userop_test

import (
	"context"
	"errors"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/userop"
)

// TestRenewedOnce has operations refused that their draft would make anew.
func TestRenewedOnce(t *testing.T) {
	errTold := errors.New("the signer moved on")
	renewing := func(signed, asked *int, again bool) userop.Draft {
		draft := newDraft(signed)
		draft.Renew = func(_ context.Context, op *userop.Operation, refusal error) (bool, error) {
			*asked++
			require.ErrorContains(t, refusal, "AA24")
			return again, errors.Join(errTold, refusal)
		}
		return draft
	}
	for name, test := range map[string]struct {
		refusals      []error
		again         bool
		signed, asked int
		told          bool
	}{
		"passes then":           {[]error{verdict{}}, true, 2, 1, false},
		"not again":             {[]error{verdict{}}, false, 1, 1, true},
		"refused again":         {[]error{verdict{}, verdict{}}, true, 2, 2, true},
		"maybe accepted before": {[]error{passing{delivered: true}, verdict{}}, true, 1, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			s, signed, asked := newServices(), 0, 0
			s.sendErrs = test.refusals
			tx, err := newSender(t, s).Send(t.Context(), renewing(&signed, &asked, test.again))
			require.Equal(t, test.signed, signed)
			require.Equal(t, test.asked, asked)
			require.Equal(t, test.told, errors.Is(err, errTold), err)
			for _, op := range s.sends() {
				require.Equal(t, "7", op.Nonce.Dec())
			}
			if name == "passes then" {
				require.NoError(t, err)
				require.Equal(t, tx.Hash(), s.sends()[1].Hash(entryPoint, testChainID))
				require.Equal(t, 2, s.count("sponsor"), "it is priced anew")
			}
		})
	}

	t.Run("nothing was signed yet", func(t *testing.T) {
		s, signed, asked, next := newServices(), 0, 0, uint64(6)
		s.sponsorErr = verdict{}
		draft := renewing(&signed, &asked, true)
		renew := draft.Renew
		draft.Renew = func(ctx context.Context, op *userop.Operation, refusal error) (bool, error) {
			s.sponsorErr = nil
			return renew(ctx, op, refusal)
		}
		draft.Nonce = func(context.Context) (uint256.Int, error) { next++; return *uint256.NewInt(next), nil }
		_, err := newSender(t, s).Send(t.Context(), draft)
		require.NoError(t, err)
		require.Equal(t, "8", s.sends()[0].Nonce.Dec(), "the one that is next by now")
		require.Equal(t, 1, signed)

		s.sponsorErr = verdict{}
		_, err = newSender(t, s).BuildUnsigned(t.Context(), draft)
		require.NoError(t, err)
	})
	t.Run("a reservation is committed again, and released once at the end", func(t *testing.T) {
		s, signed, asked := newServices(), 0, 0
		s.sendErrs = []error{verdict{}, verdict{}}
		draft := renewing(&signed, &asked, true)
		draft.Nonce = nil
		var events []string
		draft.Reserve = func(context.Context) (userop.Reservation, error) { return &noted{events: &events}, nil }
		_, err := newSender(t, s).Send(t.Context(), draft)
		require.ErrorIs(t, err, errTold)
		require.Equal(t, []string{"nonce", "commit", "commit", "release unused"}, events)
	})
}

// TestEitherOfBothMayLand has a bundler refuse what it includes all the same: the operation that was made
// anew has its nonce, and whichever of both lands is the one that was to be sent.
func TestEitherOfBothMayLand(t *testing.T) {
	// renewed is a draft whose second operation is another one, and what is known of the first.
	renewed := func(s *services, n *node, meanwhile func(first common.Hash)) userop.Draft {
		draft, asked := newDraft(new(int)), false
		draft.Renew = func(_ context.Context, op *userop.Operation, refusal error) (bool, error) {
			if !asked {
				asked, s.sponsorship.PaymasterAndData = true, append(sponsor.Bytes(), 9)
				meanwhile(op.Hash(entryPoint, testChainID))
			}
			return true, refusal
		}
		return draft
	}
	for name, change := range map[string]func(s *services){
		"the second is refused":            func(s *services) { s.sendErrs = []error{verdict{}, refused("AA25 invalid account nonce")} },
		"the second is judged before that": func(s *services) { s.sponsorErr = refused("AA25 invalid account nonce") },
		"nobody sponsors the second":       func(s *services) { s.sponsorErr = userop.ErrNotSponsored },
	} {
		inTime(t, name, func(t *testing.T) {
			s, n := newServices(), new(node)
			s.sendErrs = []error{verdict{}}
			var first common.Hash
			tx, err := confirmed(t, s, n).Send(t.Context(), renewed(s, n, func(hash common.Hash) {
				first = hash
				n.include(hash, 7, true)
				change(s)
			}))
			require.NoError(t, err)
			receipt, err := tx.Wait(t.Context())
			require.NoError(t, err)
			require.Equal(t, first, receipt.UserOpHash)
		})
	}
	inTime(t, "before its signer moved on", func(t *testing.T) {
		for _, again := range []bool{true, false} {
			s, n := newServices(), new(node)
			s.sendErrs = []error{verdict{}, verdict{}}
			draft := newDraft(new(int))
			draft.Renew = func(_ context.Context, op *userop.Operation, refusal error) (bool, error) {
				if s.sponsorship.PaymasterAndData = append(sponsor.Bytes(), 9); !again || len(s.sends()) == 2 {
					n.include(op.Hash(entryPoint, testChainID), 7, true)
				}
				return again, refusal
			}
			tx, err := confirmed(t, s, n).Send(t.Context(), draft)
			require.NoError(t, err)
			_, err = tx.Wait(t.Context())
			require.NoError(t, err)
		}
	})
	for _, success := range []bool{true, false} {
		inTime(t, "the second waits", func(t *testing.T) {
			s, n := newServices(), new(node)
			s.sendErrs = []error{verdict{}}
			var first common.Hash
			draft := renewed(s, n, func(hash common.Hash) { first = hash })
			draft.Nonce = nil
			var events []string
			draft.Reserve = func(context.Context) (userop.Reservation, error) { return &noted{events: &events}, nil }
			tx, err := confirmed(t, s, n).Send(t.Context(), draft)
			require.NoError(t, err)
			require.NotEqual(t, first, tx.Hash())
			n.include(first, 7, success)
			receipt, err := tx.Wait(t.Context())
			if success {
				require.NoError(t, err)
			} else {
				require.ErrorAs(t, err, new(*userop.RevertError))
			}
			require.Equal(t, first, receipt.UserOpHash)
			require.Equal(t, "release used", events[len(events)-1])
		})
	}
	inTime(t, "the second is in doubt, and sent again", func(t *testing.T) {
		s, n := newServices(), new(node)
		s.sendErrs = []error{verdict{}, errNode, errNode, errNode, refused("AA25 invalid account nonce")}
		var first common.Hash
		sending := confirmed(t, s, n)
		_, err := sending.Send(t.Context(), renewed(s, n, func(hash common.Hash) { first = hash }))
		require.True(t, userop.MayBeAccepted(err))
		var failed *userop.Error
		require.ErrorAs(t, err, &failed)
		require.NotEqual(t, first, failed.Hash)
		n.include(first, 7, true)
		tx, err := sending.Resend(t.Context(), failed.Operation)
		require.NoError(t, err)
		receipt, err := tx.Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, first, receipt.UserOpHash)
	})
	inTime(t, "neither", func(t *testing.T) {
		s, n := newServices(), new(node)
		s.sendErrs = []error{verdict{}}
		tx, err := confirmed(t, s, n).Send(t.Context(), renewed(s, n, func(common.Hash) {}))
		require.NoError(t, err)
		n.include(common.Hash{6}, 7, true)
		_, err = tx.Wait(t.Context())
		require.ErrorIs(t, err, userop.ErrReplaced)
	})
}

// TestTheFirstRefusalIsTold has what was made anew fail in another way.
func TestTheFirstRefusalIsTold(t *testing.T) {
	s := newServices()
	s.sendErrs = []error{verdict{}}
	draft := newDraft(new(int))
	draft.Renew = func(context.Context, *userop.Operation, error) (bool, error) {
		s.sponsorErr = errNode
		return true, errNode
	}
	_, err := newSender(t, s).Send(t.Context(), draft)
	require.ErrorContains(t, err, "sponsor: node says no (tried again after: AA24 signature error)")
	require.ErrorIs(t, err, errNode)
	require.ErrorIs(t, err, verdict{})
	require.False(t, userop.MayBeAccepted(err))
	var failed *userop.Error
	require.ErrorAs(t, err, &failed)
	require.True(t, failed.Given, "the first one was")

	s = newServices()
	s.sendErrs = []error{passing{delivered: true}}
	draft, asked := newDraft(new(int)), 0
	draft.Guard = func(context.Context, *userop.Operation) error {
		if asked++; asked > 1 {
			return errNode
		}
		return nil
	}
	_, err = newSender(t, s).Send(t.Context(), draft)
	require.ErrorContains(t, err, "send: not sent again: node says no (an earlier try may have been accepted) (tried again after: 503 service unavailable)")
	require.True(t, userop.MayBeAccepted(err))

	s = newServices()
	s.sponsorErr, s.estimateErr = userop.ErrNotSponsored, errNode
	draft = newDraft(new(int))
	draft.OrSelf = true
	_, err = newSender(t, s).Send(t.Context(), draft)
	require.ErrorContains(t, err, "estimate: node says no (tried again after: not sponsored)")
	s.estimateErr, draft.Caps = nil, userop.Caps{}
	_, err = newSender(t, s).Send(t.Context(), draft)
	require.ErrorIs(t, err, userop.ErrCap)
	require.ErrorContains(t, err, "(tried again after: not sponsored)")
}

// doubtful is why an operation is not made anew that the chain does not show to be wrong.
type doubtful struct{ error }

func (doubtful) MayBeDelivered() bool { return true }

func TestARefusalThatTheChainDoesNotBearOutIsADoubt(t *testing.T) {
	s := newServices()
	s.sendErrs = []error{verdict{}}
	r := &reserved{services: s}
	draft := newDraft(new(int))
	draft.Nonce = nil
	draft.Reserve = func(context.Context) (userop.Reservation, error) { return r, nil }
	draft.Renew = func(_ context.Context, _ *userop.Operation, refusal error) (bool, error) {
		return false, doubtful{refusal}
	}
	_, err := newSender(t, s).Send(t.Context(), draft)
	require.True(t, userop.MayBeAccepted(err))
	require.Equal(t, s.sends()[0], r.doubt.Operation)
	require.Zero(t, s.count("release used=false"))

	s.sponsorErr = verdict{}
	_, err = newSender(t, s).Send(t.Context(), draft)
	require.False(t, userop.MayBeAccepted(err), "nothing was given away")
	require.Equal(t, 1, s.count("release used=false"))
}

// noted is a reservation that notes what is done with it.
type noted struct{ events *[]string }

func (n *noted) note(event string) { *n.events = append(*n.events, event) }

func (n *noted) Nonce(context.Context) (uint256.Int, error) {
	n.note("nonce")
	return *uint256.NewInt(7), nil
}

func (n *noted) Commit(*userop.Operation, common.Hash) error { n.note("commit"); return nil }

func (n *noted) Release(used bool) {
	if used {
		n.note("release used")
		return
	}
	n.note("release unused")
}

func (n *noted) Doubt(userop.Doubt) { n.note("doubt") }

func (n *noted) Doubts() []userop.Doubt { return nil }
