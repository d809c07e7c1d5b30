package account_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// newWorlds returns three chains on which one owner, who counts, has the same account.
func newWorlds(t *testing.T) (worlds []*world, owned []*account.OwnedAccount, signed *int) {
	t.Helper()
	signed = new(int)
	owner := countingOwner{newOwner(t), signed}
	for _, id := range []uint64{137, 42161, 80002} {
		w := newWorldOf(t, accounttest.ChainConfig{ChainID: id})
		w.owner = w.client.OwnedAccount(owner, account.Multichain())
		w.user = w.client.Account(w.owner.Address())
		worlds, owned = append(worlds, w), append(owned, w.owner)
	}
	return worlds, owned, signed
}

func TestSendTogether(t *testing.T) {
	t.Parallel()
	worlds, owned, signed := newWorlds(t)
	for round := range 2 { // the first deploys
		legs := make([]account.Leg, len(worlds))
		for i, w := range worlds {
			require.Equal(t, owned[0].Address(), owned[i].Address(), "the same account everywhere")
			legs[i] = account.Leg{
				Account: owned[i],
				Calls:   []account.Call{w.mint(t, owned[i].Address())},
				Window:  policy.Until(w.now().Add(time.Hour)),
				Options: []account.Option{account.Sponsored()},
			}
		}
		sent, err := account.SendTogether(t.Context(), legs...)
		require.NoError(t, err)
		require.Equal(t, round+1, *signed, "one signature for all chains")
		for i, w := range worlds {
			_, err := sent[i].Wait(t.Context())
			require.NoError(t, err)
			require.Equal(t, uint64(round+1), w.nfts(t))
		}
	}
}

func TestSendTogetherSelfPaidByOneLeg(t *testing.T) {
	t.Parallel()
	worlds, owned, _ := newWorlds(t)
	worlds[0].fund(t, 1)
	sent, err := account.SendTogether(t.Context(),
		account.Leg{Account: owned[0], Calls: []account.Call{worlds[0].mint(t, owned[0].Address())}},
		account.Leg{Account: owned[1], Calls: []account.Call{worlds[1].mint(t, owned[1].Address())}, Options: []account.Option{account.Sponsored()}})
	require.NoError(t, err)
	for i := range sent {
		_, err := sent[i].Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, uint64(1), worlds[i].nfts(t))
	}
}

func TestEachLegHasItsWindow(t *testing.T) {
	t.Parallel()
	worlds, owned, _ := newWorlds(t)
	now := worlds[0].now()
	leg := func(i int, window policy.Window) account.Leg {
		return account.Leg{
			Account: owned[i], Window: window, Options: []account.Option{account.Sponsored()},
			Calls: []account.Call{worlds[i].mint(t, owned[i].Address())},
		}
	}
	sent, err := account.SendTogether(t.Context(),
		leg(0, policy.Until(now.Add(-time.Hour))),
		leg(1, policy.Until(now.Add(time.Hour))),
		leg(2, policy.Between(now.Add(10*time.Minute), now.Add(time.Hour))))
	var failed *account.LegsError
	require.ErrorAs(t, err, &failed)
	require.ErrorContains(t, failed.Errs[0], "AA22 expired or not due")
	require.NoError(t, failed.Errs[1])
	require.ErrorContains(t, failed.Errs[2], "AA22 expired or not due")
	require.ErrorContains(t, err, "2 of 3 operations failed: leg 0: user operation ")
	require.Len(t, failed.Unwrap(), 2)
	require.Nil(t, sent[0])
	require.Nil(t, sent[2])
	_, err = sent[1].Wait(t.Context())
	require.NoError(t, err)

	// The signature of the early leg is good later, as it is.
	var early *userop.Error
	require.ErrorAs(t, failed.Errs[2], &early)
	require.False(t, userop.MayBeAccepted(failed.Errs[2]))
	require.NoError(t, worlds[2].chain.AdjustTime(15*time.Minute))
	done(t)(worlds[2].client.Sender().Resend(t.Context(), early.Operation))
	require.Equal(t, uint64(1), worlds[2].nfts(t))
}

// passing is a failure of a service that passes by itself.
type passing struct{ delivered bool }

func (passing) Error() string          { return "503 service unavailable" }
func (passing) Temporary() bool        { return true }
func (p passing) MayBeDelivered() bool { return p.delivered }

