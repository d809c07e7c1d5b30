package account_test

import (
	"context"
	"math/big"
	"sync/atomic"
	"testing"

	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/paymaster"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

func TestNoWayToPayItselfIsLeftUnbounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fund(t, 10)
	unwilling := accounttest.NewPaymaster(t, accounttest.PaymasterConfig{Chain: w.chain, Policy: func(*userop.Operation) error { return accounttest.ErrUnsponsored }})
	calls := []account.Call{w.mint(t, w.owner.Address())}
	all := []account.Withdrawal{{To: stranger, All: true}}
	some := []account.Withdrawal{{To: stranger, Amount: *uint256.NewInt(1)}}
	partly := account.WithGas(userop.Gas{CallGasLimit: *uint256.NewInt(300_000)})
	for name, b := range map[string]dearBundler{"gas": {gas: allOf}, "a little more gas than may be": {gas: gasTimes(8, 1)}, "fees": {tip: 1000}} {
		sess := w.grant(t, []policy.Policy{w.nftPolicy()})
		config, sent := w.dear(t, b)
		config.Paymaster = paymaster.New(unwilling.URL())
		signed := 0
		client := newClient(t, config)
		owner := client.OwnedAccount(countingOwner{w.owner.Owner(), &signed})
		fresh := client.OwnedAccount(countingOwner{w.owner.Owner(), &signed}, account.Index(7))
		many := client.OwnedAccount(countingOwner{w.owner.Owner(), &signed}, account.Multichain())
		user := client.Account(owner.Address())
		for _, payer := range [][]account.Option{nil, {account.SponsoredOrSelf()}} {
			for way, send := range map[string]func() error{
				"withdraw all":               func() error { _, err := owner.Withdraw(t.Context(), all, payer...); return err },
				"withdraw all, with a limit": func() error { _, err := owner.Withdraw(t.Context(), all, append(payer, partly)...); return err },
				"withdraw some":              func() error { _, err := owner.Withdraw(t.Context(), some, payer...); return err },
				"deploy":                     func() error { _, err := fresh.Deploy(t.Context(), payer...); return err },
				"first":                      func() error { _, err := fresh.Send(t.Context(), calls, payer...); return err },
				"build":                      func() error { _, err := owner.Build(t.Context(), calls, payer...); return err },
				"session build": func() error {
					_, err := user.Build(t.Context(), calls, append(payer, account.WithLeafOf(sess))...)
					return err
				},
				"simulate": func() error { return owner.Simulate(t.Context(), calls, payer...) },
				"enable": func() error {
					_, err := owner.EnableModule(t.Context(), w.chain.Contracts.Target, payer...)
					return err
				},
				"grant": func() error {
					_, _, err := owner.Grant(t.Context(), w.store, []policy.Policy{w.nftPolicy()}, payer...)
					return err
				},
				"together": func() error {
					_, err := account.SendTogether(t.Context(), account.Leg{Account: many, Calls: calls, Options: payer})
					return err
				},
				"grant together": func() error {
					store := memstore.New()
					key, err := store.NewKey(t.Context(), many.Ref())
					require.NoError(t, err)
					p := w.nftPolicy()
					p.Key = key
					_, err = account.GrantTogether(t.Context(), store, account.GrantLeg{Account: many, Policies: []policy.Policy{p}, Options: payer})
					return err
				},
				"transfer": func() error { _, err := owner.TransferOwnership(t.Context(), stranger, payer...); return err },
			} {
				err := send()
				require.ErrorIs(t, err, userop.ErrCap, "%s: %s", name, way)
				require.ErrorContains(t, err, "Config.Caps.", "%s: %s", name, way)
			}
		}
		_, err := owner.RevokeAll(t.Context(), sess)
		require.ErrorIs(t, err, userop.ErrCap, name)
		require.Zero(t, signed, name)
		require.Zero(t, sent.Load(), name)
		deposit := w.read(t, w.chain.Contracts.EntryPoint, contracts.BalanceOf(owner.Address()))
		require.True(t, deposit.IsZero(), name)
	}
}

// pricedChain is a chain with other fees than the one within.
type pricedChain struct {
	*ethclient.Client
	base, tip int64
}

func (c pricedChain) HeaderByNumber(context.Context, *big.Int) (*types.Header, error) {
	return &types.Header{BaseFee: big.NewInt(c.base)}, nil
}

func (c pricedChain) SuggestGasTipCap(context.Context) (*big.Int, error) {
	return big.NewInt(c.tip), nil
}

// fixedFees is a service that proposes always the same.
type fixedFees userop.Fees

func (f fixedFees) Fees(context.Context) (userop.Fees, error) { return userop.Fees(f), nil }

