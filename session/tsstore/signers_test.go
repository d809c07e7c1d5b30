package tsstore

import (
	"context"
	"crypto/ecdsa"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
)

// signer is a key with the names it has in a file.
type signer struct {
	key     *ecdsa.PrivateKey
	address common.Address
	name    string // of its entry
	secret  string
}

func newSigner(t *testing.T, seed string) signer {
	t.Helper()
	secret := crypto.Keccak256([]byte(seed))
	key, err := crypto.ToECDSA(secret)
	require.NoError(t, err)
	address := crypto.PubkeyToAddress(key.PublicKey)
	return signer{key, address, strings.ToLower(address.Hex()), hex.EncodeToString(secret)}
}

func writeSigners(t *testing.T, content string) *Store {
	t.Helper()
	return writeFile(t, fileName(testRef.Account, signersKind), content)
}

func sign(store *Store, key common.Address) error {
	_, err := store.SignDigest(context.Background(), session.SignRequest{Ref: testRef, Key: key})
	return err
}

func TestReadsSigners(t *testing.T) {
	a, b := newSigner(t, "a"), newSigner(t, "b")
	public := "0x" + hex.EncodeToString(crypto.FromECDSAPub(&a.key.PublicKey))
	for name, content := range map[string]string{
		"as the SDK writes it":     `{"` + a.name + `":{"pvKey":"0x` + a.secret + `","pbKey":"` + a.address.Hex() + `"}}`,
		"older SDK":                `{"` + a.name + `":{"pvKey":"0x` + a.secret + `","pbKey":"` + public + `","chainId":{"id":80002}}}`,
		"no pbKey":                 `{"` + a.name + `":{"pvKey":"0x` + a.secret + `"}}`,
		"checksummed, in capitals": `{"` + a.address.Hex() + `":{"pvKey":"0x` + strings.ToUpper(a.secret) + `"}}`,
		"beside a broken one":      `{"` + a.name + `":{"pvKey":"0x` + a.secret + `"}, "` + b.name + `": {}}`,
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, sign(writeSigners(t, content), a.address))
		})
	}
}

func TestRefusesMalformedSigners(t *testing.T) {
	a, b := newSigner(t, "a"), newSigner(t, "b")
	entry := func(fields string) string { return `{"` + a.name + `":` + fields + `}` }
	for name, test := range map[string]struct{ content, want string }{
		"broken":         {`{"` + a.name + `":{"pvKey":"0x` + a.secret, "broken JSON at byte 122; if the TypeScript SDK was just writing it, try again"},
		"list":           {`[]`, "want a JSON object"},
		"not an address": {`{"0x12":{}}`, `"0x12": not an address`},
		"not hex":        {`{"key":{}}`, `"key": hex without 0x`},
		"twice":          {`{"` + a.name + `":{},"` + a.address.Hex() + `":{}}`, a.name + ": second entry of the same address; keep one"},
		"not an object":  {entry(`"0x` + a.secret + `"`), a.name + ": want an object with pvKey and pbKey"},
		"no key":         {entry(`{}`), a.name + ".pvKey: want a string of 0x and 64 hex digits"},
		"number":         {entry(`{"pvKey":123456789}`), a.name + ".pvKey: want a string of 0x and 64 hex digits"},
		"short":          {entry(`{"pvKey":"0x` + a.secret[2:] + `"}`), a.name + ".pvKey: want a string of 0x and 64 hex digits"},
		"no prefix":      {entry(`{"pvKey":"` + a.secret + `"}`), a.name + ".pvKey: want a string of 0x and 64 hex digits"},
		"letters":        {entry(`{"pvKey":"0x` + a.secret[:63] + `g"}`), a.name + ".pvKey: want a string of 0x and 64 hex digits"},
		"zero":           {entry(`{"pvKey":"0x` + strings.Repeat("0", 64) + `"}`), a.name + ".pvKey: not a secp256k1 private key"},
		"too large":      {entry(`{"pvKey":"0x` + strings.Repeat("f", 64) + `"}`), a.name + ".pvKey: not a secp256k1 private key"},
		"another key":    {entry(`{"pvKey":"0x` + b.secret + `"}`), a.name + ".pvKey: is the key of " + b.address.Hex() + ", not of its entry"},
		"another pbKey":  {entry(`{"pvKey":"0x` + a.secret + `","pbKey":"` + b.address.Hex() + `"}`), a.name + ".pbKey: is " + b.address.Hex() + ", not the address of its entry"},
	} {
		t.Run(name, func(t *testing.T) {
			store := writeSigners(t, test.content)
			path := filepath.Join(store.dir, fileName(testRef.Account, signersKind))
			_, listed := store.Keys(t.Context(), testRef)
			_, imported := store.ImportKey(t.Context(), testRef, a.key)
			for _, err := range []error{listed, sign(store, a.address), imported} {
				if errors.Is(err, session.ErrNoKey) {
					continue // the file is fine but for an entry that is not a's
				}
				require.EqualError(t, err, path+": "+test.want)
				require.ErrorIs(t, err, policy.ErrInvalid)
				require.NotContains(t, strings.ToLower(err.Error()), a.secret[10:20])
				require.NotContains(t, strings.ToLower(err.Error()), b.secret[10:20])
			}
			content, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, test.content, string(content), "what cannot be read is not overwritten")
		})
	}
}

