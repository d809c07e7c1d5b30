package account_test

import (
	"crypto/ecdsa"
	"fmt"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/session/policy"
)

func newOwner(t *testing.T) account.Owner {
	t.Helper()
	return account.KeyOwner(newKey(t))
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := crypto.GenerateKey()
	require.NoError(t, err)
	return key
}

func TestTransferOwnershipAtEitherModule(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, opts := range map[string][]account.OwnedOption{"ECDSA": nil, "multichain": {account.Multichain()}} {
		t.Run(name, func(t *testing.T) {
			before := w.client.OwnedAccount(w.owner.Owner(), opts...)
			next := newOwner(t)
			done(t)(before.TransferOwnership(t.Context(), next.Address(), account.Sponsored()))

			after := w.client.OwnedAccount(next, append(opts, account.AtAddress(before.Address()))...)
			done(t)(after.Send(t.Context(), []account.Call{w.mint(t, after.Address())}, account.Sponsored()))
			_, err := before.Send(t.Context(), []account.Call{w.mint(t, after.Address())}, account.Sponsored())
			require.ErrorIs(t, err, account.ErrWrongOwner)
			_, err = before.TransferOwnership(t.Context(), w.owner.Owner().Address(), account.Sponsored())
			require.ErrorContains(t, err, "that is the owner already")
			_, err = before.TransferOwnership(t.Context(), stranger, account.Sponsored())
			require.ErrorIs(t, err, account.ErrWrongOwner)
			require.ErrorContains(t, err, w.owner.Owner().Address().Hex()+" owns it at none of its modules ["+before.Module().Address.Hex()+"]")
		})
	}
}

func TestTransferLeavesNoModuleBehind(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	multichain := w.client.MultichainModule(w.owner.Owner())
	done(t)(w.owner.SetupAndEnableModule(t.Context(), multichain.Address, multichain.Setup, account.Sponsored()))
	next := newOwner(t)
	done(t)(w.owner.TransferOwnership(t.Context(), next.Address(), account.Sponsored()))

	state, err := w.user.State(t.Context())
	require.NoError(t, err)
	at := w.client.Contracts()
	require.Equal(t, []account.Ownership{{Module: at.ECDSA, Owner: next.Address()}, {Module: at.Multichain, Owner: next.Address()}}, state.Owners)
	old := w.client.OwnedAccount(w.owner.Owner(), account.ActiveModule(multichain))
	_, err = sendOwned(t, old, []account.Call{w.mint(t, old.Address())}, account.Unchecked())
	require.ErrorContains(t, err, "AA24 signature error")
}

func TestTransferToNobodyIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := sendOwned(t, w.owner, []account.Call{w.mint(t, w.owner.Address())})
	require.NoError(t, err)
	for _, tt := range []struct {
		name string
		to   common.Address
		want string
	}{
		{"zero", common.Address{}, "nobody has the zero address's key"},
		{"the account", w.owner.Address(), "an account cannot own itself"},
		{"the owner", w.owner.Owner().Address(), "that is the owner already"},
		{"a contract", w.chain.Contracts.Token, "there is code at that address, and the ownership modules take keys only"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := w.owner.TransferOwnership(t.Context(), tt.to, account.Sponsored())
			require.ErrorIs(t, err, policy.ErrInvalid)
			require.EqualError(t, err, "transfer account "+w.owner.Address().Hex()+" to "+tt.to.Hex()+": invalid input: "+tt.want)
		})
	}
}

func ExampleOwnedAccount_TransferOwnership() {
	w := exampleWorld()
	next := account.KeyOwner(exampleKey)

	tx, err := w.owner.TransferOwnership(w.ctx, next.Address(), account.Sponsored())
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := tx.Wait(w.ctx); err != nil {
		fmt.Println(err)
		return
	}
	state, err := w.client.OwnedAccount(next, account.AtAddress(w.owner.Address())).State(w.ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(state.Owners[0].Owner)
	// Output:
	// 0xfD7EA93E850d9087c2Cc2a3915CeAfC2A94b5Cb0
}
