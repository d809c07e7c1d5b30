package userop_test

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/userop"
)

func TestSendSponsored(t *testing.T) {
	s, signed := newServices(), 0
	pending, err := newSender(t, s).Send(t.Context(), newDraft(&signed))
	require.NoError(t, err)
	require.Equal(t, 1, signed)
	require.Len(t, s.sends(), 1)
	op := s.sends()[0]
	require.Equal(t, pending.Hash(), op.Hash(entryPoint, testChainID))
	require.Equal(t, append([]byte("signed "), pending.Hash().Bytes()...), op.Signature)
	require.Equal(t, "7", op.Nonce.Dec())
	require.Equal(t, "1000", op.CallGasLimit.Dec())
	require.Equal(t, s.fees, op.Fees())
	require.Equal(t, s.sponsorship.PaymasterAndData, op.PaymasterAndData)
	require.Zero(t, s.count("estimate"), "the paymaster brings the limits")
	require.Equal(t, "send", s.log[len(s.log)-1])
	require.Equal(t, "sponsor", s.log[len(s.log)-2])
}

func TestSendAsksForTheIdentityOnce(t *testing.T) {
	s, signed := newServices(), 0
	sender := newSender(t, s)
	for range 3 {
		_, err := sender.Send(t.Context(), newDraft(&signed))
		require.NoError(t, err)
	}
	require.Equal(t, 1, s.count("chain ID"))
	require.Equal(t, 1, s.count("entry points"))
}

func TestSendSelfPaid(t *testing.T) {
	s, signed := newServices(), 0
	draft := newDraft(&signed)
	draft.Sponsored = false
	draft.Margins = userop.Margins{CallGasLimit: 15, MaxFeePerGas: 10}
	_, err := newSender(t, s).Send(t.Context(), draft)
	require.NoError(t, err)
	require.Zero(t, s.count("sponsor"))
	require.Equal(t, "115", s.sends()[0].CallGasLimit.Dec())
	require.Equal(t, "200", s.sends()[0].VerificationGasLimit.Dec())
	require.Equal(t, "2200000000", s.sends()[0].MaxFeePerGas.Dec())
	require.Empty(t, s.sends()[0].PaymasterAndData)
}

func TestCallersLimitsAndFeesAreUsedAsTheyAre(t *testing.T) {
	s, signed := newServices(), 0
	draft := newDraft(&signed)
	draft.Gas = userop.Gas{CallGasLimit: *uint256.NewInt(11)}
	draft.Fees = userop.Fees{MaxFeePerGas: *uint256.NewInt(5), MaxPriorityFeePerGas: *uint256.NewInt(4)}
	draft.Margins = userop.Margins{CallGasLimit: 50, VerificationGasLimit: 50, PreVerificationGas: 1, MaxFeePerGas: 50, MaxPriorityFeePerGas: 50}
	_, err := newSender(t, s).Send(t.Context(), draft)
	require.NoError(t, err)
	op := s.sends()[0]
	require.Equal(t, []string{"11", "3000", "3030", "5", "4"}, []string{
		op.CallGasLimit.Dec(), op.VerificationGasLimit.Dec(), op.PreVerificationGas.Dec(), op.MaxFeePerGas.Dec(), op.MaxPriorityFeePerGas.Dec(),
	})
	require.Zero(t, s.count("fees"))
	require.Len(t, s.asked, 2, "the paymaster proposes, and signs what came of it")
	require.False(t, s.asked[1].CalculateGasLimits, "it must not change the caller's limits")
}

func TestPaymasterWithoutLimitsMakesTheBundlerEstimate(t *testing.T) {
	s, signed := newServices(), 0
	s.sponsorship.PreVerificationGas = nil
	_, err := newSender(t, s).Send(t.Context(), newDraft(&signed))
	require.NoError(t, err)
	require.Equal(t, []string{"sponsor", "estimate", "sponsor", "send"}, s.log[len(s.log)-4:])
	require.Equal(t, "100", s.sends()[0].CallGasLimit.Dec())
}

