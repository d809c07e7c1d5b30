package accounttest_test

import (
	"context"
	"errors"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/testutil"
	"github.com/go-sesame/sesame/paymaster"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// onModel is a model with an owner who has a minting session.
func onModel(t *testing.T, cfg accounttest.ModelConfig) (*accounttest.Model, *side, *account.OwnedAccount, *session.Sessions) {
	t.Helper()
	model := accounttest.NewModel(cfg)
	s := newSide(t, modelPlace{model}, time.Now())
	owner, sess := s.granted("ada")
	return model, s, owner, sess
}

func TestModelRefusesAsToldTo(t *testing.T) {
	model, s, owner, sess := onModel(t, accounttest.ModelConfig{})
	mint := []account.Call{s.mint(owner.Address())}
	send := func() error {
		tx, err := s.user(owner).Send(t.Context(), mint, account.WithSession(sess.Leaf(0)), sponsored)
		if err == nil {
			_, err = tx.Wait(t.Context())
		}
		return err
	}
	throttled := &bundler.Error{Method: "eth_sendUserOperation", Code: -32504, Message: "throttled"}
	model.Bundler.Refuse(throttled, throttled) // it is asked once more: the chain finds nothing wrong
	err := send()
	require.ErrorIs(t, err, bundler.ErrBanned)
	require.True(t, userop.MayBeAccepted(err))
	failed, ok := errors.AsType[*userop.Error](err)
	require.True(t, ok)
	tx, err := s.user(owner).Resend(t.Context(), sess, failed.Operation)
	require.NoError(t, err)
	_, err = tx.Wait(t.Context())
	require.NoError(t, err)
	require.NoError(t, send())
	model.Bundler.Refuse(&bundler.Error{Code: -32500, Message: "AA25 invalid account nonce"})
	err = send()
	refused, ok := errors.AsType[*userop.AAError](err)
	require.True(t, ok, err)
	require.Equal(t, "AA25", refused.Code)
	require.ErrorContains(t, err, "eth_sendUserOperation: AA25 invalid account nonce (code -32500)")
	model.Paymaster.Refuse(&paymaster.Error{Method: "pm_sponsorUserOperation", Code: -32000, Message: "daily budget is used up"})
	require.ErrorContains(t, send(), "daily budget is used up")
	require.NoError(t, send())

	down := errors.New("down for maintenance")
	for _, fail := range []func(error){model.Chain.Fail, model.Bundler.Fail, model.Paymaster.Fail} {
		fail(down)
		require.ErrorIs(t, send(), down)
		fail(nil)
		require.NoError(t, send())
	}
}

func TestModelPolicy(t *testing.T) {
	var verdict error
	model, s, owner, sess := onModel(t, accounttest.ModelConfig{ChainID: 137, Policy: func(*userop.Operation) error { return verdict }})
	require.EqualValues(t, 137, model.Client().ChainID())
	mint, leaf := []account.Call{s.mint(owner.Address())}, account.WithSession(sess.Leaf(0))
	verdict = errors.New("not on Sundays")
	_, err := s.user(owner).Send(t.Context(), mint, leaf, sponsored)
	_, refused := errors.AsType[*paymaster.Error](err)
	require.True(t, refused, err)
	require.ErrorContains(t, err, "not on Sundays")
	verdict = accounttest.ErrUnsponsored
	_, err = s.user(owner).Send(t.Context(), mint, leaf, sponsored)
	require.ErrorIs(t, err, userop.ErrNotSponsored)
	s.fund(owner, 100)
	tx, err := s.user(owner).Send(t.Context(), mint, leaf, account.SponsoredOrSelf())
	require.NoError(t, err)
	receipt, err := tx.Wait(t.Context())
	require.NoError(t, err)
	require.Zero(t, receipt.Paymaster)
}

// The contracts are where a client of the chain looks for them.
func TestModelOfOtherChains(t *testing.T) {
	for _, chainID := range []uint64{1, 88888, 167009} {
		model := accounttest.NewModel(accounttest.ModelConfig{ChainID: chainID})
		owner, err := model.NewOwner(t.Context())
		require.NoError(t, err)
		require.NoError(t, grantAndMint(t.Context(), model, memstore.New(), owner))
		require.NoError(t, owner.CheckAddress(t.Context()))
		require.Equal(t, model.Client().Contracts().EntryPoint, model.Contracts.EntryPoint)
	}
}

// Two models are two chains: one signature grants on both.
func TestModelsTogether(t *testing.T) {
	owner, store := account.KeyOwner(accounttest.Key("ada")), memstore.New()
	var legs []account.GrantLeg
	for _, chainID := range []uint64{1, 137} {
		owned := accounttest.NewModel(accounttest.ModelConfig{ChainID: chainID}).Client().OwnedAccount(owner, account.Multichain())
		key, err := store.NewKey(t.Context(), owned.Ref())
		require.NoError(t, err)
		legs = append(legs, account.GrantLeg{
			Account: owned, Options: []account.Option{sponsored},
			Policies: []policy.Policy{policy.ABI{Key: key, Contract: thief, Function: "play()", Window: policy.Forever()}},
		})
	}
	granted, err := account.GrantTogether(t.Context(), store, legs...)
	require.NoError(t, err)
	for i := range granted {
		_, err := granted[i].Sessions.Activate(t.Context(), granted[i].Tx)
		require.NoError(t, err)
		state, err := legs[i].Account.State(t.Context())
		require.NoError(t, err)
		require.Equal(t, granted[i].Sessions.Root(), state.SessionRoot)
	}
}

// theEndOf waits, and returns how the wait ended.
func theEndOf(tx *userop.Pending) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := tx.Wait(ctx)
		return err
	}
}