func TestLegsAreNotSentAgainTogether(t *testing.T) {
	t.Parallel()
	failed := func(delivered bool) error {
		return &userop.Error{Step: userop.StepSend, Operation: new(userop.Operation), Err: passing{delivered}}
	}
	require.True(t, userop.SafeToRetry(failed(false)), "as a leg of its own")
	err := fmt.Errorf("wrapped: %w", &account.LegsError{Errs: []error{failed(false), nil}})
	require.False(t, userop.SafeToRetry(err), "the other leg was sent")
	require.False(t, userop.MayBeAccepted(err))
	require.True(t, userop.MayBeAccepted(&account.LegsError{Errs: []error{failed(false), failed(true)}}))
}

func TestLegsThatDoNotGoTogetherAreRefused(t *testing.T) {
	t.Parallel()
	worlds, owned, signed := newWorlds(t)
	call := []account.Call{{To: stranger}}
	good := account.Leg{Account: owned[0], Calls: call, Options: []account.Option{account.Sponsored()}}
	ecdsa := worlds[1].client.OwnedAccount(owned[1].Owner())
	switched := worlds[1].client.OwnedAccount(owned[1].Owner(), account.ActiveModule(worlds[1].client.MultichainModule(owned[1].Owner())))
	other := worlds[1].client.OwnedAccount(newOwner(t), account.Multichain())
	tests := []struct {
		name string
		leg  account.Leg
		want string
		is   error
	}{
		{"no account", account.Leg{Calls: call}, "leg without an account", account.ErrConfig},
		{"no calls", account.Leg{Account: owned[1]}, "no call to make for account", account.ErrConfig},
		{"another module", account.Leg{Account: ecdsa, Calls: call}, "signs through module 0x0000001c5b32F37F5beA87BDD5374eB2aC54eA8e; operations on several chains need the multichain module", account.ErrConfig},
		{"multichain module not there yet", account.Leg{Account: switched, Calls: call, Options: []account.Option{account.Sponsored()}}, "whose first operation goes through module 0x0000001c5b32F37F5beA87BDD5374eB2aC54eA8e alone", account.ErrNotDeployed},
		{"another owner", account.Leg{Account: other, Calls: call}, "one owner signs all legs", account.ErrConfig},
		{"own signer", account.Leg{Account: owned[1], Calls: call, Options: []account.Option{account.WithSigner(owned[1].Signer())}}, "names its own signer; the owner signs all legs", account.ErrConfig},
		{"bad window", account.Leg{Account: owned[1], Calls: call, Window: policy.Until(time.Time{})}, "window without an end", policy.ErrInvalid},
		{"the same nonce", good, "has nonce 0x0 on chain 137 in leg 0 too; put the calls into one leg, or give each a lane", account.ErrConfig},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := account.SendTogether(t.Context(), good, tt.leg)
			require.ErrorIs(t, err, tt.is)
			require.ErrorContains(t, err, tt.want)
			var failed *account.LegsError
			require.ErrorAs(t, err, &failed)
			require.NoError(t, failed.Errs[0])
			require.Error(t, failed.Errs[1])
		})
	}
	_, err := account.SendTogether(t.Context())
	require.ErrorIs(t, err, policy.ErrInvalid)
	require.ErrorContains(t, err, "0 operations to send together; 1 to 32 can be")
	require.Zero(t, *signed, "nothing was signed")
}

// decliningOwner ends the caller's patience instead of signing.
type decliningOwner struct {
	account.Owner
	cancel context.CancelFunc
}

func (o decliningOwner) SignMessage(ctx context.Context, _ []byte) ([]byte, error) {
	o.cancel()
	return nil, ctx.Err()
}

func TestSendTogetherEndsWithItsContext(t *testing.T) {
	t.Parallel()
	worlds, _, _ := newWorlds(t)
	ctx, cancel := context.WithCancel(t.Context())
	owner := decliningOwner{newOwner(t), cancel}
	legs := make([]account.Leg, len(worlds))
	for i, w := range worlds {
		owned := w.client.OwnedAccount(owner, account.Multichain())
		legs[i] = account.Leg{Account: owned, Calls: []account.Call{w.mint(t, stranger)}, Options: []account.Option{account.Sponsored()}}
	}
	sent, err := account.SendTogether(ctx, legs...)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, "sign 3 operations: sign as owner "+owner.Address().Hex())
	require.Nil(t, sent)
	for _, w := range worlds {
		require.Zero(t, w.bundler.Bundles())
	}
}

func TestLegsInDifferentLanesOfOneAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	owner := w.client.OwnedAccount(w.owner.Owner(), account.Multichain())
	done(t)(owner.Deploy(t.Context(), account.Sponsored()))
	legs := make([]account.Leg, 2)
	for i := range legs {
		lane := account.WithLane(uint256.NewInt(uint64(i)))
		legs[i] = account.Leg{Account: owner, Calls: []account.Call{w.mint(t, owner.Address())}, Options: []account.Option{account.Sponsored(), lane}}
	}
	sent, err := account.SendTogether(t.Context(), legs...)
	require.NoError(t, err)
	for _, tx := range sent {
		_, err := tx.Wait(t.Context())
		require.NoError(t, err)
	}
	require.Equal(t, uint64(2), w.balance(t, w.chain.Contracts.NFT, owner.Address()))
}

// mintLegs grants, on every chain, minting with a key that is the same everywhere.
func mintLegs(t *testing.T, worlds []*world, store *memstore.Store) []account.GrantLeg {
	t.Helper()
	key := newKey(t)
	legs := make([]account.GrantLeg, len(worlds))
	for i, w := range worlds {
		var err error
		w.key, err = store.ImportKey(t.Context(), w.owner.Ref(), key)
		require.NoError(t, err)
		legs[i] = account.GrantLeg{
			Account:  w.owner,
			Policies: []policy.Policy{w.nftPolicy()},
			Options:  []account.Option{account.Sponsored()},
		}
	}
	return legs
}

func TestTheSameSessionOnThreeChainsWithOneSignature(t *testing.T) {
	t.Parallel()
	worlds, owned, signed := newWorlds(t)
	store := memstore.New()
	granted, err := account.GrantTogether(t.Context(), store, mintLegs(t, worlds, store)...)
	require.NoError(t, err)
	require.Equal(t, 1, *signed)
	for i, w := range worlds {
		sess := granted[i].Sessions
		require.NoError(t, activate(t.Context(), sess, granted[i].Tx))
		w.store = store
		_, err = w.send(t, []account.Call{w.mint(t, owned[i].Address())}, account.WithSession(sess.Leaf(0)))
		require.NoError(t, err)
		require.Equal(t, uint64(1), w.nfts(t))
	}
	require.Equal(t, 1, *signed)
}

func TestGrantTogetherLeavesNothingBehindWhereItFails(t *testing.T) {
	t.Parallel()
	worlds, _, signed := newWorlds(t)
	store := memstore.New()
	legs := mintLegs(t, worlds, store)

	// Refused before anything is signed.
	legs[1].Policies = nil
	_, err := account.GrantTogether(t.Context(), store, legs...)
	require.ErrorContains(t, err, "1 of 3 operations failed: leg 1: grant a session: invalid input: grant a session without a policy")
	require.Zero(t, *signed)

	// Refused by one chain's bundler.
	legs[1].Policies = []policy.Policy{worlds[1].nftPolicy()}
	legs[1].Window = policy.Until(worlds[1].now().Add(-time.Hour))
	granted, err := account.GrantTogether(t.Context(), store, legs...)
	require.ErrorContains(t, err, "AA22")
	require.Nil(t, granted[1].Tx)
	_, err = session.Open(t.Context(), store, worlds[1].owner.Ref())
	require.NoError(t, err)
	require.Zero(t, granted[1].Sessions.Len(), "what was not sent is not stored")
	for _, i := range []int{0, 2} {
		require.NoError(t, activate(t.Context(), granted[i].Sessions, granted[i].Tx))
	}
	require.Nil(t, granted[1].Sessions.Pending())
}

// refusingStore takes no change for one chain.
type refusingStore struct {
	*memstore.Store
	chain uint64
}

var errStoreFull = errors.New("store is full")

func (s refusingStore) Apply(ctx context.Context, ref session.Ref, version uint64, change *session.Change) (uint64, error) {
	if ref.ChainID == s.chain {
		return 0, errStoreFull
	}
	return s.Store.Apply(ctx, ref, version, change)
}

func TestGrantTogetherSendsNothingUnlessAllIsStored(t *testing.T) {
	t.Parallel()
	worlds, _, _ := newWorlds(t)
	memory := memstore.New()
	legs := mintLegs(t, worlds, memory)
	_, err := account.GrantTogether(t.Context(), refusingStore{memory, 42161}, legs...)
	require.ErrorIs(t, err, errStoreFull)
	for i, w := range worlds {
		require.Zero(t, w.bundler.Bundles(), "chain %d", i)
		version, err := memory.Version(t.Context(), w.owner.Ref())
		require.NoError(t, err)
		if version > 0 {
			state, err := memory.Load(t.Context(), w.owner.Ref())
			require.NoError(t, err)
			require.Nil(t, state.Pending)
			require.Empty(t, state.Leaves)
		}
	}
}

