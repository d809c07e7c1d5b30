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
			for _, op := range s.sent {
				require.Equal(t, "7", op.Nonce.Dec())
			}
			if name == "passes then" {
				require.NoError(t, err)
				require.Equal(t, tx.Hash(), s.sent[1].Hash(entryPoint, testChainID))
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
		require.Equal(t, "8", s.sent[0].Nonce.Dec(), "the one that is next by now")
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
