package account_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
)

func TestDeploy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tx, err := w.owner.Deploy(t.Context(), account.Sponsored())
	require.NoError(t, err)
	require.Empty(t, tx.Operation().CallData, "nothing is called")
	receipt, err := tx.Wait(t.Context())
	require.NoError(t, err)
	require.True(t, receipt.Success)
	state, err := w.user.State(t.Context())
	require.NoError(t, err)
	require.True(t, state.Deployed)
	require.Equal(t, "1", state.Nonce.Dec())

	_, err = w.owner.Deploy(t.Context(), account.Sponsored())
	require.ErrorIs(t, err, account.ErrDeployed)
	require.EqualError(t, err, "deploy account "+w.owner.Address().Hex()+": account is deployed already")
}

func TestDeploySelfPaid(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.owner.Deploy(t.Context())
	require.ErrorContains(t, err, "AA21 didn't pay prefund", "balance too small")
	w.fund(t, 1)
	done(t)(w.owner.Deploy(t.Context()))
}

func TestOnlyTheOwnerDeploys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.owner.Deploy(t.Context(), account.WithSigner(w.owner.Signer()))
	require.ErrorIs(t, err, account.ErrConfig)
	_, err = w.client.OwnedAccount(w.owner.Owner(), account.AtAddress(stranger)).Deploy(t.Context())
	require.ErrorIs(t, err, account.ErrNotDeployed)
	_, err = w.client.OwnedAccount(nil).Deploy(t.Context())
	require.ErrorIs(t, err, account.ErrNoSigner)
}

func ExampleOwnedAccount_Deploy() {
	w := exampleWorld()
	tx, err := w.owner.Deploy(w.ctx, account.Sponsored())
	if err != nil {
		fmt.Println(err)
		return
	}
	receipt, err := tx.Wait(w.ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	deployed, err := w.owner.Deployed(w.ctx)
	fmt.Println(receipt.Success, deployed, err)
	// Output:
	// true true <nil>
}