func TestWritesSignersAsTheSDK(t *testing.T) {
	a, b := newSigner(t, "a"), newSigner(t, "b")
	store := writeSigners(t, `{"`+a.name+`":{"pvKey":"0x`+a.secret+`","other":[1.50]}}`)
	path := filepath.Join(store.dir, fileName(testRef.Account, signersKind))

	_, err := store.ImportKey(t.Context(), testRef, b.key)
	require.NoError(t, err)
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	require.JSONEq(t, `{"`+a.name+`":{"pvKey":"0x`+a.secret+`","other":[1.50]},"`+b.name+`":{"pvKey":"0x`+b.secret+`","pbKey":"`+b.address.Hex()+`"}}`, string(content))
	require.Contains(t, string(content), "1.50", "what is not known stays as it is written")

	require.NoError(t, store.RemoveKey(t.Context(), testRef, a.address))
	content, err = os.ReadFile(path)
	require.NoError(t, err)
	var left map[string]any
	require.NoError(t, json.Unmarshal(content, &left))
	require.Len(t, left, 1)
}

func TestFileModes(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // has no modes
	}
	store, err := OpenPlaintext(filepath.Join(t.TempDir(), "a", "b"), testRef.ChainID)
	require.NoError(t, err)
	signers := filepath.Join(store.dir, fileName(testRef.Account, signersKind))
	victim := filepath.Join(t.TempDir(), "victim")
	require.NoError(t, os.WriteFile(signers, nil, 0o644)) // as the SDK makes it
	require.NoError(t, os.WriteFile(victim, []byte("precious"), 0o644))
	require.NoError(t, os.Symlink(victim, filepath.Join(store.dir, "."+filepath.Base(signers)+".tmp")))
	_, err = store.NewKey(t.Context(), testRef)
	require.NoError(t, err)
	_, err = store.Apply(t.Context(), testRef, 0, &session.Change{})
	require.NoError(t, err)

	require.NoError(t, filepath.WalkDir(store.dir, func(path string, entry os.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := entry.Info()
		require.NoError(t, err)
		want := os.FileMode(0o600)
		if entry.IsDir() {
			want = 0o700
		}
		require.Equal(t, want, info.Mode().Perm(), path)
		require.NotContains(t, path, ".tmp")
		return nil
	}))
	content, err := os.ReadFile(victim)
	require.NoError(t, err)
	require.Equal(t, "precious", string(content), "a link in place of the temporary file is not followed")
}

// A wait for the lock, which another process may hold for long, ends with the context.
func TestWaitEndsWithContext(t *testing.T) {
	store := writeSessions(t, testFile(t, ""))
	version, err := store.Version(t.Context(), testRef)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	err = store.Hold(t.Context(), testRef, func(uint64) error {
		cancelled := make(chan error)
		go func() {
			_, err := store.Apply(ctx, testRef, version, &session.Change{})
			cancelled <- err
		}()
		cancel()
		return <-cancelled
	})
	require.ErrorIs(t, err, context.Canceled)
	_, err = store.Apply(t.Context(), testRef, version, &session.Change{})
	require.NoError(t, err)
}

func TestWriteFails(t *testing.T) {
	store := writeSessions(t, testFile(t, "", testNode(0, active, nil)))
	before, err := store.Load(t.Context(), testRef)
	require.NoError(t, err)
	// A directory in the temporary file's place, with something in it, cannot be removed.
	blocked := filepath.Join(store.dir, "."+fileName(testRef.Account, sessionsKind)+".tmp")
	require.NoError(t, os.MkdirAll(filepath.Join(blocked, "full"), 0o700))

	_, err = store.Apply(t.Context(), testRef, before.Version, &session.Change{})
	require.ErrorContains(t, err, "which stays as it was")
	after, err := store.Load(t.Context(), testRef)
	require.NoError(t, err)
	require.Equal(t, before, after)
}

func FuzzSigners(f *testing.F) {
	seed, err := os.ReadFile(filepath.Join("testdata", "sdk", fileName(testRef.Account, signersKind)))
	require.NoError(f, err)
	f.Add(seed)
	f.Add([]byte(`{"0x2c0aba5df884cce250de15e643813e04219ea2ba":{"pvKey":7,"pbKey":null}}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		file, err := parseSigners("file", content)
		if err != nil {
			require.ErrorContains(t, err, "file: ")
			return
		}
		names, bad := file.addresses()
		if bad != nil {
			return
		}
		for address, name := range names {
			if key, bad := file.key(name, address); bad == nil {
				require.Equal(t, address, key.Address())
			}
		}
	})
}
