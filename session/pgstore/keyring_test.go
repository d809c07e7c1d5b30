package pgstore_test

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/testutil/pgtest"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/seal"
)

// TestNoKeyInTheDatabase reads everything there is in the tables.
func TestNoKeyInTheDatabase(t *testing.T) {
	url := server.URL(t)
	store := open(t, url)
	key, err := crypto.GenerateKey()
	require.NoError(t, err)
	address, err := store.ImportKey(t.Context(), testRef, key)
	require.NoError(t, err)
	_, err = store.Apply(t.Context(), testRef, 0, &session.Change{Put: newLeaves(0, 3)})
	require.NoError(t, err)
	all := query(t, url, `select (select string_agg(k::text, ' ') from sesame_keys k) || (select string_agg(d::text, ' ') from sesame_data_keys d)
		|| (select string_agg(l::text, ' ') from sesame_leaves l) || (select string_agg(s::text, ' ') from sesame_sessions s)`)
	require.Contains(t, all, hex.EncodeToString(address[:]), "this reads what is there")
	require.NotContains(t, all, hex.EncodeToString(crypto.FromECDSA(key)))
	require.NotContains(t, all, hex.EncodeToString(bytes.Repeat([]byte("a"), 32)), "nor the Sealer's")
}

func TestCloseWipes(t *testing.T) {
	store := openWith(t, server.URL(t), newSealer('a'))
	requireAllSign(t, store, newKeys(t, store, 1))
	require.NoError(t, store.Rotate(t.Context(), newSealer('b')))
	requireAllSign(t, store, newKeys(t, store, 1))
	held := store.DataKeys()
	require.Len(t, held, 2)
	require.NoError(t, store.Close())
	for _, key := range held {
		_, err := key.Encrypt(nil, nil)
		require.ErrorIs(t, err, seal.ErrWiped)
	}
}

// TestMovedKeys copies sealed keys to other rows: each is bound to its chain, account and address.
func TestMovedKeys(t *testing.T) {
	for name, move := range map[string]string{
		"chain":   `update sesame_keys set chain_id = 1`,
		"account": `update sesame_keys set account = '\x3333333333333333333333333333333333333333'`,
		"address": `update sesame_keys set address = '\x4444444444444444444444444444444444444444'`,
		"bit":     `update sesame_keys set sealed = set_bit(sealed, 300, 1 - get_bit(sealed, 300))`,
	} {
		t.Run(name, func(t *testing.T) {
			url := server.URL(t)
			store := open(t, url)
			_, err := store.NewKey(t.Context(), testRef)
			require.NoError(t, err)
			pgtest.Exec(t, url, move)
			require.ErrorIs(t, store.Rotate(t.Context(), newSealer('a')), session.ErrDamaged)
			// A checksum keeps out nobody who means it.
			pgtest.Exec(t, url, `update sesame_keys set checksum = sesame_key_sum(chain_id, account, address, data_key, sealed)`)

			for _, ref := range []session.Ref{testRef, {ChainID: 1, Account: testRef.Account}, {ChainID: testRef.ChainID, Account: common.HexToAddress("0x3333333333333333333333333333333333333333")}} {
				keys, err := store.Keys(t.Context(), ref)
				require.NoError(t, err)
				for _, key := range keys {
					_, err := store.SignDigest(t.Context(), session.SignRequest{Ref: ref, Key: key})
					require.ErrorIs(t, err, seal.ErrOpen)
					require.ErrorContains(t, err, "open key of "+ref.String()+": ")
				}
			}
			require.ErrorContains(t, store.Rotate(t.Context(), newSealer('b')), "remove or import it again, and rotate again")
		})
	}
}

// TestRemovedElsewhere removes a key through one store and finds it gone in another that has signed with it.
func TestRemovedElsewhere(t *testing.T) {
	url := server.URL(t)
	store, other := open(t, url), open(t, url)
	keys := newKeys(t, store, 1)
	requireAllSign(t, other, keys)
	require.NoError(t, store.RemoveKey(t.Context(), testRef, keys[0]))
	require.ErrorIs(t, sign(t.Context(), other, keys[0]), session.ErrNoKey)
}

// TestImportRepairs imports a key again whose sealed form was damaged.
func TestImportRepairs(t *testing.T) {
	url := server.URL(t)
	store := open(t, url)
	key, err := crypto.GenerateKey()
	require.NoError(t, err)
	address, err := store.ImportKey(t.Context(), testRef, key)
	require.NoError(t, err)
	pgtest.Exec(t, url, `update sesame_keys set sealed = '\x00'`)
	err = sign(t.Context(), store, address)
	require.ErrorIs(t, err, session.ErrDamaged)
	require.ErrorContains(t, err, "the row in sesame_keys of key "+address.Hex()+" of "+testRef.String()+" was changed by something else than this program")
	_, err = store.ImportKey(t.Context(), testRef, key)
	require.NoError(t, err)
	require.NoError(t, sign(t.Context(), store, address))
}