func TestModelHoldsBack(t *testing.T) {
	model, s, owner, sess := onModel(t, accounttest.ModelConfig{})
	mint, leaf := []account.Call{s.mint(owner.Address())}, account.WithSession(sess.Leaf(0))
	model.Bundler.Pause()
	first, err := s.user(owner).Send(t.Context(), mint, leaf, sponsored)
	require.NoError(t, err)
	soon, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = first.Wait(soon)
	require.ErrorIs(t, err, context.DeadlineExceeded)

	again, err := s.user(owner).Resend(t.Context(), sess, first.Operation())
	require.NoError(t, err, "it is known already")
	require.Equal(t, first.Hash(), again.Hash())
	_, err = owner.Send(t.Context(), mint, sponsored)
	require.ErrorContains(t, err, "replacement underpriced")

	second, err := s.user(owner).Send(t.Context(), mint, leaf, sponsored, account.WithLane(uint256.NewInt(1)))
	require.NoError(t, err)
	require.True(t, model.Bundler.Drop(second.Hash()))
	require.False(t, model.Bundler.Drop(second.Hash()))
	err = testutil.Patiently(t, 20*time.Millisecond, userop.ErrDropped, theEndOf(second))
	require.True(t, userop.MayBeAccepted(err), "it is the bundler's word")

	model.Bundler.Resume()
	receipt, err := first.Wait(t.Context())
	require.NoError(t, err)
	require.True(t, receipt.Success)
}

// What was accepted is looked at once more before it is included.
func TestModelGivesUpWhatIsOver(t *testing.T) {
	model, s, owner, sess := onModel(t, accounttest.ModelConfig{})
	model.Bundler.Pause()
	tx, err := s.user(owner).Send(t.Context(), []account.Call{s.mint(owner.Address())}, account.WithSession(sess.Leaf(0)), sponsored)
	require.NoError(t, err)
	require.NoError(t, model.AdjustTime(2*time.Hour))
	model.Bundler.Resume()
	_, err = tx.Wait(t.Context())
	require.ErrorIs(t, err, userop.ErrExpired, "by the chain's time")
	require.False(t, userop.MayBeAccepted(err))
}

func TestModelLosesAnswers(t *testing.T) {
	model, s, owner, sess := onModel(t, accounttest.ModelConfig{})
	mint, leaf := []account.Call{s.mint(owner.Address())}, account.WithSession(sess.Leaf(0))
	model.Bundler.LoseAnswers(3) // which is how often it is sent
	tx, err := s.user(owner).Send(t.Context(), mint, leaf, sponsored)
	require.NoError(t, err, "the chain shows it")
	tx, err = s.user(owner).Resend(t.Context(), sess, tx.Operation())
	require.NoError(t, err, "it is on chain")
	_, err = tx.Wait(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1, s.number(s.at.NFT, contracts.BalanceOf(owner.Address())))

	model.Bundler.LoseAnswers(1)
	tx, err = s.user(owner).Send(t.Context(), mint, leaf, sponsored)
	require.NoError(t, err)
	model.Bundler.DelayReceipts(1)
	_, err = tx.Wait(t.Context())
	require.NoError(t, err)

	var methods []string
	for _, r := range model.Bundler.Requests() {
		methods = append(methods, r.Method)
	}
	require.Contains(t, methods, "eth_chainId")
	require.Equal(t, []string{"eth_getUserOperationReceipt", "pimlico_getUserOperationStatus", "eth_getUserOperationReceipt"}, methods[len(methods)-3:])
	require.Equal(t, "pm_sponsorUserOperation", model.Paymaster.Requests()[0].Method)
	require.Equal(t, owner.Address(), model.Paymaster.Requests()[0].Operation.Sender)
}

