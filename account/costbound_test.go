package account_test

import (
	"context"
	"errors"
	"math/big"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/bundler/bundlertest"
	"github.com/go-sesame/sesame/internal/abiword"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/paymaster"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// dearBundler asks for more than the bundler within: times the fees, and more preVerificationGas.
type dearBundler struct {
	*bundler.Client
	fee, tip uint64 // multiply; 0 is 1
	gas      func(honest uint64) uint64
	sent     *atomic.Int32
}

func (b dearBundler) Fees(ctx context.Context) (userop.Fees, error) {
	fees, err := b.Client.Fees(ctx)
	if errors.Is(err, userop.ErrNoFees) {
		fees, err = userop.Fees{MaxFeePerGas: *uint256.NewInt(2e9), MaxPriorityFeePerGas: *uint256.NewInt(1e9)}, nil
	}
	fees.MaxFeePerGas.Mul(&fees.MaxFeePerGas, uint256.NewInt(max(b.fee, b.tip, 1)))
	fees.MaxPriorityFeePerGas.Mul(&fees.MaxPriorityFeePerGas, uint256.NewInt(max(b.tip, 1)))
	return fees, err
}

func (b dearBundler) EstimateUserOperationGas(ctx context.Context, op *userop.Operation, entryPoint common.Address, overrides userop.StateOverride) (userop.Gas, error) {
	gas, err := b.Client.EstimateUserOperationGas(ctx, op, entryPoint, overrides)
	if b.gas != nil {
		gas.PreVerificationGas.SetUint64(b.gas(gas.PreVerificationGas.Uint64()))
	}
	return gas, err
}

func (b dearBundler) SendUserOperation(ctx context.Context, op *userop.Operation, entryPoint common.Address) (common.Hash, error) {
	b.sent.Add(1)
	return b.Client.SendUserOperation(ctx, op, entryPoint)
}

// dear returns the world's configuration with such a bundler.
func (w *world) dear(t *testing.T, b dearBundler) (account.Config, *atomic.Int32) {
	t.Helper()
	b.Client, b.sent = bundler.New(w.bundler.URL()), new(atomic.Int32)
	t.Cleanup(b.Client.Close)
	config := w.config
	config.Bundler = b
	return config, b.sent
}

func newClient(t *testing.T, config account.Config) *account.Client {
	t.Helper()
	client, err := account.NewClient(config)
	require.NoError(t, err)
	return client
}

func gasTimes(n, d uint64) func(uint64) uint64 { return func(gas uint64) uint64 { return gas * n / d } }

func allOf(uint64) uint64 { return 3_000_000_000 }

func TestALyingBundlerTakesNothingOfAnAccountThatPaysItself(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fund(t, 10)
	sess := w.grant(t, []policy.Policy{w.nftPolicy()})
	calls := []account.Call{w.mint(t, w.owner.Address())}
	unwilling := accounttest.NewPaymaster(t, accounttest.PaymasterConfig{Chain: w.chain, Policy: func(*userop.Operation) error { return accounttest.ErrUnsponsored }})
	const gasText, feeText, tipText = "over the cap: preVerificationGas is 3000000000 gas, our own estimate is ", "over the cap: maxFeePerGas is ", "over the cap: maxPriorityFeePerGas is "
	for name, c := range map[string]struct {
		bundler dearBundler
		want    string
	}{
		"preVerificationGas":          {dearBundler{gas: allOf}, gasText},
		"fees":                        {dearBundler{fee: 1000}, feeText},
		"fees and tip":                {dearBundler{tip: 1000}, feeText},
		"both":                        {dearBundler{gas: allOf, tip: 1000}, feeText},
		"a tip within the fee's room": {dearBundler{fee: 1, tip: 5, gas: nil}, "over the cap: max"},
		"five times as much gas":      {dearBundler{gas: gasTimes(10, 1)}, "over the cap: preVerificationGas is "},
	} {
		t.Run(name, func(t *testing.T) {
			config, sent := w.dear(t, c.bundler)
			config.Paymaster = paymaster.New(unwilling.URL())
			signed := 0
			client := newClient(t, config)
			owner := client.OwnedAccount(countingOwner{w.owner.Owner(), &signed})
			before, err := w.chain.Client().BalanceAt(t.Context(), owner.Address(), nil)
			require.NoError(t, err)
			for _, opts := range [][]account.Option{nil, {account.SponsoredOrSelf()}, {account.WithLane(uint256.NewInt(7))}, {account.WithNonce(uint256.NewInt(1))}} {
				_, err := owner.Send(t.Context(), calls, opts...)
				require.ErrorIs(t, err, userop.ErrCap)
				require.ErrorContains(t, err, c.want)
				require.ErrorContains(t, err, "Config.Caps.")
				_, err = client.Account(owner.Address()).Send(t.Context(), calls, append(opts, account.WithSession(sess.Leaf(0)))...)
				require.ErrorIs(t, err, userop.ErrCap)
				_, err = owner.Send(t.Context(), calls, append(opts, account.WithCaps(userop.Caps{
					MaxFeePerGas: uint256.NewInt(1e18), PreVerificationGas: uint256.NewInt(1e18), MaxCost: new(uint256.Int).SetAllOne(),
				}))...)
				require.ErrorIs(t, err, userop.ErrCap, "WithCaps does not loosen it")
			}
			require.Zero(t, signed)
			require.Zero(t, sent.Load())
			after, err := w.chain.Client().BalanceAt(t.Context(), owner.Address(), nil)
			require.NoError(t, err)
			require.Equal(t, before, after)
			_, err = owner.Estimate(t.Context(), calls)
			require.NoError(t, err, "an estimate tells what it would cost")
		})
	}

	t.Run("of its own fee source too", func(t *testing.T) {
		config := w.config
		config.Fees = dearBundler{Client: bundler.New(w.bundler.URL()), fee: 1000}
		_, err := newClient(t, config).OwnedAccount(w.owner.Owner()).Send(t.Context(), calls)
		require.ErrorIs(t, err, userop.ErrCap)
		require.ErrorContains(t, err, feeText)
	})
	t.Run("what a bundler may ask for", func(t *testing.T) {
		config, _ := w.dear(t, dearBundler{fee: 2, gas: gasTimes(3, 2)})
		done(t)(newClient(t, config).OwnedAccount(w.owner.Owner()).Send(t.Context(), calls))
	})
	t.Run("as the configuration allows", func(t *testing.T) {
		config, _ := w.dear(t, dearBundler{fee: 10, gas: gasTimes(20, 1)})
		config.Caps = userop.Caps{MaxFeePerGas: uint256.NewInt(100e9), PreVerificationGas: uint256.NewInt(10_000_000)}
		owner := newClient(t, config).OwnedAccount(w.owner.Owner())
		done(t)(owner.Send(t.Context(), calls))
		_, err := owner.Send(t.Context(), calls, account.WithCaps(userop.Caps{PreVerificationGas: uint256.NewInt(10)}))
		require.ErrorIs(t, err, userop.ErrCap)
		config.Caps.MaxFeePerGas = nil
		_, err = newClient(t, config).OwnedAccount(w.owner.Owner()).Send(t.Context(), calls)
		require.ErrorContains(t, err, feeText, "each by its name")
	})
	t.Run("as the caller says", func(t *testing.T) {
		config, _ := w.dear(t, dearBundler{fee: 1000, gas: allOf})
		own := []account.Option{
			account.WithFees(userop.Fees{MaxFeePerGas: *uint256.NewInt(50e9), MaxPriorityFeePerGas: *uint256.NewInt(20e9)}),
			account.WithGas(userop.Gas{PreVerificationGas: *uint256.NewInt(500_000)}),
		}
		done(t)(newClient(t, config).OwnedAccount(w.owner.Owner()).Send(t.Context(), calls, own...))
	})
	t.Run("somebody else pays", func(t *testing.T) {
		config, _ := w.dear(t, dearBundler{fee: 10})
		done(t)(newClient(t, config).OwnedAccount(w.owner.Owner()).Send(t.Context(), calls, account.Sponsored()))
	})
}

// l1Chain has contracts that tell what data costs on L1.
type l1Chain struct {
	*ethclient.Client
	oracle   func(size int) uint64 // wei; nil for no such contract
	arbitrum []uint64              // words of getPricesInWei; nil for no such contract
	fails    bool                  // the oracle reverts
	reads    *atomic.Int32         // how many were asked for
}

func (c l1Chain) CallContract(ctx context.Context, call ethereum.CallMsg, block *big.Int) ([]byte, error) {
	answer, err := c.Client.CallContract(ctx, call, block)
	if call.To != nil || err != nil {
		return answer, err
	}
	reads, err := contracts.ParseReads(call.Data)
	if err != nil {
		return nil, err
	}
	results, err := contracts.UnpackReadResults(answer, len(reads))
	if err != nil {
		return nil, err
	}
	for i := range reads {
		switch {
		case reads[i].To == contracts.GasPriceOracleAddress && c.oracle != nil:
			size := int(new(big.Int).SetBytes(reads[i].Data[36:68]).Uint64())
			results[i].HasCode, results[i].OK, results[i].Data = true, true, abiword.AppendUint64(nil, c.oracle(size))
			results[i].OK = !c.fails
			c.reads.Add(1)
		case reads[i].To == contracts.ArbGasInfoAddress && c.arbitrum != nil:
			var words []byte
			for _, w := range c.arbitrum {
				words = abiword.AppendUint64(words, w)
			}
			results[i].HasCode, results[i].OK, results[i].Data = true, true, words
			c.reads.Add(1)
		}
	}
	return contracts.PackReadResults(reads, results)
}

func TestWhatAChainChargesForL1IsPartOfTheBound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fund(t, 100)
	done(t)(w.owner.Deploy(t.Context(), account.Sponsored()))
	calls := []account.Call{w.mint(t, w.owner.Address())}
	tip := userop.Fees{MaxFeePerGas: *uint256.NewInt(20e9), MaxPriorityFeePerGas: *uint256.NewInt(1e9)}
	for name, c := range map[string]struct {
		chain l1Chain
		wei   uint64 // what is charged for the operation's bytes
		price uint64 // what the bundler divides by
	}{
		// So many wei for each of the 16 units of a byte.
		"OP stack": {l1Chain{oracle: func(size int) uint64 { return uint64(size) * 16 * 200_000_000_000 }}, 1400 * 16 * 200_000_000_000, 2e9},
		"Arbitrum": {l1Chain{arbitrum: []uint64{1_000_000_000_000, 30_000_000_000, 0, 1, 1, 100_000_000}}, 1400 * 16 * 30_000_000_000, 100_000_000},
	} {
		t.Run(name, func(t *testing.T) {
			c.chain.Client, c.chain.reads = w.chain.Client(), new(atomic.Int32)
			charge := c.wei / c.price
			for honest, more := range map[bool]uint64{true: charge, false: 20 * charge} {
				config, sent := w.dear(t, dearBundler{gas: func(gas uint64) uint64 { return gas + more }})
				config.Chain = c.chain
				owner := newClient(t, config).OwnedAccount(w.owner.Owner())
				for _, opts := range [][]account.Option{nil, {account.WithNonce(nonceOf(t, w))}, {account.WithFees(tip)}} {
					sent.Store(0)
					tx, err := owner.Send(t.Context(), calls, opts...)
					require.Positive(t, c.chain.reads.Swap(0))
					if !honest {
						require.ErrorIs(t, err, userop.ErrCap)
						require.ErrorContains(t, err, "preVerificationGas is ")
						require.Zero(t, sent.Load())
						continue
					}
					require.NoError(t, err)
					require.Greater(t, tx.Operation().PreVerificationGas.Uint64(), charge)
					_, err = tx.Wait(t.Context())
					require.NoError(t, err)
					if len(opts) == 0 {
						break // the nonce is used
					}
				}
				config.Chain = w.chain.Client()
				_, err := newClient(t, config).OwnedAccount(w.owner.Owner()).Send(t.Context(), calls)
				require.ErrorIs(t, err, userop.ErrCap, "on a chain that charges nothing")
			}
		})
	}
}