func TestNothingIsSignedThatWasNotChecked(t *testing.T) {
	tests := []struct {
		name   string
		change func(*services, *userop.Draft)
		is     error
		text   string
	}{
		{"wrong chain at the bundler", func(s *services, _ *userop.Draft) { s.chainID = 1 }, userop.ErrWrongChain,
			"prepare: wrong chain or EntryPoint: the bundler serves chain 1, this client is for chain 80002"},
		{"EntryPoint not supported", func(s *services, _ *userop.Draft) { s.entryPoints = []common.Address{sponsor} }, userop.ErrWrongChain,
			"prepare: wrong chain or EntryPoint: the bundler supports EntryPoints [0x2222222222222222222222222222222222222222], not 0x5FF137D4b0FDCD49DcA30c7CF57E578a026d2789"},
		{"nonce unreadable", func(_ *services, d *userop.Draft) {
			d.Nonce = func(context.Context) (uint256.Int, error) { return uint256.Int{}, errNode }
		}, errNode, "prepare: node says no"},
		{"init code unreadable", func(_ *services, d *userop.Draft) {
			d.InitCode = func(context.Context) ([]byte, error) { return nil, errNode }
		}, errNode, "prepare: node says no"},
		{"a check fails", func(_ *services, d *userop.Draft) {
			d.Checks = append(d.Checks, func(context.Context) error { return errNode })
		}, errNode, "prepare: node says no"},
		{"a check fails, since the node is of another chain", func(_ *services, d *userop.Draft) {
			d.Checks = append(d.Checks, func(context.Context) error { return errNode })
			d.Identify = func(ctx context.Context) error {
				time.Sleep(10 * time.Millisecond) // the check is told first
				return cmp.Or(ctx.Err(), userop.ErrWrongChain)
			}
		}, userop.ErrWrongChain, "prepare: wrong chain or EntryPoint"},
		{"a check fails, and so does who is asked for the chain", func(_ *services, d *userop.Draft) {
			d.Checks = append(d.Checks, func(context.Context) error { return errNode })
			d.Identify = func(context.Context) error { time.Sleep(10 * time.Millisecond); return errors.New("no answer") }
		}, errNode, "prepare: node says no"},
		{"no fees", func(s *services, _ *userop.Draft) { s.feesErr = userop.ErrNoFees }, userop.ErrNoFees,
			"prepare: gas price: no gas price offered"},
		{"absurd fees", func(s *services, _ *userop.Draft) { s.fees.MaxPriorityFeePerGas = *uint256.NewInt(3_000_000_000) }, nil,
			"prepare: gas price: the service proposes a priority fee of 3000000000 wei above its maximum fee of 2000000000 wei"},
		{"not sponsored", func(s *services, _ *userop.Draft) { s.sponsorErr = userop.ErrNotSponsored }, userop.ErrNotSponsored,
			"sponsor: not sponsored"},
		{"short paymaster data", func(s *services, _ *userop.Draft) { s.sponsorship.PaymasterAndData = []byte{1} }, userop.ErrNotSponsored,
			"sponsor: not sponsored: the paymaster answered with 1 bytes of paymasterAndData, an address alone has 20"},
		{"the zero address for a paymaster", func(s *services, _ *userop.Draft) { s.sponsorship.PaymasterAndData = make([]byte, 100) }, userop.ErrNotSponsored,
			"sponsor: not sponsored: the paymaster answered with the zero address for a paymaster, so that the account would pay"},
		{"paymaster's limits over the cap", func(_ *services, d *userop.Draft) { d.Caps.CallGasLimit = uint256.NewInt(999) }, userop.ErrCap,
			"check: over the cap: callGasLimit is 1000 gas, the cap is 999"},
		{"fee over the cap", func(_ *services, d *userop.Draft) { d.Caps.MaxFeePerGas = uint256.NewInt(1_999_999_999) }, userop.ErrCap,
			"check: over the cap: maxFeePerGas is 2000000000 wei, the cap is 1999999999"},
		{"cost over the cap", func(_ *services, d *userop.Draft) { d.Caps.MaxCost = uint256.NewInt(19_999_999_999_999) }, userop.ErrCap,
			"check: over the cap: the operation may cost 20000000000000 wei, the cap is 19999999999999"},
		{"estimation fails", func(s *services, d *userop.Draft) { d.Sponsored = false; s.estimateErr = errNode }, errNode,
			"estimate: node says no"},
		{"no sender", func(_ *services, d *userop.Draft) { d.Sender = common.Address{} }, nil, "check: no sender"},
		{"no call data", func(_ *services, d *userop.Draft) { d.CallData = nil }, nil, "check: no call data"},
		{"fees that contradict", func(_ *services, d *userop.Draft) {
			d.Fees = userop.Fees{MaxFeePerGas: *uint256.NewInt(1), MaxPriorityFeePerGas: *uint256.NewInt(2)}
		}, nil, "check: priority fee 2 wei is above the maximum fee 1 wei per gas"},
		{"signer refuses", func(_ *services, d *userop.Draft) { d.Signer = seal{err: errNode} }, errNode, "sign: node says no"},
		{"hook before sending fails", func(_ *services, d *userop.Draft) {
			d.BeforeSend = func(context.Context, *userop.Operation, common.Hash) error { return errNode }
		}, errNode, "sign: node says no"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, signed := newServices(), 0
			draft := newDraft(&signed)
			tt.change(s, &draft)
			_, err := newSender(t, s).Send(t.Context(), draft)
			require.ErrorContains(t, err, tt.text)
			if tt.is != nil {
				require.ErrorIs(t, err, tt.is)
			}
			var failed *userop.Error
			require.ErrorAs(t, err, &failed)
			require.Empty(t, s.sends(), "nothing was sent")
			if draft.BeforeSend == nil {
				require.Zero(t, signed, "nothing was signed")
			}
			require.False(t, userop.MayBeAccepted(err))
		})
	}
}

