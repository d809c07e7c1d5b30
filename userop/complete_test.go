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

// An operation that was made earlier is signed and sent as it is: no service prices it anew.
func TestACompleteOperationIsSentAsItIs(t *testing.T) {
	s, signed := newServices(), 0
	made := newSender(t, s)
	op, err := made.BuildUnsigned(t.Context(), newDraft(&signed))
	require.NoError(t, err)
	require.Zero(t, signed)

	s.log, s.feesErr, s.sponsorErr, s.estimateErr = nil, errNode, errNode, errNode
	checked := 0
	draft := userop.Draft{
		Sender: sender, Complete: op, Signer: seal{signed: &signed},
		Nonce:  func(context.Context) (uint256.Int, error) { return op.Nonce, nil },
		Checks: []func(context.Context) error{func(context.Context) error { checked++; return nil }},
	}
	tx, err := made.Send(t.Context(), draft)
	require.NoError(t, err)
	require.Equal(t, []string{"send"}, s.log)
	require.Equal(t, 1, signed)
	require.Equal(t, 1, checked)
	want := op.Clone()
	want.Signature = tx.Operation().Signature
	require.Equal(t, want, s.sends()[0])
	require.Equal(t, []byte("dummy"), op.Signature, "the caller's stays what it was")
}

func TestACompleteOperationIsJudgedAgain(t *testing.T) {
	made := newSender(t, newServices())
	signed := 0
	op, err := made.BuildUnsigned(t.Context(), newDraft(&signed))
	require.NoError(t, err)
	for name, tt := range map[string]struct {
		change func(*userop.Draft)
		want   string
	}{
		"cap":    {func(d *userop.Draft) { d.Caps.MaxCost = uint256.NewInt(1) }, "cost"},
		"accept": {func(d *userop.Draft) { d.Accept = func(*userop.Operation) error { return errors.New("not this one") } }, "not this one"},
		"check": {func(d *userop.Draft) {
			d.Checks = []func(context.Context) error{func(context.Context) error { return errNode }}
		}, "node says no"},
		"another": {func(d *userop.Draft) { d.Sender = common.Address{1} }, "the complete operation is one of "},
		"another turn": {func(d *userop.Draft) {
			d.Nonce = func(context.Context) (uint256.Int, error) { return *uint256.NewInt(9), nil }
		}, "the nonce is 0x9, that of the complete operation 0x7"},
	} {
		t.Run(name, func(t *testing.T) {
			draft := userop.Draft{
				Sender: sender, Complete: op, Signer: seal{signed: &signed},
				Nonce: func(context.Context) (uint256.Int, error) { return op.Nonce, nil },
			}
			tt.change(&draft)
			_, err := made.Send(t.Context(), draft)
			require.ErrorContains(t, err, tt.want)
			require.False(t, userop.MayBeAccepted(err))
			require.Zero(t, signed)
		})
	}
}