func TestModelNamesWhatItDoesNotKnow(t *testing.T) {
	model, s, owner, _ := onModel(t, accounttest.ModelConfig{})
	update := s.pack("updateImplementation(address)", thief)
	_, err := model.Chain.Call(t.Context(), owner.Address(), update)
	require.ErrorContains(t, err, "the model does not know updateImplementation(address) of a smart account at "+owner.Address().Hex())
	require.ErrorContains(t, err, "it runs no EVM")
	require.ErrorContains(t, err, "accounttest.NewChain")
	_, err = model.Chain.Call(t.Context(), s.at.NFT, s.pack("play(uint256)", 1))
	require.ErrorContains(t, err, "does not know function 0x6898f82b of the demo NFT")
	_, err = model.Chain.Call(t.Context(), s.at.NFT, []byte{1})
	require.EqualError(t, err, "execution reverted", "no function has so short a name: the contract says nothing, as on chain")
	_, err = model.Chain.CallContract(t.Context(), callTo(thief, nil), big.NewInt(1))
	require.ErrorContains(t, err, "newest state only")
	made := callTo(thief, []byte{0xfe})
	made.To = nil
	_, err = model.Chain.CallContract(t.Context(), made, nil)
	require.ErrorContains(t, err, "runs no EVM")
	answer, err := model.Chain.Call(t.Context(), thief, update)
	require.NoError(t, err, "an address without code takes every call")
	require.Empty(t, answer)

	for _, opts := range [][]account.Option{{sponsored}, {sponsored, account.WithGas(plenty())}} {
		tx, err := owner.Send(t.Context(), []account.Call{s.mint(owner.Address()), {To: owner.Address(), Data: update}}, opts...)
		if err == nil {
			_, err = tx.Wait(t.Context())
		}
		require.ErrorContains(t, err, "the model does not know updateImplementation(address)")
	}
	require.Zero(t, s.number(s.at.NFT, contracts.BalanceOf(owner.Address())), "all or none")
	_, err = owner.Estimate(t.Context(), []account.Call{s.mint(thief)}, account.WithOverrides(userop.StateOverride{thief: {Code: []byte{1}}}))
	require.ErrorContains(t, err, "overrides balances only")
	money := hexutil.U256(*uint256.NewInt(1e18))
	_, err = owner.Estimate(t.Context(), []account.Call{{To: thief, Value: *uint256.NewInt(1e18)}}, account.WithOverrides(userop.StateOverride{owner.Address(): {Balance: &money}}))
	require.NoError(t, err)
}

// A node is asked for fees where the bundler proposes none, and by whoever looks at the chain.
func TestModelAsANode(t *testing.T) {
	model, s, owner, _ := onModel(t, accounttest.ModelConfig{})
	head, err := model.Chain.HeaderByNumber(t.Context(), nil)
	require.NoError(t, err)
	require.EqualValues(t, 1, head.Number.Uint64(), "a block for each operation")
	require.InDelta(t, time.Now().Unix(), head.Time, 2)
	require.NoError(t, model.AdjustTime(time.Hour))
	require.Error(t, model.AdjustTime(-time.Hour))
	require.InDelta(t, time.Now().Add(time.Hour).Unix(), model.Now().Unix(), 2)
	config := model.Config()
	config.Bundler, config.UnidentifiedBundler = struct{ userop.Bundler }{model.Bundler}, true
	client, err := account.NewClient(config)
	require.NoError(t, err)
	s.fund(owner, 50)
	tx, err := client.OwnedAccount(owner.Owner()).Send(t.Context(), []account.Call{s.mint(thief)})
	require.NoError(t, err)
	_, err = tx.Wait(t.Context())
	require.NoError(t, err)
	balance, err := model.Chain.BalanceAt(t.Context(), owner.Address(), nil)
	require.NoError(t, err)
	require.Positive(t, balance.Sign())
	require.Negative(t, balance.Cmp(big.NewInt(5e16)))
}

