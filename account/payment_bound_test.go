package account_test

import (
	"context"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/paymaster"
	"github.com/go-sesame/sesame/userop"
)

// crookedPaymaster answers otherwise than the paymaster within.
type crookedPaymaster struct {
	*paymaster.Client
	oracle   common.Address // asked for the price, unless zero
	decimals uint8          // said of each token, unless zero
}

func (p crookedPaymaster) SponsorUserOperation(ctx context.Context, op *userop.Operation, req userop.SponsorRequest) (userop.Sponsorship, error) {
	answer, err := p.Client.SponsorUserOperation(ctx, op, req)
	if err != nil || p.oracle == (common.Address{}) {
		return answer, err
	}
	data, err := contracts.DecodeTokenPaymasterData(answer.PaymasterAndData)
	data.Source, data.Oracle = 1, p.oracle
	answer.PaymasterAndData = data.Pack()
	return answer, err
}

func (p crookedPaymaster) FeeQuotes(ctx context.Context, op *userop.Operation, req userop.QuoteRequest) (userop.FeeQuotes, error) {
	quotes, err := p.Client.FeeQuotes(ctx, op, req)
	for i := range quotes.Quotes {
		if q := &quotes.Quotes[i]; p.decimals != 0 {
			*q = misread(*q, p.decimals)
		}
	}
	return quotes, err
}

// misread is the quote as it comes out where the service says other decimals.
func misread(q userop.FeeQuote, decimals uint8) userop.FeeQuote {
	for ; q.Decimals < decimals; q.Decimals++ {
		q.MaxFee.Mul(&q.MaxFee, uint256.NewInt(10))
	}
	for ; q.Decimals > decimals; q.Decimals-- {
		q.MaxFee.Div(&q.MaxFee, uint256.NewInt(10))
	}
	return q
}

// crooked is the owner's account at such a paymaster, and how often the owner signed.
func (w *world) crooked(t *testing.T, p crookedPaymaster, oracles ...common.Address) (*account.OwnedAccount, *int) {
	t.Helper()
	p.Client = w.config.Paymaster.(*paymaster.Client)
	config, signed := w.config, new(int)
	config.Paymaster, config.TokenOracles = p, oracles
	return newClient(t, config).OwnedAccount(countingOwner{w.owner.Owner(), signed}), signed
}

func TestAnOracleThatTheServiceNamesIsBoundedByTheAllowance(t *testing.T) {
	w := newWorld(t)
	token := w.chain.Contracts.Token6
	w.giveTokens(t, token, 100_000_000)
	calls := []account.Call{w.mint(t, w.user.Address())}
	q := quote(t, w.owner, token, calls, account.ApproveExact())
	crook := crookedPaymaster{oracle: stranger}

	refused := func(opts ...account.Option) {
		t.Helper()
		owner, signed := w.crooked(t, crook)
		_, err := owner.Send(t.Context(), calls, append(opts, account.PayWith(q))...)
		require.ErrorIs(t, err, account.ErrNotAsQuoted)
		require.ErrorContains(t, err, "nothing bounds the fee: the paymaster asks oracle "+stranger.Hex()+" for the price, and is allowed to take ")
		require.ErrorContains(t, err, "where the quote's MaxFee is "+q.MaxFee.Dec()+"; have the owner lower the allowance and pay with ApproveExact, or name the oracle in Config.TokenOracles")
		require.Zero(t, *signed)
	}
	signs := func(owner *account.OwnedAccount, signed *int, opts ...account.Option) {
		t.Helper()
		_, err := owner.Send(t.Context(), calls, append(opts, account.PayWith(q))...)
		require.ErrorContains(t, err, "AA3", "the signature is not the service's: the oracle was put into its answer")
		require.Equal(t, 1, *signed)
	}
	refused(account.ApproveUnlimited())
	refused(account.ApproveUpTo(uint256.NewInt(90_000_000)))
	owner, signed := w.crooked(t, crook)
	signs(owner, signed, account.ApproveExact())
	owner, signed = w.crooked(t, crook, stranger)
	signs(owner, signed, account.ApproveUnlimited())

	done(t)(w.owner.Send(t.Context(), []account.Call{{To: token, Data: contracts.Approve(w.chain.Contracts.TokenPaymaster, *new(uint256.Int).SetAllOne())}}, account.Sponsored()))
	refused()
	refused(account.ApproveExact())
	refused(account.Unchecked())
	done(t)(w.owner.Send(t.Context(), calls, account.PayWith(q)))
}