func TestABundlersListOfEntryPointsIsNamedInPart(t *testing.T) {
	s, signed := newServices(), 0
	s.entryPoints = make([]common.Address, 80_000)
	_, err := newSender(t, s).Send(t.Context(), newDraft(&signed))
	require.ErrorIs(t, err, userop.ErrWrongChain)
	require.Less(t, len(err.Error()), 1024)
}

func TestPaymasterMayNotChangeFixedLimits(t *testing.T) {
	s, signed := newServices(), 0
	draft := newDraft(&signed)
	draft.Gas = userop.Gas{CallGasLimit: *uint256.NewInt(1), VerificationGasLimit: *uint256.NewInt(2), PreVerificationGas: *uint256.NewInt(3)}
	sender, err := userop.NewSender(userop.SenderConfig{ChainID: testChainID, EntryPoint: entryPoint, Bundler: s, Paymaster: meddler{s}})
	require.NoError(t, err)
	_, err = sender.Send(t.Context(), draft)
	require.ErrorContains(t, err, "sponsor: the paymaster changed callGasLimit from 1 to 1000 although it was fixed")
	require.Zero(t, signed)
}

// meddler sets limits whether it was asked to or not.
type meddler struct{ *services }

func (m meddler) SponsorUserOperation(context.Context, *userop.Operation, userop.SponsorRequest) (userop.Sponsorship, error) {
	return m.sponsorship, nil
}

func TestSendingAgainSendsTheSameBytes(t *testing.T) {
	s, signed := newServices(), 0
	s.sendErrs = []error{passing{delivered: true}, passing{}}
	_, err := newSender(t, s).Send(t.Context(), newDraft(&signed))
	require.NoError(t, err)
	require.Equal(t, 1, signed)
	require.Len(t, s.sends(), 3)
	require.Equal(t, s.sends()[0], s.sends()[1])
	require.Equal(t, s.sends()[0], s.sends()[2])
}