// Many accounts at once, for the race detector.
func TestModelIsSafeForConcurrentUse(t *testing.T) {
	model := accounttest.NewModel(accounttest.ModelConfig{})
	store := memstore.New()
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			owner, err := model.NewOwner(t.Context())
			if err == nil {
				err = grantAndMint(t.Context(), model, store, owner)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	supply, err := model.Chain.Call(t.Context(), model.Contracts.NFT, common.FromHex("0x18160ddd"))
	require.NoError(t, err)
	n, err := contracts.DecodeUint256(supply)
	require.NoError(t, err)
	require.EqualValues(t, 40, n.Uint64())
}

func grantAndMint(ctx context.Context, model *accounttest.Model, store *memstore.Store, owner *account.OwnedAccount) error {
	key, err := store.NewKey(ctx, owner.Ref())
	if err != nil {
		return err
	}
	sess, tx, err := owner.Grant(ctx, store, []policy.Policy{policy.ABI{
		Key: key, Contract: model.Contracts.NFT, Function: "safeMint(address to)", Window: policy.Until(time.Now().Add(time.Hour)),
	}}, account.Sponsored())
	if err != nil {
		return err
	}
	_, err = sess.Activate(ctx, tx)
	data := append([]byte{0x40, 0xd0, 0x97, 0xc3}, common.LeftPadBytes(owner.Address().Bytes(), 32)...)
	for n := 0; n < 5 && err == nil; n++ {
		tx, err = owner.Send(ctx, []account.Call{{To: model.Contracts.NFT, Data: data}}, account.WithSession(sess.Leaf(0)))
		if err == nil {
			_, err = tx.Wait(ctx)
		}
	}
	return err
}

// Of two operations with one nonce the second, at a higher fee, takes the place of the first, whose wait ends
// once the second is on chain.
func TestModelReplacesAnOperationInFlight(t *testing.T) {
	model := accounttest.NewModel(accounttest.ModelConfig{})
	owner, err := model.NewOwner(t.Context())
	require.NoError(t, err)
	var low, high userop.Fees
	low.MaxFeePerGas.SetUint64(3_000_000_000)
	low.MaxPriorityFeePerGas.SetUint64(1_000_000_000)
	high.MaxFeePerGas.SetUint64(6_000_000_000)
	high.MaxPriorityFeePerGas.SetUint64(2_000_000_000)
	model.Bundler.Pause()
	first, err := owner.Send(t.Context(), []account.Call{{To: thief}}, account.WithFees(low))
	require.NoError(t, err)
	second, err := owner.Send(t.Context(), []account.Call{{To: thief}}, account.WithFees(high))
	require.NoError(t, err)
	err = testutil.Patiently(t, 20*time.Millisecond, userop.ErrDropped, theEndOf(first))
	require.True(t, userop.MayBeAccepted(err), "nothing has used its nonce yet")
	model.Bundler.Resume()
	_, err = second.Wait(t.Context())
	require.NoError(t, err)
	_, err = first.Wait(t.Context())
	require.ErrorIs(t, err, userop.ErrReplaced)
	require.ErrorContains(t, err, second.Hash().Hex())
}

func TestModelTakesNoNonsense(t *testing.T) {
	model := accounttest.NewModel(accounttest.ModelConfig{Deposit: big.NewInt(-1)})
	for _, amount := range []*big.Int{big.NewInt(-1), new(big.Int).Lsh(big.NewInt(1), 300)} {
		require.ErrorContains(t, model.Chain.Fund(t.Context(), thief, amount), "the model takes amounts from 0 to 2^128")
		_, err := model.Chain.CallContract(t.Context(), ethereum.CallMsg{To: &thief, Value: amount}, nil)
		require.ErrorContains(t, err, "the model takes amounts from 0 to 2^128")
	}
	_, err := model.Bundler.SendUserOperation(t.Context(), nil, model.Contracts.EntryPoint)
	require.ErrorContains(t, err, "it is nil")
	_, err = model.Bundler.EstimateUserOperationGas(t.Context(), nil, model.Contracts.EntryPoint, nil)
	require.ErrorContains(t, err, "it is nil")
	_, err = model.Paymaster.SponsorUserOperation(t.Context(), nil, userop.SponsorRequest{})
	require.ErrorContains(t, err, "it is nil")

	model.Bundler.Refuse(nil, (*bundler.Error)(nil))
	owner, err := model.NewOwner(t.Context())
	require.NoError(t, err)
	_, err = owner.Send(t.Context(), []account.Call{{To: thief}})
	require.NoError(t, err, "nothing was refused")
}

// An address that is no smart account is told as on chain: it has no modules to read.
func TestModelReadsOtherContractsAsTheChainDoes(t *testing.T) {
	model := accounttest.NewModel(accounttest.ModelConfig{})
	_, err := model.Client().Account(model.Contracts.NFT).State(t.Context())
	require.ErrorIs(t, err, account.ErrBadAnswer)
}
