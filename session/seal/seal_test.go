package seal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
)

// cheap is a cost for tests only.
var cheap = Cost{Time: 1, MemoryKiB: 64, Threads: 1}

func newKeyAEAD(t *testing.T, n byte) *KeyAEAD {
	t.Helper()
	a, err := NewKeyAEAD(bytes.Repeat([]byte{n}, 32))
	require.NoError(t, err)
	return a
}

func newPassphrase(t *testing.T, passphrase string, cost Cost) *Passphrase {
	t.Helper()
	p, err := NewPassphrase([]byte(passphrase), cost)
	require.NoError(t, err)
	return p
}

func aeads(t *testing.T) map[string]AEAD {
	return map[string]AEAD{
		"key":        newKeyAEAD(t, 1),
		"passphrase": newPassphrase(t, "correct horse", cheap),
		"envelope":   Envelope{KEK: newKeyAEAD(t, 1)},
		"any":        Any{newKeyAEAD(t, 1), newKeyAEAD(t, 2)},
	}
}

func TestAEADs(t *testing.T) {
	plaintext, row := []byte("a secret of some length"), []byte("row 1")
	for name, a := range aeads(t) {
		t.Run(name, func(t *testing.T) {
			sealed, err := a.Encrypt(plaintext, row)
			require.NoError(t, err)
			require.NotContains(t, string(sealed), "secret")
			again, err := a.Encrypt(plaintext, row)
			require.NoError(t, err)
			require.NotEqual(t, sealed, again, "the nonce is random")
			opened, err := a.Decrypt(sealed, row)
			require.NoError(t, err)
			require.Equal(t, plaintext, opened)

			_, err = a.Decrypt(sealed, []byte("row 2"))
			require.ErrorIs(t, err, ErrOpen, "moved to another row")
			for i := range sealed {
				_, err = a.Decrypt(sealed[:i], row)
				require.ErrorIs(t, err, ErrOpen, "cut at byte %d", i)
				if name == "passphrase" && i < headerSize {
					continue // a derivation each; see TestHostileHeaders
				}
				changed := bytes.Clone(sealed)
				changed[i] ^= 1
				_, err = a.Decrypt(changed, row)
				require.ErrorIs(t, err, ErrOpen, "changed at byte %d", i)
			}
			for _, empty := range [][]byte{nil, {}} {
				sealed, err = a.Encrypt(empty, empty)
				require.NoError(t, err)
				opened, err = a.Decrypt(sealed, nil)
				require.NoError(t, err)
				require.Empty(t, opened)
			}
		})
	}
}

func TestSealedKeys(t *testing.T) {
	key, err := NewKey()
	require.NoError(t, err)
	account := common.HexToAddress("0x01")
	row := AssociatedData(80002, account, key.Address())
	for name, a := range aeads(t) {
		t.Run(name, func(t *testing.T) {
			sealed, err := key.Seal(a, row)
			require.NoError(t, err)
			opened, err := OpenKey(a, sealed, row, key.Address())
			require.NoError(t, err)
			require.Equal(t, key.Address(), opened.Address())

			for _, other := range [][]byte{
				AssociatedData(1, account, key.Address()),
				AssociatedData(80002, common.HexToAddress("0x02"), key.Address()),
				AssociatedData(80002, account, account),
			} {
				_, err = OpenKey(a, sealed, other, key.Address())
				require.ErrorIs(t, err, ErrOpen)
				require.ErrorContains(t, err, "session key "+key.Address().Hex()+" was sealed by another key, or was changed or moved; use what sealed it")
			}
			_, err = OpenKey(a, sealed, row, account)
			require.EqualError(t, err, "sealed data does not open: in the place of session key "+account.Hex()+" is "+key.Address().Hex())
		})
	}
	junk, err := newKeyAEAD(t, 1).Encrypt([]byte("junk"), row)
	require.NoError(t, err)
	_, err = OpenKey(newKeyAEAD(t, 1), junk, row, key.Address())
	require.EqualError(t, err, "sealed data does not open: in the place of session key "+key.Address().Hex()+" is something else")
}