func TestTheFeeForL1IsRememberedInALane(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fund(t, 1)
	done(t)(w.owner.Deploy(t.Context(), account.Sponsored()))
	chain := l1Chain{Client: w.chain.Client(), oracle: func(int) uint64 { return 1 }, reads: new(atomic.Int32)}
	config := w.config
	config.Chain, config.Freshness = chain, time.Hour
	client := newClient(t, config)
	lanes := client.NewLanes(account.LanesConfig{})
	for range 3 {
		done(t)(client.OwnedAccount(w.owner.Owner()).Send(t.Context(), []account.Call{w.mint(t, w.owner.Address())}, account.InLane(lanes)))
	}
	require.EqualValues(t, 1, chain.reads.Load())
	require.NoError(t, lanes.Close(t.Context()))
}

func nonceOf(t *testing.T, w *world) *uint256.Int {
	t.Helper()
	nonce, err := w.user.Nonce(t.Context(), nil)
	require.NoError(t, err)
	return &nonce
}

// feelessChain is a wrapper that loses what the client within can do besides.
type feelessChain struct{ account.Chain }

// openChain says what it wraps.
type openChain struct{ feelessChain }

func (c openChain) Unwrap() account.Chain { return c.Chain }

func TestWithoutTheNodesFeesACapHasToBeNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fund(t, 1)
	calls := []account.Call{w.mint(t, w.owner.Address())}
	config := w.config
	config.Chain = feelessChain{config.Chain}
	config.Fees = dearBundler{Client: bundler.New(w.bundler.URL())}
	owner := func() *account.OwnedAccount { return newClient(t, config).OwnedAccount(w.owner.Owner()) }
	const want = "over the cap: nothing bounds the fees that the account would pay: no gas price offered: the chain reader proposes no fees; name in Config.Caps.MaxCost what one operation may cost, in wei, or read"
	for _, opts := range [][]account.Option{nil, {account.WithCaps(userop.Caps{MaxCost: uint256.NewInt(1e18)})}} {
		_, err := owner().Send(t.Context(), calls, opts...)
		require.ErrorIs(t, err, userop.ErrCap)
		require.ErrorContains(t, err, want)
	}
	done(t)(owner().Send(t.Context(), calls, account.Sponsored()))
	config.Caps.MaxCost = uint256.NewInt(1e17)
	done(t)(owner().Send(t.Context(), calls))
	config.Caps.MaxCost = uint256.NewInt(1000)
	_, err := owner().Send(t.Context(), calls)
	require.ErrorContains(t, err, "over the cap: the operation may cost ")
	config.Caps = userop.Caps{MaxFeePerGas: uint256.NewInt(100e9)}
	done(t)(owner().Send(t.Context(), calls))

	config.Caps, config.Chain = userop.Caps{}, openChain{feelessChain{w.config.Chain}}
	done(t)(owner().Send(t.Context(), calls))
}

