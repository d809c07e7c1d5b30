package account_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
)

func TestUpgradedAccountIsFoundByTheResolver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	done(t)(w.owner.Deploy(t.Context(), account.Sponsored()))
	wallet := w.owner.Owner().Address()
	for _, index := range []uint64{0, 3, 126} {
		_, err := w.chain.SendTx(t.Context(), w.chain.Contracts.FactoryV1, nil, pack(t, "setAccount(address,uint256,address)", wallet, index, w.owner.Address()))
		require.NoError(t, err)
		found, err := w.client.UpgradedAccount(t.Context(), wallet, index)
		require.NoError(t, err)
		require.Equal(t, w.owner.Address(), found)
	}
	_, err := w.client.UpgradedAccount(t.Context(), wallet, 2)
	require.ErrorIs(t, err, account.ErrNoAccount)
	all, err := w.client.ResolveAccounts(t.Context(), wallet, 126)
	require.NoError(t, err)
	require.Len(t, all, 4, "three of version 1, and the one of version 2")
}