// hastyStore ends the caller's context as soon as it has stored a change.
type hastyStore struct {
	*memstore.Store
	cancel context.CancelFunc
}

func (s hastyStore) Apply(ctx context.Context, ref session.Ref, version uint64, change *session.Change) (uint64, error) {
	next, err := s.Store.Apply(ctx, ref, version, change)
	s.cancel()
	return next, err
}

// twinStore has another process be quicker with the very same operation: nothing in one is random where two
// decide the same at the same time.
type twinStore struct{ *memstore.Store }

func (s twinStore) Apply(ctx context.Context, ref session.Ref, version uint64, change *session.Change) (uint64, error) {
	if _, err := s.Store.Apply(ctx, ref, version, change); err != nil {
		return 0, err
	}
	return s.Store.Apply(ctx, ref, version, change)
}

func TestGrantThatAnotherProcessWasQuickerWithIsNotUndone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, _, err := w.owner.Grant(t.Context(), twinStore{w.store}, []policy.Policy{w.nftPolicy()}, account.Sponsored())
	require.ErrorIs(t, err, session.ErrConflict)
	state, err := w.store.Load(t.Context(), w.owner.Ref())
	require.NoError(t, err)
	require.NotNil(t, state.Pending, "the other process sends it")
	require.Len(t, state.Leaves, 1)
}

func TestGrantIsUndoneThatEndsRightAfterItWasStored(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	_, _, err := w.owner.Grant(ctx, hastyStore{w.store, cancel}, []policy.Policy{w.nftPolicy()}, account.Sponsored())
	require.ErrorIs(t, err, context.Canceled)
	require.Zero(t, w.bundler.Bundles())
	state, err := w.store.Load(t.Context(), w.owner.Ref())
	require.NoError(t, err)
	require.Nil(t, state.Pending)
	require.Empty(t, state.Leaves)
}

func ExampleSendTogether() {
	polygon, arbitrum := exampleWorldOf(137), exampleWorldOf(42161)
	owner := account.KeyOwner(exampleKey)

	var legs []account.Leg
	for _, w := range []*stage{polygon, arbitrum} {
		owned := w.client.OwnedAccount(owner, account.Multichain())
		mint, err := abi.Pack("function safeMint(address to)", owned.Address())
		if err != nil {
			fmt.Println(err)
			return
		}
		legs = append(legs, account.Leg{
			Account: owned,
			Calls:   []account.Call{{To: w.chain.Contracts.NFT, Data: mint}},
			Options: []account.Option{account.Sponsored()},
		})
	}
	sent, err := account.SendTogether(polygon.ctx, legs...) // signs once
	if err != nil {
		fmt.Println(err)
		return
	}
	for i, tx := range sent {
		receipt, err := tx.Wait(polygon.ctx)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(legs[i].Account.Ref(), receipt.Success)
	}
	// Output:
	// account 0x2559531FE9b369097E449cDB52863b556935288F on chain 137 true
	// account 0x2559531FE9b369097E449cDB52863b556935288F on chain 42161 true
}

func ExampleGrantTogether() {
	polygon, arbitrum := exampleWorldOf(137), exampleWorldOf(42161)
	owner, store := account.KeyOwner(exampleKey), memstore.New()

	var legs []account.GrantLeg
	for _, w := range []*stage{polygon, arbitrum} {
		owned := w.client.OwnedAccount(owner, account.Multichain())
		key, err := store.NewKey(w.ctx, owned.Ref())
		if err != nil {
			fmt.Println(err)
			return
		}
		legs = append(legs, account.GrantLeg{
			Account: owned,
			Policies: []policy.Policy{policy.ABI{
				Key: key, Contract: w.chain.Contracts.NFT, Function: "safeMint(address to)", Window: policy.Forever(),
			}},
			Options: []account.Option{account.Sponsored()},
		})
	}
	granted, err := account.GrantTogether(polygon.ctx, store, legs...) // signs once
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, g := range granted {
		err := activate(polygon.ctx, g.Sessions, g.Tx)
		fmt.Println(g.Sessions.Leaves()[0].Status, err)
	}
	// Output:
	// active <nil>
	// active <nil>
}
