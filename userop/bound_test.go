package userop_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/userop"
)

func TestWhatAnAccountPaysItselfIsBounded(t *testing.T) {
	fees := userop.Fees{MaxFeePerGas: *uint256.NewInt(5)}
	gas := userop.Gas{PreVerificationGas: *uint256.NewInt(6)}
	large := uint256.NewInt(1e18)
	errDear := errors.New("too dear")
	bound := func(err error) func(*userop.Operation) error { return func(*userop.Operation) error { return err } }
	for name, c := range map[string]struct {
		set  func(*userop.Draft)
		want error
	}{
		"by nothing":                       {func(d *userop.Draft) {}, userop.ErrCap},
		"by a cap for the whole":           {func(d *userop.Draft) { d.Caps.MaxCost = large }, nil},
		"by the fee alone":                 {func(d *userop.Draft) { d.Caps.MaxFeePerGas = large }, userop.ErrCap},
		"by the gas alone":                 {func(d *userop.Draft) { d.Caps.PreVerificationGas = large }, userop.ErrCap},
		"by both":                          {func(d *userop.Draft) { d.Caps.MaxFeePerGas, d.Caps.PreVerificationGas = large, large }, nil},
		"by a limit on other gas":          {func(d *userop.Draft) { d.Caps.CallGasLimit, d.Caps.VerificationGasLimit = large, large }, userop.ErrCap},
		"by what the caller gave":          {func(d *userop.Draft) { d.Fees, d.Gas = fees, gas }, nil},
		"by fees given and a cap on gas":   {func(d *userop.Draft) { d.Fees, d.Caps.PreVerificationGas = fees, large }, nil},
		"by fees given alone":              {func(d *userop.Draft) { d.Fees = fees }, userop.ErrCap},
		"by a bound":                       {func(d *userop.Draft) { d.Bound = bound(nil) }, nil},
		"by a bound that does not like it": {func(d *userop.Draft) { d.Bound, d.Caps.MaxCost = bound(errDear), large }, errDear},
		"by nothing, sponsored":            {func(d *userop.Draft) { d.Sponsored, d.Bound = true, bound(errDear) }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s, signed := newServices(), 0
			draft := newDraft(&signed)
			draft.Sponsored, draft.Caps = false, userop.Caps{}
			c.set(&draft)
			_, err := newSender(t, s).Send(t.Context(), draft)
			if c.want == nil {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, c.want)
				require.Zero(t, signed)
				require.Empty(t, s.sends())
			}
			_, err = newSender(t, s).Estimate(t.Context(), draft)
			require.NoError(t, err, "an estimate tells what it would cost")
		})
	}
	t.Run("when the paymaster does not pay", func(t *testing.T) {
		s, signed := newServices(), 0
		s.sponsorErr = userop.ErrNotSponsored
		draft := newDraft(&signed)
		draft.OrSelf, draft.Caps = true, userop.Caps{}
		_, err := newSender(t, s).Send(t.Context(), draft)
		require.ErrorIs(t, err, userop.ErrCap)
		require.ErrorContains(t, err, "check: over the cap: nothing bounds what the account pays for the operation: name a cap, Caps.MaxCost in wei, or a Bound")
		require.Zero(t, signed)
	})
}

func TestCapsAreTightenedFieldByField(t *testing.T) {
	n := func(v uint64) *uint256.Int { return uint256.NewInt(v) }
	made := userop.Caps{MaxFeePerGas: n(10), MaxCost: n(10), CallGasLimit: n(10)}
	got := made.TightenedBy(userop.Caps{MaxFeePerGas: n(9), MaxCost: n(11), VerificationGasLimit: n(1)})
	require.Equal(t, userop.Caps{MaxFeePerGas: n(9), MaxCost: n(10), CallGasLimit: n(10), VerificationGasLimit: n(1)}, got)
	require.Equal(t, n(10), made.MaxFeePerGas)
	require.Equal(t, made, made.TightenedBy(userop.Caps{}))
	require.Equal(t, made, userop.Caps{}.TightenedBy(made))
}