func TestAQuotesDecimalsAreTheTokensOwn(t *testing.T) {
	w := newWorld(t)
	token := w.chain.Contracts.Token6
	w.giveTokens(t, token, 1_000_000_000)
	calls := []account.Call{w.mint(t, w.user.Address())}
	exact := account.ApproveExact()
	for _, decimals := range []uint8{8, 18, 5} {
		owner, signed := w.crooked(t, crookedPaymaster{decimals: decimals})
		for _, opts := range [][]account.Option{nil, {exact}} {
			honest, corrected := quote(t, w.owner, token, calls, opts...), quote(t, owner, token, calls, opts...)
			require.EqualValues(t, 6, corrected.Decimals)
			require.InDelta(t, honest.MaxFee.Uint64(), corrected.MaxFee.Uint64(), float64(honest.MaxFee.Uint64())/50, "the same amount as it is written")
		}
		all, err := owner.FeeQuotes(t.Context(), calls, nil)
		require.NoError(t, err)
		for _, q := range all.Quotes {
			require.EqualValues(t, map[common.Address]uint8{w.chain.Contracts.Token: 18, token: 6, w.chain.Contracts.ResetToken: 6}[q.Token], q.Decimals)
		}

		wrong := misread(quote(t, w.owner, token, calls, exact), decimals)
		for _, opts := range [][]account.Option{{exact}, {account.ApproveUnlimited()}, nil, {exact, account.Unchecked()}} {
			_, err := owner.Send(t.Context(), calls, append(opts, account.PayWith(wrong))...)
			require.ErrorIs(t, err, account.ErrNotAsQuoted)
			require.ErrorContains(t, err, "decimals, the token itself has 6: its MaxFee of "+wrong.MaxFee.Dec()+" is another amount than it seems; FeeQuotes asks for a new quote, and sets the decimals right")
		}
		require.Zero(t, *signed)
	}
	left := w.allowance(t, token)
	require.True(t, left.IsZero())
}

func TestTheTokenPaymasterWantsVerificationGas(t *testing.T) {
	w := newWorld(t)
	token := w.chain.Contracts.Token6
	w.giveTokens(t, token, 100_000_000)
	calls := []account.Call{w.mint(t, w.user.Address())}
	q := quote(t, w.owner, token, calls, account.ApproveExact())
	_, err := w.owner.Send(t.Context(), calls, account.PayWith(q), account.ApproveExact(), account.WithGas(userop.Gas{VerificationGasLimit: *uint256.NewInt(45_000)}))
	require.ErrorIs(t, err, account.ErrConfig)
	require.ErrorContains(t, err, "verificationGasLimit is 45000 gas, the token paymaster wants more than 45000 to take its fee; leave it to the service, or raise it with WithGas or WithMargins")
}

func TestAFeeThatCouldNotBeTakenIsNamed(t *testing.T) {
	client := offlineClient(t)
	word := func(a common.Address) common.Hash { return common.BytesToHash(a[:]) }
	due := func(by, account common.Address) *types.Log {
		return &types.Log{Address: by, Topics: []common.Hash{contracts.TokenPaymentDueTopic, word(stranger), word(account), {31: 77}}}
	}
	ours := client.Contracts().TokenPaymaster
	others := []*types.Log{{Address: ours}, due(stranger, laneUser), due(ours, stranger)}
	receipt := &userop.Receipt{Sender: laneUser, Logs: append(others, due(ours, laneUser))}
	err := account.ExplainFailure(client, receipt)
	require.ErrorIs(t, err, account.ErrFunds)
	require.EqualError(t, err, "insufficient funds: token paymaster "+ours.Hex()+" could not take its fee of 77 of token "+stranger.Hex()+" from account "+laneUser.Hex()+", so that the calls were undone")
	require.NoError(t, account.ExplainFailure(client, &userop.Receipt{Sender: laneUser, Logs: others}))
	receipt.RevertData = []byte{1}
	require.NoError(t, account.ExplainFailure(client, receipt), "the call itself failed")
}

// A fee of half a token, rounded up to whole ones, is twice as much; of a tenth of a cent it is a fortune.
func TestAQuoteRoundedToTooFewDecimalsIsRefused(t *testing.T) {
	w := newWorld(t)
	token := w.chain.Contracts.Token6
	calls := []account.Call{w.mint(t, w.user.Address())}
	for _, decimals := range []uint8{0, 2} {
		config := w.config
		config.Paymaster = roundingPaymaster{w.config.Paymaster.(*paymaster.Client), decimals}
		_, err := newClient(t, config).OwnedAccount(w.owner.Owner()).FeeQuotes(t.Context(), calls, []common.Address{token})
		require.ErrorIs(t, err, account.ErrNotAsQuoted)
		require.ErrorContains(t, err, "the token has 6: rounded up to ")
	}
}

// roundingPaymaster quotes in so many decimals, rounded up.
type roundingPaymaster struct {
	*paymaster.Client
	decimals uint8
}

func (p roundingPaymaster) FeeQuotes(ctx context.Context, op *userop.Operation, req userop.QuoteRequest) (userop.FeeQuotes, error) {
	quotes, err := p.Client.FeeQuotes(ctx, op, req)
	for i := range quotes.Quotes {
		q := &quotes.Quotes[i]
		*q = misread(*q, p.decimals)
		q.MaxFee.AddUint64(&q.MaxFee, 1)
	}
	return quotes, err
}