func TestWhatIsKnownAfterAFailedSend(t *testing.T) {
	tests := []struct {
		name     string
		errs     []error
		accepted bool
		retry    bool
		tries    int
	}{
		{"the bundler's verdict", []error{verdict{}}, false, false, 1},
		{"never reached the bundler", []error{passing{}, passing{}, passing{}}, false, true, 3},
		{"the answer got lost", []error{passing{true}, passing{true}, passing{true}}, true, false, 3},
		{"an error that says nothing", []error{errNode, errNode, errNode}, true, false, 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, signed := newServices(), 0
			s.sendErrs = tt.errs
			sender := newSender(t, s)
			_, err := sender.Send(t.Context(), newDraft(&signed))
			require.ErrorIs(t, err, tt.errs[0])
			require.Equal(t, tt.accepted, userop.MayBeAccepted(err))
			require.Equal(t, tt.retry, userop.SafeToRetry(err))
			require.Len(t, s.sends(), tt.tries)

			var failed *userop.Error
			require.ErrorAs(t, err, &failed)
			require.Equal(t, userop.StepSend, failed.Step)
			again, err := sender.Resend(t.Context(), failed.Operation)
			require.NoError(t, err)
			require.Equal(t, failed.Hash, again.Hash())
			require.Equal(t, 1, signed)
		})
	}
}

func TestBundlersHashMustBeOurs(t *testing.T) {
	s, signed := newServices(), 0
	s.sendHash = &common.Hash{0xbb}
	_, err := newSender(t, s).Send(t.Context(), newDraft(&signed))
	require.ErrorIs(t, err, userop.ErrWrongChain)
	require.ErrorContains(t, err, "the bundler knows the operation as 0xbb00000000000000000000000000000000000000000000000000000000000000")
	require.True(t, userop.MayBeAccepted(err))
}

func TestWait(t *testing.T) {
	s := newServices()
	pending := newSender(t, s).Watch(common.Hash{1})
	require.Nil(t, pending.Operation())
	s.receipts = []any{userop.ErrNotFound, passing{}, &userop.Receipt{UserOpHash: common.Hash{1}, Success: true}}
	receipt, err := pending.Wait(t.Context())
	require.NoError(t, err)
	require.True(t, receipt.Success)
	require.Equal(t, 3, s.count("receipt"))
}

func TestWaitTellsTheRevertReason(t *testing.T) {
	s := newServices()
	s.receipts = []any{&userop.Receipt{
		UserOpHash: common.Hash{1}, Sender: sender, TransactionHash: common.Hash{2},
		// Error("paused")
		RevertData: hexutil.MustDecode("0x08c379a0000000000000000000000000000000000000000000000000000000000000002000000000000000000000000000000000000000000000000000000000000000067061757365640000000000000000000000000000000000000000000000000000"),
	}}
	receipt, err := newSender(t, s).Watch(common.Hash{1}).Wait(t.Context())
	require.NotNil(t, receipt)
	var reverted *userop.RevertError
	require.ErrorAs(t, err, &reverted)
	require.Equal(t, "paused", reverted.Reason())
	var reason abi.Revert
	require.ErrorAs(t, err, &reason, "as for a call that is refused")
	require.Equal(t, "paused", reason.Reason())
	require.False(t, userop.MayBeAccepted(err))
	require.EqualError(t, err, "user operation 0x0100000000000000000000000000000000000000000000000000000000000000 of 0x1111111111111111111111111111111111111111 was included in transaction 0x0200000000000000000000000000000000000000000000000000000000000000 but its call reverted: paused")
}

