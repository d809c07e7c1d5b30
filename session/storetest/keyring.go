package storetest

import (
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/session/seal"
	"github.com/go-sesame/sesame/session/storekit"
)

func (c *Config) testKeyring(t *testing.T) {
	if _, ok := c.Open(t).(session.Keyring); !ok {
		return // keeps no keys
	}
	t.Run("keys", c.testKeys)
	t.Run("foreign keys", c.testForeignKeys)
	t.Run("many keys at once", c.testManyKeys)
	t.Run("sealed keys", c.testSealedKeys)
	t.Run("prints no key", c.testPrintsNoKey)
}

// requireSigns lets the keyring sign and recovers the key from the signature.
func requireSigns(t *testing.T, keys session.Keyring, ref session.Ref, key common.Address) {
	t.Helper()
	digest := crypto.Keccak256Hash(key[:])
	sig, err := keys.SignDigest(t.Context(), session.SignRequest{Ref: ref, Key: key, Digest: digest})
	require.NoError(t, err)
	err = storekit.CheckSignature(sig, digest, key)
	require.NoError(t, err)
}

func (c *Config) testKeys(t *testing.T) {
	keys, ref := c.Open(t).(session.Keyring), c.ref(0)
	listed, err := keys.Keys(t.Context(), ref)
	require.NoError(t, err)
	require.Empty(t, listed)

	made, err := keys.NewKey(t.Context(), ref)
	require.NoError(t, err)
	another, err := keys.NewKey(t.Context(), ref)
	require.NoError(t, err)
	require.NotEqual(t, made, another)
	private := testKey(0)
	imported, err := keys.ImportKey(t.Context(), ref, private)
	require.NoError(t, err)
	require.Equal(t, crypto.PubkeyToAddress(private.PublicKey), imported)
	again, err := keys.ImportKey(t.Context(), ref, private)
	require.NoError(t, err, "a key may be imported twice")
	require.Equal(t, imported, again)

	listed, err = keys.Keys(t.Context(), ref)
	require.NoError(t, err)
	require.ElementsMatch(t, []common.Address{made, another, imported}, listed)
	for _, key := range listed {
		requireSigns(t, keys, ref, key)
	}

	require.NoError(t, keys.RemoveKey(t.Context(), ref, imported))
	require.ErrorIs(t, keys.RemoveKey(t.Context(), ref, imported), session.ErrNoKey)
	_, err = keys.SignDigest(t.Context(), session.SignRequest{Ref: ref, Key: imported})
	require.ErrorIs(t, err, session.ErrNoKey, "a removed key signs no more")
	listed, err = keys.Keys(t.Context(), ref)
	require.NoError(t, err)
	require.ElementsMatch(t, []common.Address{made, another}, listed)
}

func (c *Config) testForeignKeys(t *testing.T) {
	keys, ref := c.Open(t).(session.Keyring), c.ref(0)
	key, err := keys.NewKey(t.Context(), ref)
	require.NoError(t, err)

	others := map[string]session.Ref{"other account": c.ref(1)}
	if c.ChainID == 0 {
		others["other chain"] = session.Ref{ChainID: ref.ChainID + 1, Account: ref.Account}
	}
	for name, other := range others {
		t.Run(name, func(t *testing.T) {
			_, err := keys.SignDigest(t.Context(), session.SignRequest{Ref: other, Key: key})
			require.ErrorIs(t, err, session.ErrNoKey)
			require.ErrorContains(t, err, key.Hex())
			require.ErrorIs(t, keys.RemoveKey(t.Context(), other, key), session.ErrNoKey)
			listed, err := keys.Keys(t.Context(), other)
			require.NoError(t, err)
			require.Empty(t, listed)
		})
	}
	_, err = keys.NewKey(t.Context(), session.Ref{})
	require.ErrorIs(t, err, policy.ErrInvalid)
	for name, bad := range map[string]*ecdsa.PrivateKey{"nil": nil, "zero": {}} {
		_, err = keys.ImportKey(t.Context(), ref, bad)
		require.ErrorIs(t, err, policy.ErrInvalid, name)
	}
	requireSigns(t, keys, ref, key)
}