func TestReseal(t *testing.T) {
	from, to, row := newKeyAEAD(t, 1), newKeyAEAD(t, 2), []byte("row")
	sealed, err := from.Encrypt([]byte("secret"), row)
	require.NoError(t, err)
	for range 2 { // the second time as after an interruption
		sealed, err = Reseal(sealed, row, from, to)
		require.NoError(t, err)
		opened, err := to.Decrypt(sealed, row)
		require.NoError(t, err)
		require.Equal(t, "secret", string(opened))
		_, err = from.Decrypt(sealed, row)
		require.ErrorIs(t, err, ErrOpen)
	}
	_, err = Reseal(sealed, row, from, from)
	require.EqualError(t, err, "sealed data does not open by any of 2 AEADs; sealed data does not open; sealed data does not open")
	_, err = Any{}.Encrypt(nil, nil)
	require.EqualError(t, err, "no AEAD to seal with")
}

// A Tink keyset is an AEAD as it is. After its primary key was rotated it opens what the old one sealed, and
// what is sealed anew opens without the old one.
func TestTinkKeyset(t *testing.T) {
	manager := keyset.NewManager()
	oldKey, err := manager.Add(aead.AES256GCMKeyTemplate())
	require.NoError(t, err)
	primitive := func() AEAD {
		handle, err := manager.Handle()
		require.NoError(t, err)
		a, err := aead.New(handle)
		require.NoError(t, err)
		return a
	}
	require.NoError(t, manager.SetPrimary(oldKey))
	before := primitive()
	key, err := NewKey()
	require.NoError(t, err)
	row := AssociatedData(1, common.Address{}, key.Address())
	sealed, err := key.Seal(before, row)
	require.NoError(t, err)

	newKey, err := manager.Add(aead.XChaCha20Poly1305KeyTemplate())
	require.NoError(t, err)
	require.NoError(t, manager.SetPrimary(newKey))
	both := primitive()
	_, err = OpenKey(both, sealed, row, key.Address())
	require.NoError(t, err, "the old key still opens")
	resealed, err := Reseal(sealed, row, before, both)
	require.NoError(t, err)
	require.NoError(t, manager.Delete(oldKey))
	after := primitive()
	_, err = OpenKey(after, resealed, row, key.Address())
	require.NoError(t, err)
	_, err = OpenKey(after, sealed, row, key.Address())
	require.ErrorIs(t, err, ErrOpen)

	// As the KEK of an envelope, ours or Tink's for a KMS, it never sees the session key.
	for _, envelope := range []AEAD{Envelope{KEK: after}, aead.NewKMSEnvelopeAEAD2(aead.AES256GCMKeyTemplate(), after)} {
		sealed, err = key.Seal(envelope, row)
		require.NoError(t, err)
		_, err = OpenKey(envelope, sealed, row, key.Address())
		require.NoError(t, err)
		_, err = OpenKey(envelope, sealed, AssociatedData(2, common.Address{}, key.Address()), key.Address())
		require.ErrorIs(t, err, ErrOpen, "moved to another row")
	}
}

func TestUnreachableKMS(t *testing.T) {
	down := errors.New("kms: connection refused")
	key, err := NewKey()
	require.NoError(t, err)
	_, err = key.Seal(Envelope{KEK: failing{down}}, nil)
	require.ErrorIs(t, err, down)
	sealed, err := key.Seal(Envelope{KEK: newKeyAEAD(t, 1)}, nil)
	require.NoError(t, err)
	_, err = OpenKey(Envelope{KEK: failing{down}}, sealed, nil, key.Address())
	require.ErrorIs(t, err, down, "the cause can be told from a wrong key")
}

type failing struct{ err error }

func (f failing) Encrypt(_, _ []byte) ([]byte, error) { return nil, f.err }
func (f failing) Decrypt(_, _ []byte) ([]byte, error) { return nil, f.err }

func TestWipe(t *testing.T) {
	key, err := NewKey()
	require.NoError(t, err)
	//lint:ignore SA1019 looks whether it was overwritten
	words := key.key().D.Bits()
	key.Wipe()
	key.Wipe()
	for _, word := range words {
		require.Zero(t, word)
	}
	_, err = key.Sign(common.Hash{})
	require.EqualError(t, err, "secret was wiped from memory: session key "+key.Address().Hex())
	require.ErrorIs(t, key.Expose(func([]byte) error { return nil }), ErrWiped)

	raw := newKeyAEAD(t, 1)
	inside := raw.key()
	raw.Wipe()
	require.Equal(t, make([]byte, 32), inside)
	_, err = raw.Encrypt(nil, nil)
	require.ErrorIs(t, err, ErrWiped)

	p := newPassphrase(t, "correct horse", cheap)
	sealed, err := p.Encrypt(nil, nil)
	require.NoError(t, err)
	inside = p.secret()
	p.Wipe()
	require.Equal(t, make([]byte, 13), inside)
	_, err = p.Decrypt(sealed, nil)
	require.ErrorIs(t, err, ErrWiped)
}