func feesOf(most, tip uint64) fixedFees {
	return fixedFees{MaxFeePerGas: *uint256.NewInt(most), MaxPriorityFeePerGas: *uint256.NewInt(tip)}
}

// Prices in wei per gas as chains have them, and what bundlers there rightly ask for.
func TestFeesThatPassOnCheapAndOnDearChains(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fund(t, 1000)
	calls := []account.Call{w.mint(t, w.owner.Address())}
	for name, c := range map[string]struct {
		chain  pricedChain
		fees   fixedFees
		passes bool
	}{
		"next to no base fee, a tip that is a bundler's smallest": {pricedChain{base: 10_000_000, tip: 1_000_000}, feesOf(121_000_000, 100_000_000), true},
		"that tip and a little more":                              {pricedChain{base: 10_000_000, tip: 1_000_000}, feesOf(122_000_000, 100_000_001), false},
		"next to no base fee, a maximum that is no bundler's":     {pricedChain{base: 10_000_000, tip: 1_000_000}, feesOf(200_000_000, 1), false},
		"a base fee of a few wei":                                 {pricedChain{base: 252, tip: 1_000_000}, feesOf(100_000_000, 100_000_000), true},
		"a node's tip of nothing":                                 {pricedChain{base: 20_000_000_000}, feesOf(46_000_000_000, 2_000_000_000), true},
		"a bundler with one fee for both":                         {pricedChain{base: 20_000_000_000, tip: 1_000_000}, feesOf(23_000_000_000, 23_000_000_000), true},
		"the tips of Polygon":                                     {pricedChain{base: 50_000_000_000, tip: 30_000_000_000}, feesOf(220_000_000_000, 80_000_000_000), true},
		"no base fee":                                             {pricedChain{tip: 1_000_000_000}, feesOf(1_500_000_000, 1_500_000_000), true},
		"ten times as much":                                       {pricedChain{base: 20_000_000_000, tip: 1_000_000_000}, feesOf(410_000_000_000, 10_000_000_000), false},
	} {
		t.Run(name, func(t *testing.T) {
			config := w.config
			c.chain.Client = w.chain.Client()
			config.Chain, config.Fees = c.chain, c.fees
			_, err := newClient(t, config).OwnedAccount(w.owner.Owner()).Build(t.Context(), calls)
			if c.passes {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, userop.ErrCap)
		})
	}
}

// What a chain charges for L1 is wei; the gas that pays for it depends on the price. A tip of a wei is no
// price.
func TestAnUnknownPriceOfGasMakesNoRoomForL1(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fund(t, 100)
	done(t)(w.owner.Deploy(t.Context(), account.Sponsored()))
	calls := []account.Call{w.mint(t, w.owner.Address())}
	charge := uint64(1400) * 16 * 200_000_000_000
	l1 := l1Chain{Client: w.chain.Client(), reads: new(atomic.Int32), oracle: func(size int) uint64 { return uint64(size) * 16 * 200_000_000_000 }}
	send := func(pvg func(uint64) uint64, opts ...account.Option) error {
		config, _ := w.dear(t, dearBundler{gas: pvg})
		config.Chain = feelessChain{l1}
		config.Caps.MaxFeePerGas = uint256.NewInt(20e9)
		_, err := newClient(t, config).OwnedAccount(w.owner.Owner()).Send(t.Context(), calls, opts...)
		return err
	}
	cheap := account.WithFees(userop.Fees{MaxFeePerGas: *uint256.NewInt(20e9), MaxPriorityFeePerGas: *uint256.NewInt(1)})
	err := send(allOf, cheap)
	require.ErrorIs(t, err, userop.ErrCap)
	require.ErrorContains(t, err, "preVerificationGas is 3000000000 gas, our own estimate is ")
	require.NoError(t, send(func(gas uint64) uint64 { return gas + charge/20e9 }, cheap))
}

func TestAChainThatDoesNotTellItsFeeForL1(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fund(t, 10)
	calls := []account.Call{w.mint(t, w.owner.Address())}
	config, _ := w.dear(t, dearBundler{gas: gasTimes(10, 1)})
	config.Chain = l1Chain{Client: w.chain.Client(), oracle: func(int) uint64 { return 0 }, fails: true, reads: new(atomic.Int32)}
	_, err := newClient(t, config).OwnedAccount(w.owner.Owner()).Build(t.Context(), calls)
	require.ErrorIs(t, err, userop.ErrCap)
	require.ErrorContains(t, err, " (the chain's contract did not tell what data costs on L1) and ")
	require.ErrorContains(t, err, "; Config.Caps.MaxCost, in wei, bounds an operation without that; or if the bundler is right, ")
	config.Caps.MaxCost = uint256.NewInt(1e17)
	_, err = newClient(t, config).OwnedAccount(w.owner.Owner()).Build(t.Context(), calls)
	require.NoError(t, err)
	config.Caps.MaxCost = uint256.NewInt(1e12)
	_, err = newClient(t, config).OwnedAccount(w.owner.Owner()).Build(t.Context(), calls)
	require.ErrorContains(t, err, "over the cap: the operation may cost ")
	config.Caps.MaxCost, config.Chain = uint256.NewInt(1e17), w.chain.Client()
	_, err = newClient(t, config).OwnedAccount(w.owner.Owner()).Build(t.Context(), calls)
	require.ErrorContains(t, err, "over the cap: preVerificationGas is ", "the estimate is known")
}

