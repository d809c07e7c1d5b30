package account_test

import (
	"fmt"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/paymaster"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// holds returns what an address has of the chain's own currency.
func (w *world) holds(t *testing.T, who common.Address) *uint256.Int {
	t.Helper()
	wei, err := w.chain.Client().BalanceAt(t.Context(), who, nil)
	require.NoError(t, err)
	return uint256.MustFromBig(wei)
}

func TestWithdrawSomeAndAll(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	at := w.chain.Contracts
	w.fund(t, 3)
	w.handTokens(t, at.Token, w.owner.Address(), 1000)
	w.handTokens(t, at.Token6, w.owner.Address(), 50)
	friend := common.HexToAddress("0xF00D00000000000000000000000000000000F00D")

	done(t)(w.owner.Withdraw(t.Context(), []account.Withdrawal{
		{Token: at.Token, To: stranger, All: true},
		{Token: at.Token, To: friend, Amount: *uint256.NewInt(100)},
		{Token: at.ResetToken, To: stranger, All: true}, // of nothing
		{Token: at.Token6, To: stranger, Amount: *uint256.NewInt(20)},
		{To: friend, Amount: *uint256.NewInt(1e18)},
		{To: stranger, All: true},
	}, account.Sponsored()))
	require.Equal(t, uint64(900), w.balance(t, at.Token, stranger))
	require.Equal(t, uint64(100), w.balance(t, at.Token, friend))
	require.Equal(t, uint64(20), w.balance(t, at.Token6, stranger))
	require.Equal(t, uint64(30), w.balance(t, at.Token6, w.owner.Address()))
	require.Equal(t, uint256.NewInt(1e18), w.holds(t, friend))
	require.Equal(t, uint256.NewInt(2e18), w.holds(t, stranger))
	require.True(t, w.holds(t, w.owner.Address()).IsZero(), "sponsored, nothing has to stay")
}

func TestWithdrawAllLeavesRoomForGasUnlessSponsored(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	all := []account.Withdrawal{{To: stranger, All: true}}
	for round, margin := range []uint{0, 0, 900} { // deploys the account; finds a deposit; finds one that is too little
		w.fund(t, 1)
		before := w.holds(t, stranger)
		one, err := w.owner.Estimate(t.Context(), []account.Call{{To: stranger, Value: *uint256.NewInt(1)}})
		require.NoError(t, err)
		tx, err := w.owner.Withdraw(t.Context(), all, account.WithMargins(userop.Margins{MaxFeePerGas: margin}))
		require.NoError(t, err)
		receipt, err := tx.Wait(t.Context())
		require.NoError(t, err, "round %d", round)
		require.True(t, tx.Operation().PreVerificationGas.Gt(&one.Gas.PreVerificationGas), "more than one wei is more calldata")
		require.True(t, w.holds(t, w.owner.Address()).IsZero(), "all but the prefund left")
		got := new(uint256.Int).Sub(w.holds(t, stranger), before)
		require.True(t, new(uint256.Int).Add(got, &receipt.ActualGasCost).Gt(uint256.NewInt(9e17)), got.Dec())
	}
	state, err := w.user.State(t.Context())
	require.NoError(t, err)
	require.False(t, state.Deposit.IsZero(), "what the prefund left over")
}

func TestWithdrawAllSponsoredOrSelf(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var refuse error
	service := accounttest.NewPaymaster(t, accounttest.PaymasterConfig{Chain: w.chain, Policy: func(*userop.Operation) error { return refuse }})
	config := w.config
	config.Paymaster = paymaster.New(service.URL())
	client, err := account.NewClient(config)
	require.NoError(t, err)
	owner := client.OwnedAccount(account.KeyOwner(w.ownerKey))
	for _, payer := range []common.Address{w.chain.Contracts.Paymaster, {}} {
		if payer == (common.Address{}) {
			refuse = accounttest.ErrUnsponsored
		}
		w.fund(t, 1)
		tx, err := owner.Withdraw(t.Context(), []account.Withdrawal{{To: stranger, All: true}}, account.SponsoredOrSelf())
		require.NoError(t, err)
		receipt, err := tx.Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, payer, receipt.Paymaster)
		require.Equal(t, payer == common.Address{}, w.holds(t, owner.Address()).IsZero(), "room was left, and used only by who pays itself")
	}
}