func TestARevertReasonOfTheBundlerIsOneShortLine(t *testing.T) {
	s := newServices()
	s.receipts = []any{&userop.Receipt{UserOpHash: common.Hash{1}, Reason: "paused\nlevel=ERROR msg=\x1b[2J" + strings.Repeat("é", 10_000)}}
	_, err := newSender(t, s).Watch(common.Hash{1}).Wait(t.Context())
	var reverted *userop.RevertError
	require.ErrorAs(t, err, &reverted)
	require.Regexp(t, `^paused level=ERROR msg= \[2Jé+…$`, reverted.Reason())
	require.LessOrEqual(t, len(reverted.Reason()), 512)
	require.ErrorContains(t, err, "but its call reverted: paused level=ERROR")
}

func TestWaitEnds(t *testing.T) {
	inTime(t, "with its context", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		s := newServices()
		s.receipts = []any{passing{}}
		_, err := newSender(t, s).Watch(common.Hash{1}).Wait(ctx)
		var ended *userop.WaitError
		require.ErrorAs(t, err, &ended)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "it may still be included: context deadline exceeded (last answer of the bundler: 503 service unavailable)")
		require.True(t, userop.MayBeAccepted(err))
		require.False(t, userop.SafeToRetry(err), "what passes by itself is the bundler's trouble with the receipt")
	})
	t.Run("by itself without a deadline", func(t *testing.T) {
		s := newServices()
		sender, err := userop.NewSender(userop.SenderConfig{ChainID: 1, EntryPoint: entryPoint, Bundler: s, WaitTimeout: 50 * time.Millisecond})
		require.NoError(t, err)
		_, err = sender.Watch(common.Hash{1}).Wait(t.Context())
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
	inTime(t, "at a refusal that does not change", func(t *testing.T) {
		s := newServices()
		s.receipts = []any{verdict{}}
		start := time.Now()
		_, err := newSender(t, s).Watch(common.Hash{1}).Wait(t.Context())
		require.ErrorIs(t, err, verdict{})
		require.ErrorContains(t, err, "it may still be included: AA24 signature error")
		require.True(t, userop.MayBeAccepted(err))
		require.InDelta(t, 6, time.Since(start).Seconds(), 1.5, "once it came for some seconds")
	})
	inTime(t, "not at refusals in passing", func(t *testing.T) {
		s := newServices()
		found := &userop.Receipt{UserOpHash: common.Hash{1}, Success: true}
		s.receipts = []any{verdict{}, verdict{}, verdict{}, verdict{}, errNode, verdict{}, refused("401"), refused("403"), refused("404"), refused("401"), verdict{}, found}
		_, err := newSender(t, s).Watch(common.Hash{1}).Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, 12, s.count("receipt"))
	})
	t.Run("not at the receipt of another operation", func(t *testing.T) {
		s := newServices()
		s.receipts = []any{&userop.Receipt{UserOpHash: common.Hash{9}, Success: true}, &userop.Receipt{UserOpHash: common.Hash{1}, Success: true}}
		_, err := newSender(t, s).Watch(common.Hash{1}).Wait(t.Context())
		require.NoError(t, err, "it is asked again")
		require.Equal(t, 2, s.count("receipt"))
	})
}

func TestFault11CallersFeesAreIntegersAndKept(t *testing.T) {
	s, signed := newServices(), 0
	draft := newDraft(&signed)
	draft.Fees = userop.Fees{MaxFeePerGas: *uint256.NewInt(1_500_000_000), MaxPriorityFeePerGas: *uint256.NewInt(1_500_000_000)}
	_, err := newSender(t, s).Send(t.Context(), draft)
	require.NoError(t, err)
	require.Equal(t, "0x59682f00", s.sends()[0].MaxFeePerGas.Hex(), "1.5 gwei stay 1.5 gwei")
}