func (c *Config) testManyKeys(t *testing.T) {
	stores, ref := c.stores(t), c.ref(0)
	made := make([]common.Address, 16)
	var group errgroup.Group
	for n := range made {
		group.Go(func() (err error) {
			made[n], err = stores[n%len(stores)].(session.Keyring).NewKey(t.Context(), ref)
			return err
		})
	}
	require.NoError(t, group.Wait())
	listed, err := stores[0].(session.Keyring).Keys(t.Context(), ref)
	require.NoError(t, err)
	require.ElementsMatch(t, made, listed, "no key is lost")
	for _, key := range listed {
		requireSigns(t, stores[1].(session.Keyring), ref, key)
	}
}

// testSealedKeys takes keys out of the store, as for a [session.Document].
func (c *Config) testSealedKeys(t *testing.T) {
	keys, ref := c.Open(t).(session.Keyring), c.ref(0)
	sealer, ok := keys.(session.KeySealer)
	if !ok {
		return // lets no key go
	}
	private := testKey(2)
	key, err := keys.ImportKey(t.Context(), ref, private)
	require.NoError(t, err)
	aead, err := seal.NewKeyAEAD(make([]byte, seal.KeySize))
	require.NoError(t, err)

	sealed, err := sealer.SealKey(t.Context(), ref, key, aead)
	require.NoError(t, err)
	requireNoKey(t, string(sealed), private)
	opened, err := seal.OpenKey(aead, sealed, seal.AssociatedData(ref.ChainID, ref.Account, key), key)
	require.NoError(t, err)
	require.NoError(t, opened.Expose(func(secret []byte) error {
		require.Equal(t, crypto.FromECDSA(private), secret)
		return nil
	}))
	requireSigns(t, keys, ref, key) // is not wiped with what left

	_, err = sealer.SealKey(t.Context(), c.ref(1), key, aead)
	require.ErrorIs(t, err, session.ErrNoKey)
	aead.Wipe()
	_, err = sealer.SealKey(t.Context(), ref, key, aead)
	require.ErrorIs(t, err, seal.ErrWiped)
	require.NotErrorIs(t, err, session.ErrClosed)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = sealer.SealKey(ctx, ref, key, aead)
	require.ErrorIs(t, err, context.Canceled)
}

// testPrintsNoKey searches what is printed of a keyring, and its errors, for a key it holds.
func (c *Config) testPrintsNoKey(t *testing.T) {
	keys, ref := c.Open(t).(session.Keyring), c.ref(0)
	private := testKey(1)
	key, err := keys.ImportKey(t.Context(), ref, private)
	require.NoError(t, err)
	requireSigns(t, keys, ref, key)
	_, missing := keys.SignDigest(t.Context(), session.SignRequest{Ref: ref})

	var printed strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%b", "%c", "%e", "%t", "%p", "%T"} {
		fmt.Fprintf(&printed, verb+"\n", keys)
		fmt.Fprintf(&printed, verb+"\n", struct{ Keys any }{keys})
		fmt.Fprintf(&printed, verb+"\n", struct{ hidden any }{keys})
	}
	text, err := json.Marshal(keys)
	fmt.Fprintf(&printed, "%s %v %v\n", text, err, missing)
	slog.New(slog.NewTextHandler(&printed, nil)).Info("keyring", "keys", keys)
	slog.New(slog.NewJSONHandler(&printed, nil)).Info("keyring", "keys", keys)

	requireNoKey(t, printed.String(), private)
}

// requireNoKey searches text for a key in every form that a printer might give it.
func requireNoKey(t *testing.T, text string, key *ecdsa.PrivateKey) {
	t.Helper()
	secret := crypto.FromECDSA(key)
	number := common.BytesToHash(secret).Big()
	for _, form := range []string{fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret), number.String(), strings.Trim(fmt.Sprint(secret), "[]"), string(secret)} {
		require.NotContains(t, text, form)
	}
	for _, word := range number.Bits() {
		require.NotContains(t, text, fmt.Sprint(uint(word)))
		require.NotContains(t, text, fmt.Sprintf("%x", uint(word)))
	}
}

// testKey returns the n-th key.
func testKey(n int) *ecdsa.PrivateKey {
	key, err := crypto.ToECDSA(crypto.Keccak256([]byte(fmt.Sprint("test key ", n))))
	if err != nil {
		panic(err)
	}
	return key
}
