package userop_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/userop"
)

func TestEstimateTellsGasAndWeiByPart(t *testing.T) {
	s, signed := newServices(), 0
	estimate, err := newSender(t, s).Estimate(t.Context(), newDraft(&signed))
	require.NoError(t, err)
	require.Zero(t, signed)
	require.Zero(t, s.count("send"))
	require.Equal(t, "1000", estimate.Gas.CallGasLimit.Dec())
	require.Equal(t, s.fees, estimate.Fees)
	require.Equal(t, sponsor, estimate.Paymaster)
	require.Equal(t, "2000000000000", estimate.Cost.Call.Dec())
	require.Equal(t, "12000000000000", estimate.Cost.Verification.Dec(), "counted thrice")
	require.Equal(t, "6000000000000", estimate.Cost.PreVerification.Dec())
	total := estimate.Cost.Total()
	require.Equal(t, "20000000000000", total.Dec())

	draft := newDraft(&signed)
	draft.Sponsored = false
	estimate, err = newSender(t, s).Estimate(t.Context(), draft)
	require.NoError(t, err)
	require.Equal(t, common.Address{}, estimate.Paymaster)
	require.Equal(t, "400000000000", estimate.Cost.Verification.Dec())
}

func TestEstimateShowsWhatACapWouldRefuse(t *testing.T) {
	s, signed := newServices(), 0
	draft := newDraft(&signed)
	draft.Caps.MaxCost = uint256.NewInt(1)
	estimate, err := newSender(t, s).Estimate(t.Context(), draft)
	require.NoError(t, err)
	total := estimate.Cost.Total()
	require.Equal(t, "20000000000000", total.Dec())
	_, err = newSender(t, s).Send(t.Context(), draft)
	require.ErrorIs(t, err, userop.ErrCap)
}

func TestEstimateIsThePrefund(t *testing.T) {
	most := new(uint256.Int).SetAllOne()
	for _, op := range []userop.Operation{
		{},
		printable(),
		{VerificationGasLimit: *most, MaxFeePerGas: *uint256.NewInt(1), PaymasterAndData: sponsor.Bytes()},
		{CallGasLimit: *most, PreVerificationGas: *most, MaxFeePerGas: *uint256.NewInt(1)},
		{CallGasLimit: *most, MaxFeePerGas: *most},
	} {
		prefund, _ := op.Prefund()
		total := op.Estimate().Cost.Total()
		require.Equal(t, prefund.Dec(), total.Dec())
	}
}

func TestOverridesAreForTheBundlerEvenWhenSponsored(t *testing.T) {
	s, signed := newServices(), 0
	draft := newDraft(&signed)
	draft.Overrides = userop.StateOverride{sender: {}}
	_, err := newSender(t, s).Send(t.Context(), draft)
	require.NoError(t, err)
	require.Equal(t, []string{"sponsor", "estimate", "sponsor", "send"}, s.log[len(s.log)-4:])
	require.False(t, s.asked[0].CalculateGasLimits)
	require.Equal(t, "100", s.sends()[0].CallGasLimit.Dec(), "as the bundler estimated")
}

func TestMarginsAreByField(t *testing.T) {
	s, signed := newServices(), 0
	draft := newDraft(&signed)
	s.sponsorship.VerificationGasLimit = uint256.NewInt(2001)
	draft.Margins = userop.Margins{VerificationGasLimit: 7, MaxPriorityFeePerGas: 33}
	_, err := newSender(t, s).Send(t.Context(), draft)
	require.NoError(t, err)
	op := s.sends()[0]
	require.Equal(t, []string{"1000", "2142", "3000", "2000000000", "1330000000"}, []string{
		op.CallGasLimit.Dec(), op.VerificationGasLimit.Dec(), op.PreVerificationGas.Dec(), op.MaxFeePerGas.Dec(), op.MaxPriorityFeePerGas.Dec(),
	})
	draft.Margins = userop.Margins{CallGasLimit: math.MaxUint}
	_, err = newSender(t, s).Send(t.Context(), draft)
	require.NoError(t, err)
	require.Equal(t, "184467440737095517150", s.sends()[1].CallGasLimit.Dec(), "an absurd margin does not wrap around")
	draft.Margins = userop.Margins{MaxPriorityFeePerGas: 101}
	_, err = newSender(t, s).Send(t.Context(), draft)
	require.ErrorContains(t, err, "gas price: with their margins the priority fee of 2010000000 wei is above the maximum fee of 2000000000 wei; raise that one too")
}

func ExampleOperation_Estimate() {
	op := userop.Operation{
		CallGasLimit:         *uint256.NewInt(90_000),
		VerificationGasLimit: *uint256.NewInt(120_000),
		PreVerificationGas:   *uint256.NewInt(48_000),
		MaxFeePerGas:         *uint256.NewInt(2_000_000_000),
	}
	estimate := op.Estimate()
	total := estimate.Cost.Total()
	fmt.Println("total:", total.Dec(), "wei")
	fmt.Println(estimate)
	// Output:
	// total: 516000000000000 wei
	// at most 516000000000000 wei (180000000000000 call + 240000000000000 verification + 96000000000000 pre-verification), paid by the account: gas 90000 call + 120000 verification + 48000 pre-verification; fee at most 2000000000 wei per gas, tip 0
}

func TestEstimatesPrintInWords(t *testing.T) {
	op := printable()
	require.Equal(t, "at most 1500000000000 wei (150000000000 call + 900000000000 verification + 450000000000 pre-verification), "+
		"paid by paymaster "+sponsor.Hex()+": gas 100 call + 200 verification + 300 pre-verification; fee at most 1500000000 wei per gas, tip 5",
		fmt.Sprint(op.Estimate()))
}