func TestASelfPaidSendIsThreeRoundTrips(t *testing.T) {
	t.Parallel()
	m := newMocked(t, tripDelay, bundlertest.Biconomy)
	m.user = m.clientFor(t, time.Hour).Account(m.user.Address())
	send := func() {
		t.Helper()
		m.trips.Reset()
		_, err := m.user.Send(t.Context(), []account.Call{{To: stranger, Data: pack(t, "safeMint(address)", stranger)}}, account.WithSession(m.session.Leaf(0)))
		require.NoError(t, err)
	}
	send()
	require.Equal(t, 3, m.trips.Depth(), "what the operation is made of, the estimate, and sending")
	require.Equal(t, 1, m.node.Count("eth_getBlockByNumber"))
	require.Equal(t, 1, m.node.Count("eth_maxPriorityFeePerGas"))
	require.Equal(t, 3, m.node.Count("eth_call"), "root, module, and the nonce with the fee for L1")
	require.Zero(t, m.nonceReads(t))
	send()
	require.Equal(t, 3, m.trips.Depth())
	require.Equal(t, 1, m.node.Count("eth_getBlockByNumber"), "the node's fees are remembered for a moment")
	require.Equal(t, 1, m.nonceReads(t), "a chain without fees for L1 is not asked for them again")
}