func TestWithdrawAllOfTheTokenThatPays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.chain.Contracts.Token6
	w.handTokens(t, token, w.owner.Address(), 100_000_000)
	w.fund(t, 1)
	done(t)(w.owner.Deploy(t.Context(), account.Sponsored()))
	trial := []account.Call{{To: token, Data: contracts.Transfer(stranger, *uint256.NewInt(1))}, {To: stranger, Value: *uint256.NewInt(1)}}
	q := quote(t, w.owner, token, trial, account.ApproveExact())

	done(t)(w.owner.Withdraw(t.Context(), []account.Withdrawal{
		{Token: token, To: stranger, All: true}, {To: stranger, All: true},
	}, account.PayWith(q), account.ApproveExact()))
	require.Equal(t, 100_000_000-q.MaxFee.Uint64(), w.balance(t, token, stranger), "all but the fee")
	require.Equal(t, uint256.NewInt(1e18), w.holds(t, stranger), "and all ether: the token pays for gas")
	require.Less(t, w.balance(t, token, w.owner.Address()), q.MaxFee.Uint64())

	tooMuch := account.Withdrawal{Token: token, To: stranger, Amount: *uint256.NewInt(w.balance(t, token, w.owner.Address()))}
	_, err := w.owner.Withdraw(t.Context(), []account.Withdrawal{tooMuch}, account.PayWith(q), account.ApproveExact())
	require.ErrorIs(t, err, account.ErrFunds)
	require.ErrorContains(t, err, "are left for the fee of "+q.MaxFee.Dec())
}

func TestWithdrawRespectsTheCallersLimits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fund(t, 1)
	tx, err := w.owner.Withdraw(t.Context(), []account.Withdrawal{{To: stranger, All: true}}, enough, account.WithMargins(userop.Margins{MaxFeePerGas: 100}))
	require.NoError(t, err)
	require.Equal(t, "100000", tx.Operation().PreVerificationGas.Dec())
	_, err = tx.Wait(t.Context())
	require.NoError(t, err)
	require.True(t, w.holds(t, w.owner.Address()).IsZero())
}

func TestWithdrawMoreThanThereIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	at := w.chain.Contracts
	w.handTokens(t, at.Token, w.owner.Address(), 1000)
	tests := []struct {
		name        string
		wei         int64
		withdrawals []account.Withdrawal
		opts        []account.Option
		want        string
	}{
		{"token", 0, []account.Withdrawal{{Token: at.Token, To: stranger, Amount: *uint256.NewInt(1001)}}, []account.Option{account.Sponsored()},
			"insufficient funds: 1000 of token " + at.Token.Hex() + " are left for withdrawal 0 of 1001"},
		{"token twice", 0, []account.Withdrawal{{Token: at.Token, To: stranger, Amount: *uint256.NewInt(600)}, {Token: at.Token, To: stranger, Amount: *uint256.NewInt(600)}}, []account.Option{account.Sponsored()},
			"400 of token " + at.Token.Hex() + " are left for withdrawal 1 of 600"},
		{"nothing at all", 0, []account.Withdrawal{{To: stranger, All: true}, {Token: at.Token6, To: stranger, All: true}}, nil,
			"insufficient funds: there is nothing of what is to be withdrawn"},
		{"native", 0, []account.Withdrawal{{To: stranger, Amount: *uint256.NewInt(1)}}, nil,
			"insufficient funds: 0 of the chain's own currency are left for withdrawal 0 of 1"},
		{"native and its gas", 1, []account.Withdrawal{{To: stranger, Amount: *uint256.NewInt(1e18)}}, nil,
			"of the chain's own currency are left for withdrawal 0 of 1000000000000000000"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.wei > 0 {
				w.fund(t, tt.wei)
			}
			_, err := w.owner.Withdraw(t.Context(), tt.withdrawals, tt.opts...)
			require.ErrorIs(t, err, account.ErrFunds)
			require.ErrorContains(t, err, "withdraw from account "+w.owner.Address().Hex()+": ")
			require.ErrorContains(t, err, tt.want)
		})
	}
	// The same with others' money.
	done(t)(w.owner.Withdraw(t.Context(), tests[4].withdrawals, account.Sponsored()))
}

func TestWithdrawTooLittleForGas(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	require.NoError(t, w.chain.Fund(t.Context(), w.owner.Address(), uint256.NewInt(1000).ToBig()))
	_, err := w.owner.Withdraw(t.Context(), []account.Withdrawal{{To: stranger, All: true}})
	require.ErrorIs(t, err, account.ErrFunds)
	require.ErrorContains(t, err, "insufficient funds: 1000 of the chain's own currency are left for gas of ")
}