func TestADraftsOwnFeeSource(t *testing.T) {
	s, other, signed := newServices(), newServices(), 0
	other.fees = userop.Fees{MaxFeePerGas: *uint256.NewInt(11), MaxPriorityFeePerGas: *uint256.NewInt(10)}
	draft := newDraft(&signed)
	draft.FeeSource = other
	_, err := newSender(t, s).Send(t.Context(), draft)
	require.NoError(t, err)
	require.Equal(t, other.fees, s.sends()[0].Fees())
	require.Zero(t, s.count("fees"))
}

// decorated hides what the bundler within can do besides; open says what it wraps.
type (
	decorated struct{ userop.Bundler }
	open      struct{ decorated }
)

func (b open) Unwrap() userop.Bundler { return b.Bundler }

func TestAWrapperAroundABundlerLosesNoCheck(t *testing.T) {
	send := func(s *services, wrapped userop.Bundler, unidentified bool) error {
		signed := 0
		sender, err := userop.NewSender(userop.SenderConfig{
			ChainID: testChainID, EntryPoint: entryPoint, Bundler: wrapped, Paymaster: s, Fees: s, UnidentifiedBundler: unidentified,
		})
		require.NoError(t, err)
		_, err = sender.Send(t.Context(), newDraft(&signed))
		require.Equal(t, err == nil, signed == 1)
		return err
	}
	here, elsewhere := newServices(), newServices()
	elsewhere.chainID = 1
	require.NoError(t, send(here, open{decorated{here}}, false))
	require.ErrorIs(t, send(elsewhere, open{decorated{elsewhere}}, false), userop.ErrWrongChain)
	require.ErrorIs(t, send(elsewhere, open{decorated{elsewhere}}, true), userop.ErrWrongChain, "one that can say is asked")
	err := send(here, decorated{here}, false)
	require.ErrorIs(t, err, userop.ErrWrongChain)
	require.ErrorContains(t, err, "prepare: wrong chain or EntryPoint: the bundler (userop_test.decorated) does not say which chain it serves: a wrapper says what it wraps by a method Unwrap() userop.Bundler; UnidentifiedBundler in the configuration")
	require.NoError(t, send(here, decorated{here}, true))
}

func TestAWrappedBundlersOtherAbilitiesAreFound(t *testing.T) {
	s, signed := newServices(), 0
	sender, err := userop.NewSender(userop.SenderConfig{ChainID: testChainID, EntryPoint: entryPoint, Bundler: open{decorated{s}}, Paymaster: s})
	require.NoError(t, err)
	_, err = sender.Send(t.Context(), newDraft(&signed))
	require.NoError(t, err)
	require.Equal(t, 1, s.count("fees"))
}

func TestAWaitTellsTheCauseThatAReceiptTells(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServices()
		s.receipts = []any{&userop.Receipt{UserOpHash: common.Hash{1}, Sender: sender, TransactionHash: common.Hash{2}, Reason: "0x"}}
		why := errors.New("the fee was not there")
		sender, err := userop.NewSender(userop.SenderConfig{
			ChainID: testChainID, EntryPoint: entryPoint, Bundler: s, WaitTimeout: time.Minute,
			Explain: func(r *userop.Receipt) error { require.False(t, r.Success); return why },
		})
		require.NoError(t, err)
		_, err = sender.Watch(common.Hash{1}).Wait(context.Background())
		var reverted *userop.RevertError
		require.ErrorAs(t, err, &reverted)
		require.ErrorIs(t, err, why)
		require.Equal(t, "the fee was not there", reverted.Reason())
		require.EqualError(t, err, "user operation 0x0100000000000000000000000000000000000000000000000000000000000000 of 0x1111111111111111111111111111111111111111 was included in transaction 0x0200000000000000000000000000000000000000000000000000000000000000 but failed: the fee was not there")
	})
}
