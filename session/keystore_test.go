package session_test

import (
	"context"
	"crypto/ecdsa"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/seal"
	"github.com/go-sesame/sesame/session/storekit"
)

func TestImportKeystore(t *testing.T) {
	// The PBKDF2 example of the Web3 Secret Storage Definition.
	file := []byte(`{"crypto":{"cipher":"aes-128-ctr","cipherparams":{"iv":"6087dab2f9fdbbfaddc31a909735c1e6"},
		"ciphertext":"5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46","kdf":"pbkdf2",
		"kdfparams":{"c":262144,"dklen":32,"prf":"hmac-sha256","salt":"ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd"},
		"mac":"517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2"},"version":3}`)
	keys, ref := &copying{Store: memstore.New()}, session.Ref{ChainID: 80002, Account: common.HexToAddress("0x01")}

	_, err := session.ImportKeystore(t.Context(), keys, ref, file, []byte("wrong"))
	require.ErrorIs(t, err, seal.ErrOpen)

	address, err := session.ImportKeystore(t.Context(), keys, ref, file, []byte("testpassword"))
	require.NoError(t, err)
	//lint:ignore SA1019 looks whether it was overwritten
	for _, word := range keys.given.D.Bits() {
		require.Zero(t, word, "the key is in the keyring alone")
	}
	secret, err := crypto.HexToECDSA("7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d")
	require.NoError(t, err)
	require.Equal(t, crypto.PubkeyToAddress(secret.PublicKey), address)
	digest := crypto.Keccak256Hash([]byte("x"))
	sig, err := keys.SignDigest(t.Context(), session.SignRequest{Ref: ref, Key: address, Digest: digest})
	require.NoError(t, err)
	err = storekit.CheckSignature(sig, digest, address)
	require.NoError(t, err)
}

// copying notes the key that it was given a copy of.
type copying struct {
	*memstore.Store
	given *ecdsa.PrivateKey
}

func (c *copying) ImportKey(ctx context.Context, ref session.Ref, key *ecdsa.PrivateKey) (common.Address, error) {
	c.given = key
	return c.Store.ImportKey(ctx, ref, key)
}