func TestKeys(t *testing.T) {
	key, err := NewKey()
	require.NoError(t, err)
	var exposed []byte
	require.NoError(t, key.Expose(func(secret []byte) error {
		exposed = secret
		again, err := ParseKey(secret)
		require.NoError(t, err)
		require.Equal(t, key.Address(), again.Address())
		return nil
	}))
	require.Equal(t, make([]byte, KeySize), exposed, "the copy is cleared")

	private, err := crypto.GenerateKey()
	require.NoError(t, err)
	cp, err := CopyKey(private)
	require.NoError(t, err)
	cp.Wipe()
	require.Len(t, crypto.FromECDSA(private), KeySize)
	require.NotEqual(t, make([]byte, KeySize), crypto.FromECDSA(private), "the caller's key stays")

	for name, secret := range map[string][]byte{"short": make([]byte, 31), "zero": make([]byte, 32), "large": bytes.Repeat([]byte{0xff}, 32)} {
		_, err := ParseKey(secret)
		require.ErrorIs(t, err, ErrNotAKey, name)
	}
	_, err = CopyKey(nil)
	require.ErrorIs(t, err, ErrNotAKey)
}

// TestRedacted prints everything that holds a secret, in every way, and searches for the secret.
func TestRedacted(t *testing.T) {
	secret := crypto.Keccak256([]byte("secret"))
	key, err := ParseKey(secret)
	require.NoError(t, err)
	raw, err := NewKeyAEAD(secret)
	require.NoError(t, err)
	p := newPassphrase(t, string(secret), cheap)
	_, err = p.Encrypt(nil, nil)
	require.NoError(t, err)

	var printed strings.Builder
	for _, holder := range []any{key, raw, p, Any{raw, p}, Envelope{KEK: raw}, &Envelope{KEK: p}} {
		for _, value := range []any{holder, []any{holder}, struct{ Exported any }{holder}, struct{ hidden any }{holder}, map[string]any{"x": holder}} {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%b", "%o", "%c", "%U", "%e", "%t", "%p", "%T"} {
				fmt.Fprintf(&printed, verb+"\n", value)
			}
			fmt.Fprintln(&printed, value)
			text, err := json.Marshal(value)
			fmt.Fprintf(&printed, "%s %v\n", text, err)
			slog.New(slog.NewTextHandler(&printed, nil)).Info("x", "holder", value)
			slog.New(slog.NewJSONHandler(&printed, nil)).Info("x", "holder", value)
		}
	}
	number := common.BytesToHash(secret).Big()
	forms := []string{string(secret), fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret), number.String(), strings.Trim(fmt.Sprint(secret), "[]"), fmt.Sprintf("%q", secret)}
	for _, word := range number.Bits() {
		forms = append(forms, fmt.Sprint(uint(word)), fmt.Sprintf("%x", uint(word)))
	}
	for _, form := range forms {
		require.False(t, strings.Contains(printed.String(), form), "the secret is printed as %s", form)
	}
	require.Contains(t, printed.String(), "session key "+key.Address().Hex()+" [redacted]")
}

// FuzzDecrypt looks for a ciphertext that does worse than not opening.
func FuzzDecrypt(f *testing.F) {
	key, err := NewKeyAEAD(make([]byte, 32))
	require.NoError(f, err)
	for _, a := range []AEAD{key, Envelope{KEK: key}} {
		sealed, err := a.Encrypt([]byte("secret"), nil)
		require.NoError(f, err)
		f.Add(sealed)
	}
	f.Fuzz(func(t *testing.T, sealed []byte) {
		for _, a := range []AEAD{key, Envelope{KEK: key}} {
			if opened, err := a.Decrypt(sealed, nil); err != nil {
				require.ErrorIs(t, err, ErrOpen)
			} else {
				require.Equal(t, "secret", string(opened))
			}
		}
	})
}
