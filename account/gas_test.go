package account_test

import (
	"context"
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/bundler/bundlertest"
	"github.com/go-sesame/sesame/internal/jsonrpc/jsonrpctest"
	"github.com/go-sesame/sesame/userop"
)

func TestFault11FeesAreNumbersAsTheyWereMeant(t *testing.T) {
	m := newMocked(t, 0, bundlertest.Biconomy)
	calls := []account.Call{{To: stranger, Data: pack(t, "safeMint(address)", stranger)}}
	send := func(opts ...account.Option) *userop.Operation {
		t.Helper()
		m.bundler.On("biconomy_getGasFeeValues", bundlertest.Result(map[string]any{
			"maxFeePerGas": "1500000000", "maxPriorityFeePerGas": 1_000_000_007, // decimal, in a string and not
		}))
		_, err := m.user.Send(t.Context(), calls, append(opts, account.WithSession(m.session.Leaf(0)))...)
		require.NoError(t, err)
		sent := m.bundler.Sent()
		return sent[len(sent)-1]
	}

	op := send()
	require.Equal(t, "1500000000", op.MaxFeePerGas.Dec(), "1.5 gwei, not 90")
	require.Equal(t, "1000000007", op.MaxPriorityFeePerGas.Dec())

	op = send(account.WithMargins(userop.Margins{MaxFeePerGas: 7, MaxPriorityFeePerGas: 3, CallGasLimit: 1}))
	require.Equal(t, "1605000000", op.MaxFeePerGas.Dec())
	require.Equal(t, "1030000008", op.MaxPriorityFeePerGas.Dec(), "1030000007.21 rounded up, in integers")
	require.Equal(t, "101000", op.CallGasLimit.Dec())

	given := userop.Fees{MaxFeePerGas: *uint256.NewInt(9_007_199_254_740_993), MaxPriorityFeePerGas: *uint256.NewInt(3)} // 2^53 + 1
	op = send(account.WithFees(given), account.WithMargins(userop.Margins{MaxFeePerGas: 50}))
	require.Equal(t, given, op.Fees(), "what the caller gives is what is sent")
	gas := userop.Gas{CallGasLimit: *uint256.NewInt(1), VerificationGasLimit: *uint256.NewInt(2), PreVerificationGas: *uint256.NewInt(3)}
	op = send(account.WithGas(gas), account.Sponsored())
	require.Equal(t, gas, op.Gas(), "sponsored or not")
}

func TestFault12NonceThatCannotBeReadIsAnErrorAndZeroIsANonce(t *testing.T) {
	m := newMocked(t, 0, bundlertest.Biconomy)
	calls := []account.Call{{To: stranger, Data: pack(t, "safeMint(address)", stranger)}}
	opts := []account.Option{account.WithSession(m.session.Leaf(0)), account.Unchecked()}

	op, err := m.user.Build(t.Context(), calls, append(opts, account.WithNonce(new(uint256.Int)))...)
	require.NoError(t, err)
	require.Zero(t, m.nonceReads(t))
	require.True(t, op.Nonce.IsZero(), "an override of 0 is 0")
	op, err = m.user.Build(t.Context(), calls, opts...)
	require.NoError(t, err)
	require.Equal(t, "1", op.Nonce.Dec(), "the chain says 1")

	m.node.On("eth_call", jsonrpctest.Fail(-32000, "header not found"))
	_, err = m.user.Build(t.Context(), calls, opts...)
	require.ErrorContains(t, err, "nonce of "+m.user.Address().Hex()+": header not found")
	require.Len(t, m.bundler.Sent(), 0)
}

func TestEstimateCoversWhatTheOperationCosts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fund(t, 1)
	calls := []account.Call{w.mint(t, w.owner.Address())}
	for _, opts := range [][]account.Option{nil, {account.Sponsored()}, nil} { // the first deploys
		estimate, err := w.owner.Estimate(t.Context(), calls, opts...)
		require.NoError(t, err)
		tx, err := w.owner.Send(t.Context(), calls, opts...)
		require.NoError(t, err)
		receipt, err := tx.Wait(t.Context())
		require.NoError(t, err)
		total := estimate.Cost.Total()
		require.True(t, receipt.ActualGasCost.Lt(&total), "%s of %s", receipt.ActualGasCost.Dec(), total.Dec())
		require.Equal(t, receipt.Paymaster, estimate.Paymaster)
		require.False(t, estimate.Cost.Call.IsZero() || estimate.Cost.Verification.IsZero() || estimate.Cost.PreVerification.IsZero())
	}
	_, err := w.user.Estimate(t.Context(), calls)
	require.ErrorIs(t, err, account.ErrNoSigner)
}

