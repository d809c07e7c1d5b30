package account_test

import (
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/userop"
)

// The token paymaster takes its fee after the calls. What they do to the tokens decides whether it can.
func TestAFeeAfterCallsThatTouchTheTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token, at := w.chain.Contracts.Token6, w.chain.Contracts.TokenPaymaster
	const funds = 100_000_000
	done(t)(w.owner.Deploy(t.Context(), account.Sponsored()))
	approve := func(amount uint64) account.Call {
		return account.Call{To: token, Data: contracts.Approve(at, *uint256.NewInt(amount))}
	}
	spend := func(amount uint64) account.Call {
		return account.Call{To: token, Data: contracts.Transfer(stranger, *uint256.NewInt(amount))}
	}
	fee := userop.FeeQuote{Token: token, Decimals: 6, Symbol: "DEMO6", MaxFee: *uint256.NewInt(20_000_000), Paymaster: at}
	for name, test := range map[string]struct {
		allowed uint64
		call    account.Call
		opts    []account.Option
		taken   bool
		text    string
	}{
		"takes the allowance back": {60_000_000, approve(0), nil, true, "after the calls, which left too little of the token or of its allowance, token paymaster "},
		"spends the tokens":        {60_000_000, spend(funds), nil, true, "so that they were undone; it took "},
		"spends what is approved":  {0, spend(funds), []account.Option{account.ApproveExact()}, false, "could not take its fee of "},
		"nothing allowed":          {0, w.mint(t, w.user.Address()), []account.Option{account.Unchecked()}, false, "could not take its fee of "},
		"nothing left":             {60_000_000, w.mint(t, w.user.Address()), nil, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w.giveTokens(t, token, funds-w.balance(t, token, w.owner.Address()))
			done(t)(w.owner.Send(t.Context(), []account.Call{approve(test.allowed)}, account.Sponsored()))
			tx, err := w.owner.Send(t.Context(), []account.Call{test.call}, append(test.opts, account.PayWith(fee), enough)...)
			require.NoError(t, err)
			receipt, err := tx.Wait(t.Context())
			require.NotNil(t, receipt)
			paid, ok := w.client.TokenFee(receipt)
			require.Equal(t, test.taken, ok)
			taken := uint64(funds) - w.balance(t, token, w.owner.Address())
			require.Equal(t, test.taken, taken > 0)
			require.Equal(t, taken, paid.Amount.Uint64(), "what is told is what was taken")
			if test.taken {
				require.Equal(t, token, paid.Token)
			}
			if test.text == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, account.ErrFunds)
			require.ErrorContains(t, err, test.text)
			require.ErrorContains(t, err, "of token "+token.Hex()+" from account "+w.owner.Address().Hex())

			// As a bundler tells that has the logs of its whole bundle, in which the account does more.
			other := *receipt
			other.UserOpHash = common.Hash{1}
			event := &types.Log{Address: w.chain.Contracts.EntryPoint, Topics: []common.Hash{contracts.UserOperationEventTopic, other.UserOpHash}}
			other.Logs = append(slices.Clone(receipt.Logs), event)
			_, ok = w.client.TokenFee(&other)
			require.False(t, ok)
			require.NoError(t, account.ExplainFailure(w.client, &other))
			receipt.Logs = append([]*types.Log{event}, receipt.Logs...)
			again, _ := w.client.TokenFee(receipt)
			require.Equal(t, paid, again)
			require.ErrorIs(t, account.ExplainFailure(w.client, receipt), account.ErrFunds)
		})
	}
}

func TestMaxFeeIsHeldAgainstAllThatIsCharged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.chain.Contracts.Token6
	w.giveTokens(t, token, 1_000_000_000)
	done(t)(w.owner.Deploy(t.Context(), account.Sponsored()))
	calls := []account.Call{w.mint(t, w.user.Address())}
	fees := account.WithFees(userop.Fees{MaxFeePerGas: *uint256.NewInt(5e9), MaxPriorityFeePerGas: *uint256.NewInt(5e9)})
	q := quote(t, w.owner, token, calls, account.ApproveUnlimited(), fees, enough)
	op, err := w.owner.Build(t.Context(), calls, account.PayWith(q), account.ApproveUnlimited(), fees, enough)
	require.NoError(t, err)
	terms, err := contracts.DecodeTokenPaymasterData(op.PaymasterAndData)
	require.NoError(t, err)
	gas := new(uint256.Int).Add(&op.CallGasLimit, &op.VerificationGasLimit)
	gas.Add(gas, &op.PreVerificationGas).AddUint64(gas, 45_000) // the paymaster's own, for what nobody counts
	fee, err := terms.Fee(gas.Mul(gas, &op.MaxFeePerGas))
	require.NoError(t, err)

	q.MaxFee.SubUint64(&fee, 1)
	_, err = w.owner.Send(t.Context(), calls, account.PayWith(q), account.ApproveUnlimited(), fees, enough)
	require.ErrorIs(t, err, account.ErrNotAsQuoted)
	require.ErrorContains(t, err, "the paymaster takes up to "+fee.Dec()+" of token")
	q.MaxFee = fee
	done(t)(w.owner.Send(t.Context(), calls, account.PayWith(q), account.ApproveUnlimited(), fees, enough))
}