func TestFault12NonceErrorsAreErrors(t *testing.T) {
	s, signed := newServices(), 0
	draft := newDraft(&signed)
	draft.Nonce = func(context.Context) (uint256.Int, error) { return uint256.Int{}, errors.New("execution aborted") }
	_, err := newSender(t, s).Send(t.Context(), draft)
	require.ErrorContains(t, err, "prepare: execution aborted")
	require.Empty(t, s.sends())
}

func TestNewSenderRefusesHalfAConfig(t *testing.T) {
	s := newServices()
	for want, cfg := range map[string]userop.SenderConfig{
		"userop: sender without a chain ID":    {EntryPoint: entryPoint, Bundler: s},
		"userop: sender without an EntryPoint": {ChainID: 1, Bundler: s},
		"userop: sender without a bundler":     {ChainID: 1, EntryPoint: entryPoint},
	} {
		_, err := userop.NewSender(cfg)
		require.EqualError(t, err, want)
	}
}

func TestFault10OneBadAnswerDoesNotEndAWait(t *testing.T) {
	s := newServices()
	s.receipts = []any{passing{}, userop.ErrNotFound, passing{delivered: true}, &userop.Receipt{UserOpHash: common.Hash{1}, Success: true}}
	_, err := newSender(t, s).Watch(common.Hash{1}).Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, 4, s.count("receipt"), "the first receipt is enough, and nothing is asked after it")
}

// errUsedUp is how a bundler answers an operation whose nonce is used up.
var errUsedUp = verdict{}

func TestARefusalAfterALostAnswerMayBeTheOperationsOwnInclusion(t *testing.T) {
	t.Run("it was included", func(t *testing.T) {
		s, signed := newServices(), 0
		s.sendErrs = []error{passing{delivered: true}, errUsedUp}
		s.receipts = []any{&userop.Receipt{UserOpHash: hashOfDraft(t), Success: true}}
		pending, err := newSender(t, s).Send(t.Context(), newDraft(&signed))
		require.NoError(t, err)
		require.Equal(t, s.sends()[0].Hash(entryPoint, testChainID), pending.Hash())
	})
	t.Run("nobody knows", func(t *testing.T) {
		s, signed := newServices(), 0
		s.sendErrs = []error{passing{delivered: true}, errUsedUp}
		_, err := newSender(t, s).Send(t.Context(), newDraft(&signed))
		require.ErrorIs(t, err, errUsedUp)
		require.ErrorContains(t, err, "an earlier try may have been accepted: its answer got lost")
		require.ErrorContains(t, err, "(tried again after: 503 service unavailable)", "what failed first is not hidden")
		require.ErrorIs(t, err, passing{delivered: true})
		require.True(t, userop.MayBeAccepted(err))
		require.False(t, userop.SafeToRetry(err))
		require.Len(t, s.sends(), 2)
	})
	t.Run("the first try never arrived", func(t *testing.T) {
		s, signed := newServices(), 0
		s.sendErrs = []error{passing{}, errUsedUp}
		_, err := newSender(t, s).Send(t.Context(), newDraft(&signed))
		require.False(t, userop.MayBeAccepted(err))
	})
}

func TestWhatIsResentMayHaveLandedBefore(t *testing.T) {
	op := &userop.Operation{Sender: sender}
	hash := op.Hash(entryPoint, testChainID)
	t.Run("it was included", func(t *testing.T) {
		s := newServices()
		s.sendErrs = []error{errUsedUp}
		s.receipts = []any{&userop.Receipt{UserOpHash: hash, Success: true}}
		pending, err := newSender(t, s).Resend(t.Context(), op)
		require.NoError(t, err)
		require.Equal(t, hash, pending.Hash())
	})
	for name, refusal := range map[string]error{"its nonce is used": errUsedUp, "the bundler is out of reach": passing{}} {
		t.Run(name, func(t *testing.T) {
			s := newServices()
			s.sendErrs = []error{refusal, refusal, refusal}
			s.receipts = []any{userop.ErrNotFound}
			_, err := newSender(t, s).Resend(t.Context(), op)
			require.ErrorIs(t, err, refusal)
			require.True(t, userop.MayBeAccepted(err))
			require.False(t, userop.SafeToRetry(err))
		})
	}
}