func TestMarginsAndLimitsHoldInEveryMode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fund(t, 1)
	calls := []account.Call{w.mint(t, w.owner.Address())}
	done(t)(w.owner.Send(t.Context(), calls, account.Sponsored()))
	margins := account.WithMargins(userop.Margins{CallGasLimit: 100, VerificationGasLimit: 50, PreVerificationGas: 10, MaxFeePerGas: 30})
	limits := account.WithGas(userop.Gas{CallGasLimit: *uint256.NewInt(123_457)})
	for name, mode := range map[string][]account.Option{"self-paid": nil, "sponsored": {account.Sponsored()}} {
		t.Run(name, func(t *testing.T) {
			plain, err := w.owner.Estimate(t.Context(), calls, mode...)
			require.NoError(t, err)
			tx, err := w.owner.Send(t.Context(), calls, append(mode, margins)...)
			require.NoError(t, err)
			require.Equal(t, plain.Gas.CallGasLimit.Uint64()*2, tx.Operation().CallGasLimit.Uint64())
			require.Equal(t, (plain.Gas.VerificationGasLimit.Uint64()*3+1)/2, tx.Operation().VerificationGasLimit.Uint64())
			_, err = tx.Wait(t.Context())
			require.NoError(t, err)
			tx, err = w.owner.Send(t.Context(), calls, append(mode, limits, margins)...)
			require.NoError(t, err)
			require.Equal(t, uint64(123_457), tx.Operation().CallGasLimit.Uint64(), "no margin on what the caller gives")
			_, err = tx.Wait(t.Context())
			require.NoError(t, err)
		})
	}
}

func TestCapsRefuseBeforeSigning(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	signed := 0
	owner := w.client.OwnedAccount(countingOwner{w.owner.Owner(), &signed})
	calls := []account.Call{w.mint(t, owner.Address())}
	for want, caps := range map[string]userop.Caps{
		"over the cap: maxFeePerGas is ":         {MaxFeePerGas: uint256.NewInt(1)},
		"over the cap: the operation may cost ":  {MaxCost: uint256.NewInt(1)},
		"over the cap: callGasLimit is ":         {CallGasLimit: uint256.NewInt(1)},
		"over the cap: verificationGasLimit is ": {VerificationGasLimit: uint256.NewInt(1)},
		"over the cap: preVerificationGas is ":   {PreVerificationGas: uint256.NewInt(1)},
	} {
		_, err := owner.Send(t.Context(), calls, account.Sponsored(), account.WithCaps(caps))
		require.ErrorIs(t, err, userop.ErrCap)
		require.ErrorContains(t, err, want)
	}
	require.Zero(t, signed)

	config := w.config
	config.Caps = userop.Caps{MaxCost: uint256.NewInt(1)}
	client, err := account.NewClient(config)
	require.NoError(t, err)
	_, err = client.OwnedAccount(w.owner.Owner()).Send(t.Context(), calls, account.Sponsored())
	require.ErrorIs(t, err, userop.ErrCap, "for all operations of a client")
	for _, caps := range []userop.Caps{{}, {MaxCost: uint256.NewInt(1e18)}} {
		_, err = client.OwnedAccount(w.owner.Owner()).Send(t.Context(), calls, account.Sponsored(), account.WithCaps(caps))
		require.ErrorIs(t, err, userop.ErrCap, "which WithCaps never loosens")
	}
}

func TestOverridesAreForTheEstimationOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	done(t)(w.owner.Deploy(t.Context(), account.Sponsored()))
	pay := []account.Call{{To: stranger, Value: *uint256.NewInt(1e18)}}
	_, err := w.owner.Estimate(t.Context(), pay, account.Sponsored())
	require.Error(t, err, "there is no ether yet")
	rich := account.WithOverrides(userop.StateOverride{w.owner.Address(): {Balance: (*hexutil.U256)(uint256.NewInt(2e18))}})
	for _, mode := range [][]account.Option{{rich}, {rich, account.Sponsored()}} {
		estimate, err := w.owner.Estimate(t.Context(), pay, mode...)
		require.NoError(t, err)
		require.False(t, estimate.Gas.CallGasLimit.IsZero())
	}
}

// legacyChain has no base fee, as chains from before EIP-1559.
type legacyChain struct {
	*countedChain
	price *big.Int
}

func (c legacyChain) HeaderByNumber(ctx context.Context, number *big.Int) (*types.Header, error) {
	header, err := c.countedChain.HeaderByNumber(ctx, number)
	if err == nil {
		header.BaseFee = nil
	}
	return header, err
}

func (c legacyChain) SuggestGasPrice(context.Context) (*big.Int, error) { return c.price, nil }

func TestChainWithoutBaseFee(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	config := w.config
	config.Chain = legacyChain{&countedChain{Client: w.chain.Client()}, big.NewInt(7_000_000_001)}
	client, err := account.NewClient(config)
	require.NoError(t, err)
	owner := client.OwnedAccount(w.owner.Owner())
	tx, err := owner.Send(t.Context(), []account.Call{w.mint(t, owner.Address())}, account.Sponsored())
	require.NoError(t, err)
	price := *uint256.NewInt(7_000_000_001)
	require.Equal(t, userop.Fees{MaxFeePerGas: price, MaxPriorityFeePerGas: price}, tx.Operation().Fees())
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err = tx.Wait(ctx)
	require.NoError(t, err)
}

func ExampleOwnedAccount_Estimate() {
	w := exampleWorld()
	estimate, err := w.owner.Estimate(w.ctx, []account.Call{{To: w.owner.Address()}}, account.Sponsored())
	if err != nil {
		fmt.Println(err)
		return
	}
	total, budget := estimate.Cost.Total(), uint256.NewInt(1e18)
	fmt.Println("within the budget:", total.Lt(budget))
	fmt.Println("paymaster:", estimate.Paymaster)
	// Output:
	// within the budget: true
	// paymaster: 0x00000f79B7FaF42EEBAdbA19aCc07cD08Af44789
}
