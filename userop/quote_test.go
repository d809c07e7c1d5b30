package userop_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/userop"
)

// quoter are services whose paymaster takes tokens.
type quoter struct {
	*services
	quotes userop.FeeQuotes
	err    error
	op     *userop.Operation
	req    userop.QuoteRequest
}

func (q *quoter) FeeQuotes(_ context.Context, op *userop.Operation, req userop.QuoteRequest) (userop.FeeQuotes, error) {
	q.note("quote")
	q.op, q.req = op.Clone(), req
	return q.quotes, q.err
}

func (q *quoter) sender(t *testing.T) *userop.Sender {
	t.Helper()
	s, err := userop.NewSender(userop.SenderConfig{ChainID: testChainID, EntryPoint: entryPoint, Bundler: q.services, Paymaster: q})
	require.NoError(t, err)
	return s
}

func TestFeeQuotes(t *testing.T) {
	quote := userop.FeeQuote{Token: common.Address{1}, MaxFee: *uint256.NewInt(5)}
	q, signed := &quoter{services: newServices(), quotes: userop.FeeQuotes{Quotes: []userop.FeeQuote{quote}}}, 0
	draft := newDraft(&signed)
	quotes, err := q.sender(t).FeeQuotes(t.Context(), draft, common.Address{1}, common.Address{2})
	require.NoError(t, err)
	require.Equal(t, q.quotes, quotes)
	require.Equal(t, userop.QuoteRequest{Tokens: []common.Address{{1}, {2}}, CalculateGasLimits: true}, q.req)
	require.Equal(t, &userop.Operation{
		Sender: sender, Nonce: *uint256.NewInt(7), CallData: draft.CallData, Signature: []byte("dummy"),
		MaxFeePerGas: q.fees.MaxFeePerGas, MaxPriorityFeePerGas: q.fees.MaxPriorityFeePerGas,
	}, q.op)
	require.Zero(t, signed)
	require.Zero(t, q.count("sponsor"))

	found, ok := quotes.For(common.Address{1})
	require.True(t, ok)
	require.Equal(t, quote, found)
	_, ok = quotes.For(common.Address{2})
	require.False(t, ok)
}

func TestFeeQuotesOfFixedLimits(t *testing.T) {
	q, signed := &quoter{services: newServices()}, 0
	draft := newDraft(&signed)
	draft.Gas = userop.Gas{CallGasLimit: *uint256.NewInt(1), VerificationGasLimit: *uint256.NewInt(2), PreVerificationGas: *uint256.NewInt(3)}
	_, err := q.sender(t).FeeQuotes(t.Context(), draft)
	require.NoError(t, err)
	require.False(t, q.req.CalculateGasLimits)
	require.Empty(t, q.req.Tokens)
	require.Equal(t, draft.Gas, q.op.Gas())
}

func TestFeeQuotesAreForTheCallersMarginsAndLimits(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*userop.Draft)
		gas    [3]uint64
	}{
		"margins":   {func(d *userop.Draft) { d.Margins.CallGasLimit, d.Margins.PreVerificationGas = 50, 1 }, [3]uint64{150, 200, 303}},
		"a limit":   {func(d *userop.Draft) { d.Gas.CallGasLimit.SetUint64(9) }, [3]uint64{9, 200, 300}},
		"overrides": {func(d *userop.Draft) { d.Overrides = userop.StateOverride{sender: {}} }, [3]uint64{100, 200, 300}},
	} {
		t.Run(name, func(t *testing.T) {
			q, signed := &quoter{services: newServices()}, 0
			draft := newDraft(&signed)
			test.change(&draft)
			_, err := q.sender(t).FeeQuotes(t.Context(), draft)
			require.NoError(t, err)
			require.Equal(t, 1, q.count("estimate"))
			require.False(t, q.req.CalculateGasLimits, "the service must not put its own limits in their place")
			gas := q.op.Gas()
			require.Equal(t, test.gas, [3]uint64{gas.CallGasLimit.Uint64(), gas.VerificationGasLimit.Uint64(), gas.PreVerificationGas.Uint64()})

			q.estimateErr = errNode
			_, err = q.sender(t).FeeQuotes(t.Context(), draft)
			require.EqualError(t, err, fmt.Sprintf("user operation of %s: estimate: node says no", sender))
		})
	}
}

