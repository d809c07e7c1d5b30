package seal

import (
	"crypto/ecdsa"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

var (
	// ErrNotAKey means that the given secret is no secp256k1 private key.
	ErrNotAKey = errors.New("not a secp256k1 private key")
	// ErrNoSealer means that a store was opened with nothing to seal keys by; it keeps none then.
	ErrNoSealer = errors.New("session store was opened without a Sealer, and keeps keys only sealed; open it with Config.Sealer")
	// ErrWiped means that a secret was wiped from memory, as closing a store does.
	ErrWiped = errors.New("secret was wiped from memory")
)

// KeySize is the size of a private key in bytes.
const KeySize = 32

// Key is a session key in memory. However it is printed, logged or marshalled, only its address shows. It is
// safe for concurrent use.
type Key struct {
	address common.Address
	mu      sync.RWMutex              // guards key
	key     hidden[*ecdsa.PrivateKey] // nil once wiped
}

// NewKey makes a random key.
func NewKey() (*Key, error) {
	key, err := crypto.GenerateKey()
	if err != nil {
		return nil, fmt.Errorf("make session key: %w", err)
	}
	return newKey(key), nil
}

// ParseKey takes a private key as 32 big-endian bytes. The error matches [ErrNotAKey] and does not quote the
// secret. The caller's slice may be cleared afterwards.
func ParseKey(secret []byte) (*Key, error) {
	key, err := crypto.ToECDSA(secret)
	if err != nil {
		return nil, ErrNotAKey
	}
	return newKey(key), nil
}

// CopyKey takes a copy of a private key. The error matches [ErrNotAKey].
func CopyKey(key *ecdsa.PrivateKey) (*Key, error) {
	//lint:ignore SA1019 a key without its number would panic in FromECDSA, and nothing else tells
	if key == nil || key.D == nil || key.Curve != crypto.S256() {
		return nil, ErrNotAKey
	}
	secret := crypto.FromECDSA(key)
	defer clear(secret)
	return ParseKey(secret)
}

func newKey(key *ecdsa.PrivateKey) *Key {
	return &Key{address: crypto.PubkeyToAddress(key.PublicKey), key: hide(key)}
}

// Address returns the address that the key signs for.
func (k *Key) Address() common.Address { return k.address }

// Sign returns the key's signature of digest: 65 bytes r ‖ s ‖ v, low s, v 0 or 1.
func (k *Key) Sign(digest common.Hash) ([]byte, error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.key == nil {
		return nil, fmt.Errorf("%w: session key %s", ErrWiped, k.address)
	}
	sig, err := crypto.Sign(digest[:], k.key())
	if err != nil {
		return nil, fmt.Errorf("sign with session key %s: %w", k.address, err)
	}
	return sig, nil
}

// Expose calls use with the private key as 32 bytes in clear, which are cleared when use returns.
func (k *Key) Expose(use func(secret []byte) error) error {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.key == nil {
		return fmt.Errorf("%w: session key %s", ErrWiped, k.address)
	}
	secret := crypto.FromECDSA(k.key())
	defer clear(secret)
	return use(secret)
}

// Wipe overwrites the key in memory. It never signs again.
func (k *Key) Wipe() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.key != nil {
		//lint:ignore SA1019 overwriting the number where it lies is the point
		clear(k.key().D.Bits())
		k.key = nil
	}
}

// String returns the address in words, never the key.
func (k *Key) String() string { return fmt.Sprintf("session key %s [redacted]", k.address) }

// GoString returns [Key.String].
func (k *Key) GoString() string { return k.String() }

// Format writes [Key.String] whatever the verb.
func (k *Key) Format(f fmt.State, _ rune) { fmt.Fprint(f, k.String()) }

// LogValue logs [Key.String].
func (k *Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalText writes [Key.String], so that encoders such as JSON's show no key.
func (k *Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }
