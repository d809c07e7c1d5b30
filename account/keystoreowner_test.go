package account_test

import (
	"context"
	"testing"

	"github.com/ethereum/go-ethereum/accounts/keystore"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
)

func TestKeystoreOwner(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	store := keystore.NewKeyStore(t.TempDir(), keystore.LightScryptN, keystore.LightScryptP)
	stored, err := store.ImportECDSA(w.ownerKey, "passphrase")
	require.NoError(t, err)
	owner := w.client.OwnedAccount(account.KeystoreOwner(store, stored))
	require.Equal(t, w.owner.Address(), owner.Address())

	_, err = sendOwned(t, owner, []account.Call{w.mint(t, owner.Address())})
	require.ErrorIs(t, err, keystore.ErrLocked)
	require.ErrorContains(t, err, "keystore account "+stored.Address.Hex())

	require.NoError(t, store.Unlock(stored, "passphrase"))
	_, err = sendOwned(t, owner, []account.Call{w.mint(t, owner.Address())})
	require.NoError(t, err)
	require.Equal(t, uint64(1), w.nfts(t))

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = owner.Owner().SignMessage(ended, nil)
	require.ErrorIs(t, err, context.Canceled)
}