func TestWithdrawalsThatCannotBeMeant(t *testing.T) {
	client := offlineClient(t)
	owner := client.OwnedAccount(newOwner(t))
	token, one := common.HexToAddress("0x70"), *uint256.NewInt(1)
	for _, tt := range []struct {
		name        string
		withdrawals []account.Withdrawal
		want        string
	}{
		{"none", nil, "nothing to withdraw"},
		{"to zero", []account.Withdrawal{{Amount: one}}, "withdrawal 0: to the zero address, from where nothing comes back"},
		{"to itself", []account.Withdrawal{{To: stranger, Amount: one}, {To: owner.Address(), Amount: one}}, "withdrawal 1: to the account itself"},
		{"to the token", []account.Withdrawal{{Token: token, To: token, Amount: one}}, "withdrawal 0: of token 0x0000000000000000000000000000000000000070 to its own contract"},
		{"zero", []account.Withdrawal{{To: stranger}}, "withdrawal 0: of an amount of zero; All is asked for by name"},
		{"all and some", []account.Withdrawal{{To: stranger, Amount: one, All: true}}, "withdrawal 0: of all and of an amount; choose one"},
		{"all twice", []account.Withdrawal{{To: stranger, All: true}, {To: token, All: true}}, "withdrawal 1: of all that is left of the chain's own currency, twice"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := owner.Withdraw(t.Context(), tt.withdrawals)
			require.ErrorIs(t, err, policy.ErrInvalid)
			require.ErrorContains(t, err, "withdraw from account "+owner.Address().Hex()+": invalid input: "+tt.want)
		})
	}
	_, err := owner.Withdraw(t.Context(), []account.Withdrawal{{To: stranger, All: true}})
	require.ErrorIs(t, err, errOffline)
}

func ExampleOwnedAccount_Withdraw() {
	w := exampleWorld()
	token, friend := w.chain.Contracts.Token6, common.HexToAddress("0xF00D00000000000000000000000000000000F00D")
	w.handTokens(token, w.owner.Address(), 1_500_000)

	tx, err := w.owner.Withdraw(w.ctx, []account.Withdrawal{{Token: token, To: friend, All: true}}, account.Sponsored())
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := tx.Wait(w.ctx); err != nil {
		fmt.Println(err)
		return
	}
	balances, err := w.client.Account(friend).Balances(w.ctx, token)
	fmt.Println(balances[1], err)
	// Output:
	// 1.5 DEMO6 <nil>
}

// What the prefund of an operation left behind is in the router's way, and comes out again.
func TestWithdrawTheDepositBeforeTheRouterIsEnabled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	entryPoint := w.client.Contracts().EntryPoint
	w.fund(t, 1)
	done(t)(w.owner.Deploy(t.Context()))
	before, err := w.user.State(t.Context())
	require.NoError(t, err)
	require.False(t, before.Deposit.IsZero())
	_, _, err = w.owner.Grant(t.Context(), w.store, []policy.Policy{w.nftPolicy()}, account.ForBatches(), account.Sponsored())
	require.ErrorIs(t, err, account.ErrFundsAtRisk)

	all := []account.Withdrawal{{To: stranger, All: true}, {Token: entryPoint, To: stranger, All: true}}
	for _, opts := range [][]account.Option{nil, {account.SponsoredOrSelf()}} { // which would leave a deposit again
		_, err = w.owner.Withdraw(t.Context(), all, opts...)
		require.ErrorIs(t, err, account.ErrConfig)
		require.ErrorContains(t, err, "withdraw it with Sponsored or PayWith")
	}
	tooMuch := account.Withdrawal{Token: entryPoint, To: stranger, Amount: *uint256.NewInt(1e18)}
	_, err = w.owner.Withdraw(t.Context(), []account.Withdrawal{tooMuch}, account.Sponsored())
	require.ErrorIs(t, err, account.ErrFunds)
	require.ErrorContains(t, err, before.Deposit.Dec()+" of the deposit at the EntryPoint are left for withdrawal 0")

	done(t)(w.owner.Withdraw(t.Context(), all, account.Sponsored()))
	require.Equal(t, new(uint256.Int).Add(&before.Balance, &before.Deposit), w.holds(t, stranger))
	w.grant(t, []policy.Policy{w.nftPolicy()}, account.ForBatches())
}