func TestFeeQuotesFail(t *testing.T) {
	q, signed := &quoter{services: newServices(), err: errors.New("no tokens today")}, 0
	_, err := q.sender(t).FeeQuotes(t.Context(), newDraft(&signed))
	require.EqualError(t, err, fmt.Sprintf("user operation of %s: quote: no tokens today", sender))
	_, err = q.sender(t).FeeQuotes(t.Context(), userop.Draft{Sender: sender})
	require.EqualError(t, err, fmt.Sprintf("user operation of %s: check: no call data", sender))
	_, err = newSender(t, q.services).FeeQuotes(t.Context(), newDraft(&signed))
	require.EqualError(t, err, fmt.Sprintf("user operation of %s: check: no paymaster that quotes fees in tokens is configured: *userop_test.services does not, and a wrapper around one that does says what it wraps by a method Unwrap() userop.Paymaster", sender))

	draft := newDraft(&signed)
	draft.Nonce = func(context.Context) (uint256.Int, error) { return uint256.Int{}, errNode }
	_, err = q.sender(t).FeeQuotes(t.Context(), draft)
	require.ErrorIs(t, err, errNode)
}

func TestThePayerOfLastResortIsTheAccountOnlyWhenAsked(t *testing.T) {
	orSelf := func(d *userop.Draft) { d.OrSelf = true }
	refused := fmt.Errorf("policy: %w", userop.ErrNotSponsored)
	for name, test := range map[string]struct {
		change     func(*userop.Draft)
		sponsorErr error
		selfPaid   bool
	}{
		"sponsored":            {orSelf, nil, false},
		"refused":              {orSelf, refused, true},
		"refused, not asked":   {func(*userop.Draft) {}, refused, false},
		"out of reach":         {orSelf, passing{}, false},
		"another verdict":      {orSelf, verdict{}, false},
		"refused, with limits": {func(d *userop.Draft) { d.OrSelf, d.Gas.CallGasLimit = true, *uint256.NewInt(9) }, refused, true},
	} {
		t.Run(name, func(t *testing.T) {
			s, signed := newServices(), 0
			s.sponsorErr = test.sponsorErr
			draft := newDraft(&signed)
			test.change(&draft)
			_, err := newSender(t, s).Send(t.Context(), draft)
			if test.sponsorErr != nil && !test.selfPaid {
				require.ErrorIs(t, err, test.sponsorErr)
				require.Empty(t, s.sends())
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.selfPaid, len(s.sends()[0].PaymasterAndData) == 0)
			if test.selfPaid {
				require.Equal(t, s.gas.VerificationGasLimit, s.sends()[0].VerificationGasLimit, "as the bundler estimates")
			}
			if draft.Gas != (userop.Gas{}) {
				require.Equal(t, draft.Gas.CallGasLimit, s.sends()[0].CallGasLimit)
			}
		})
	}
}

func TestSelfPaymentIsHeldAgainstTheCaps(t *testing.T) {
	s, signed := newServices(), 0
	s.sponsorErr = userop.ErrNotSponsored
	draft := newDraft(&signed)
	draft.OrSelf, draft.Caps.CallGasLimit = true, uint256.NewInt(99)
	_, err := newSender(t, s).Send(t.Context(), draft)
	require.ErrorIs(t, err, userop.ErrCap)
	require.Zero(t, signed)
}

func TestOrSelfNeedsASponsorshipToStandInFor(t *testing.T) {
	s, signed := newServices(), 0
	for _, change := range []func(*userop.Draft){
		func(d *userop.Draft) { d.Sponsored = false },
		func(d *userop.Draft) { d.FeeToken = &sponsor },
	} {
		draft := newDraft(&signed)
		draft.OrSelf = true
		change(&draft)
		_, err := newSender(t, s).Send(t.Context(), draft)
		require.ErrorContains(t, err, "check: paying itself stands in for a sponsorship without a fee token")
	}
}

func TestAcceptHasTheLastWordBeforeTheSignature(t *testing.T) {
	s, signed := newServices(), 0
	draft := newDraft(&signed)
	draft.Accept = func(op *userop.Operation) error {
		require.Equal(t, s.sponsorship.PaymasterAndData, op.PaymasterAndData)
		require.Equal(t, "1000", op.CallGasLimit.Dec())
		return errNode
	}
	_, err := newSender(t, s).Send(t.Context(), draft)
	require.ErrorIs(t, err, errNode)
	require.ErrorContains(t, err, "check: node says no")
	require.Zero(t, signed)
	require.Zero(t, s.count("send"))
}

func TestCallDataMayDependOnWhatIsRead(t *testing.T) {
	s, signed := newServices(), 0
	draft := newDraft(&signed)
	draft.CallData = nil
	draft.Compose = func(context.Context) ([]byte, error) { return []byte{9}, nil }
	_, err := newSender(t, s).Send(t.Context(), draft)
	require.NoError(t, err)
	require.Equal(t, []byte{9}, s.sends()[0].CallData)

	draft.Compose = func(context.Context) ([]byte, error) { return nil, errNode }
	_, err = newSender(t, s).Send(t.Context(), draft)
	require.ErrorIs(t, err, errNode)
	require.ErrorContains(t, err, "prepare: node says no")
	require.Len(t, s.sends(), 1)
}