func TestPaymastersThatAreNotTrusted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	calls := []account.Call{w.mint(t, w.owner.Address())}
	config := w.config
	config.Paymasters = []common.Address{stranger}
	signed := 0
	owner := newClient(t, config).OwnedAccount(countingOwner{w.owner.Owner(), &signed})
	for _, opt := range []account.Option{account.Sponsored(), account.SponsoredOrSelf()} {
		_, err := owner.Send(t.Context(), calls, opt)
		require.ErrorIs(t, err, userop.ErrNotSponsored)
		require.ErrorContains(t, err, "the service answered for paymaster "+w.chain.Contracts.Paymaster.Hex()+", which is none of Config.Paymasters")
	}
	require.Zero(t, signed)
	config.Paymasters = slices.Insert(config.Paymasters, 0, w.chain.Contracts.Paymaster)
	done(t)(newClient(t, config).OwnedAccount(w.owner.Owner()).Send(t.Context(), calls, account.Sponsored()))
}

// counted is a decorator that says nothing of what it wraps.
type counted struct{ userop.Bundler }

// countedOpenly is one that does.
type countedOpenly struct{ counted }

func (b countedOpenly) Unwrap() userop.Bundler { return b.Bundler }

func TestAWrapperAroundABundlerKeepsItsChecks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	calls := []account.Call{w.mint(t, w.owner.Address())}
	send := func(config account.Config) (*userop.Pending, error) {
		return newClient(t, config).OwnedAccount(w.owner.Owner()).Send(t.Context(), calls, account.Sponsored())
	}
	elsewhere := elsewhereBundler{w.config.Bundler.(*bundler.Client)}
	config := w.config
	for name, wrong := range map[string]userop.Bundler{"plain": elsewhere, "wrapped": countedOpenly{counted{elsewhere}}, "twice": countedOpenly{counted{countedOpenly{counted{elsewhere}}}}} {
		config.Bundler = wrong
		_, err := send(config)
		require.ErrorIs(t, err, userop.ErrWrongChain, name)
		require.ErrorContains(t, err, "the bundler serves chain 1, ")
	}
	config.Bundler = counted{w.config.Bundler}
	_, err := send(config)
	require.ErrorIs(t, err, userop.ErrWrongChain)
	require.ErrorContains(t, err, "the bundler (account_test.counted) does not say which chain it serves: a wrapper says what it wraps by a method Unwrap() userop.Bundler; UnidentifiedBundler in the configuration takes it as it is")
	config.UnidentifiedBundler = true
	done(t)(send(config))
	config.UnidentifiedBundler, config.Bundler = false, countedOpenly{counted{w.config.Bundler}}
	done(t)(send(config))
}

// elsewhereBundler serves another chain.
type elsewhereBundler struct{ *bundler.Client }

func (elsewhereBundler) ChainID(context.Context) (uint64, error) { return 1, nil }