func TestAWrapperThatHidesAnAbilityIsToldHowToShowIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bundler.Pause() // the account stays undeployed while fees are quoted for it
	w.fund(t, 1)
	calls := []account.Call{w.mint(t, w.owner.Address())}
	send := func(change func(*account.Config), opts ...account.Option) error {
		config := w.config
		change(&config)
		_, err := newClient(t, config).OwnedAccount(w.owner.Owner()).Send(t.Context(), calls, opts...)
		return err
	}
	chain := func(c *account.Config) { c.Chain = feelessChain{c.Chain} }
	for _, opts := range [][]account.Option{nil, {account.Sponsored()}} { // a bundler that has no fees of its own
		err := send(chain, opts...)
		require.ErrorIs(t, err, userop.ErrNoFees)
		require.ErrorContains(t, err, "neither the bundler nor the chain reader proposes fees; give them with WithFees, or have a wrapper around one that does say what it wraps, by a method Unwrap() userop.Bundler or Unwrap() account.Chain")
	}
	err := send(func(c *account.Config) { chain(c); c.Fees = feesOf(2e9, 1e9) })
	require.ErrorIs(t, err, userop.ErrCap)
	require.ErrorContains(t, err, "as *ethclient.Client does: a wrapper around one says what it wraps by a method Unwrap() account.Chain")
	require.NoError(t, send(func(c *account.Config) { chain(c); c.Fees = feesOf(2e9, 1e9) }, account.Sponsored()))

	config := w.config
	config.Paymaster = struct{ userop.Paymaster }{config.Paymaster}
	_, err = newClient(t, config).OwnedAccount(w.owner.Owner()).FeeQuotes(t.Context(), calls, nil)
	require.ErrorContains(t, err, "no paymaster that quotes fees in tokens is configured: struct { userop.Paymaster } does not, and a wrapper")
	config.Paymaster = openPaymaster{config.Paymaster}
	_, err = newClient(t, config).OwnedAccount(w.owner.Owner()).FeeQuotes(t.Context(), calls, nil)
	require.Error(t, err, "what is hidden within stays hidden")
	config.Paymaster = openPaymaster{w.config.Paymaster}
	_, err = newClient(t, config).OwnedAccount(w.owner.Owner()).FeeQuotes(t.Context(), calls, nil)
	require.NoError(t, err)
}

// openPaymaster says what it wraps.
type openPaymaster struct{ userop.Paymaster }

func (p openPaymaster) Unwrap() userop.Paymaster { return p.Paymaster }

func TestTheClientsCapsAreItsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fund(t, 1)
	most, config := uint256.NewInt(1), w.config
	config.Caps = userop.Caps{MaxFeePerGas: most, MaxCost: most, CallGasLimit: most, VerificationGasLimit: most, PreVerificationGas: most}
	owner := newClient(t, config).OwnedAccount(w.owner.Owner())
	most.SetAllOne() // the caller goes on with the number
	_, err := owner.Build(t.Context(), []account.Call{w.mint(t, w.owner.Address())})
	require.ErrorIs(t, err, userop.ErrCap)
	require.ErrorContains(t, err, "the cap is 1")
}

// A sponsorship that was there in the trial of a withdrawal, and is not when it is sent.
func TestAWithdrawalThatIsNotSponsoredAfterAllIsBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fund(t, 10)
	willing := true
	service := accounttest.NewPaymaster(t, accounttest.PaymasterConfig{Chain: w.chain, Policy: func(*userop.Operation) error {
		if !willing {
			return accounttest.ErrUnsponsored
		}
		willing = false
		return nil
	}})
	config, sent := w.dear(t, dearBundler{tip: 1000})
	config.Paymaster = paymaster.New(service.URL())
	_, err := newClient(t, config).OwnedAccount(w.owner.Owner()).Withdraw(t.Context(), []account.Withdrawal{{To: stranger, All: true}}, account.SponsoredOrSelf())
	require.ErrorIs(t, err, userop.ErrCap)
	require.NotContains(t, err.Error(), "estimate the gas to leave behind", "in the trial somebody else paid")
	require.Zero(t, sent.Load())
}