func TestResendWithoutAnOperation(t *testing.T) {
	s, signed := newServices(), 0
	s.sponsorErr = errNode
	sender := newSender(t, s)
	_, err := sender.Send(t.Context(), newDraft(&signed))
	var failed *userop.Error
	require.ErrorAs(t, err, &failed)
	_, err = sender.Resend(t.Context(), failed.Operation)
	require.EqualError(t, err, "user operation of 0x0000000000000000000000000000000000000000: check: no operation to send again: what failed before it was signed is to be sent anew")
	require.False(t, userop.MayBeAccepted(err))
}

// forgetful is a bundler that says which operations it dropped.
type forgetful struct {
	*services
	dropped bool
}

func (f forgetful) UserOperationDropped(context.Context, common.Hash) (bool, error) {
	return f.dropped, nil
}

// hashOfDraft is the userOpHash of newDraft's operation.
func hashOfDraft(t *testing.T) common.Hash {
	t.Helper()
	op, err := newSender(t, newServices()).Build(t.Context(), newDraft(new(int)))
	require.NoError(t, err)
	return op.Hash(entryPoint, testChainID)
}

func TestWaitDoesNotEndWhenTheBundlerSaysItDroppedTheOperation(t *testing.T) {
	for _, dropped := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			sender, err := userop.NewSender(userop.SenderConfig{
				ChainID: testChainID, EntryPoint: entryPoint, Bundler: forgetful{newServices(), dropped}, WaitTimeout: time.Minute,
			})
			require.NoError(t, err)
			start := time.Now()
			_, err = sender.Watch(common.Hash{1}).Wait(t.Context())
			require.Equal(t, dropped, errors.Is(err, userop.ErrDropped), "it is what the bundler said last")
			require.True(t, userop.MayBeAccepted(err))
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.Equal(t, time.Minute, time.Since(start))
		})
	}
}

func TestWaitPollsSoonAndThenLessOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServices()
		sender := newSender(t, s)
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		s.receipts = []any{userop.ErrNotFound, userop.ErrNotFound, &userop.Receipt{UserOpHash: common.Hash{1}, Success: true}}
		_, err := sender.Watch(common.Hash{1}).Wait(ctx)
		require.NoError(t, err)
		require.InDelta(t, 950*time.Millisecond, time.Since(start), float64(100*time.Millisecond), "200, 300 and 450 ms")

		s = newServices()
		_, err = newSender(t, s).Watch(common.Hash{1}).Wait(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.InDelta(t, 18, s.count("receipt"), 2, "every 2 s in the end")
	})
}

// stuck is a bundler that leaves a question without an answer now and then, as connections do that died
// unnoticed.
type stuck struct {
	*services
	every int
}

func (b stuck) UserOperationReceipt(ctx context.Context, hash common.Hash) (*userop.Receipt, error) {
	receipt, err := b.services.UserOperationReceipt(ctx, hash)
	if b.count("receipt")%b.every == 1 {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return receipt, err
}

func (b stuck) UserOperationDropped(ctx context.Context, _ common.Hash) (bool, error) {
	<-ctx.Done()
	return false, ctx.Err()
}

func TestAQuestionThatIsNeverAnsweredDoesNotTakeTheWholeWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServices()
		for range 10 {
			s.receipts = append(s.receipts, userop.ErrNotFound)
		}
		s.receipts = append(s.receipts, &userop.Receipt{UserOpHash: common.Hash{1}, Success: true})
		sender, err := userop.NewSender(userop.SenderConfig{ChainID: testChainID, EntryPoint: entryPoint, Bundler: stuck{s, 5}})
		require.NoError(t, err)
		_, err = sender.Watch(common.Hash{1}).Wait(t.Context())
		require.NoError(t, err)
	})
}
