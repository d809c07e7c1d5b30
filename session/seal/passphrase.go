package seal

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/chacha20poly1305"
)

// Cost says how much work Argon2id takes to derive a key from a passphrase. Zero fields are those of RFC
// 9106's recommendation for 64 MiB: 3 passes by 4 threads, some tenth of a second.
type Cost struct {
	// Time is the number of passes over the memory, up to 64.
	Time uint32
	// MemoryKiB is the memory in KiB, up to 1 GiB.
	MemoryKiB uint32
	// Threads is the number of threads, up to 32.
	Threads uint8
}

func (c Cost) withDefaults() Cost {
	if c.Time == 0 {
		c.Time = 3
	}
	if c.MemoryKiB == 0 {
		c.MemoryKiB = 64 << 10
	}
	if c.Threads == 0 {
		c.Threads = 4
	}
	return c
}

// check bounds the cost, as it comes from a ciphertext too, which somebody may have made to exhaust the
// memory of whoever opens it.
func (c Cost) check() error {
	switch {
	case c.Time < 1 || c.Time > 64:
		return fmt.Errorf("argon2id with %d passes, want 1 to 64", c.Time)
	case c.Threads < 1 || c.Threads > 32:
		return fmt.Errorf("argon2id with %d threads, want 1 to 32", c.Threads)
	case c.MemoryKiB < 8*uint32(c.Threads) || c.MemoryKiB > 1<<20:
		return fmt.Errorf("argon2id with %d KiB, want 8 for each thread up to 1 GiB", c.MemoryKiB)
	}
	return nil
}

// Passphrase seals under a key derived from a passphrase. Cost and salt stand in each ciphertext, so that a
// store sealed at an older cost opens, and gets the new one when it is rotated. A key is derived once for
// each salt, and an AEAD that opened something goes on with its salt.
type Passphrase struct {
	cost Cost

	mu      sync.Mutex     // guards the fields below; deriving under it bounds the memory too
	secret  hidden[[]byte] // nil once wiped
	current *derivation
	derived map[derivation]*KeyAEAD
}

// derivation is what, with the passphrase, makes a key.
type derivation struct {
	cost Cost
	salt [saltSize]byte
}

const (
	saltSize   = 16
	headerSize = 1 + 4 + 4 + 1 + saltSize
	// argon2idV1 begins a ciphertext: the algorithm and the header's form.
	argon2idV1 = 1
	// maxDerived bounds the keys kept, as salts come from ciphertexts.
	maxDerived = 32
)

// NewPassphrase takes a copy of the passphrase. It derives nothing yet.
func NewPassphrase(passphrase []byte, cost Cost) (*Passphrase, error) {
	cost = cost.withDefaults()
	if err := cost.check(); err != nil {
		return nil, err
	}
	if len(passphrase) == 0 {
		return nil, errors.New("seal: the passphrase is empty; see where it is to come from, such as a variable of the environment")
	}
	return &Passphrase{cost: cost, secret: hide(slices.Clone(passphrase)), derived: make(map[derivation]*KeyAEAD)}, nil
}

// Encrypt implements [AEAD].
func (p *Passphrase) Encrypt(plaintext, associatedData []byte) ([]byte, error) {
	d, err := p.choose()
	if err != nil {
		return nil, err
	}
	key, err := p.derive(d)
	if err != nil {
		return nil, err
	}
	header := d.header()
	sealed, err := key.Encrypt(plaintext, slices.Concat(header, associatedData))
	if err != nil {
		return nil, err
	}
	return append(header, sealed...), nil
}

// Decrypt implements [AEAD]. The error matches [ErrOpen].
func (p *Passphrase) Decrypt(ciphertext, associatedData []byte) ([]byte, error) {
	d, err := parseHeader(ciphertext)
	if err != nil {
		return nil, err
	}
	key, err := p.derive(d)
	if err != nil {
		return nil, err
	}
	header, sealed := ciphertext[:headerSize], ciphertext[headerSize:]
	plaintext, err := key.Decrypt(sealed, slices.Concat(header, associatedData))
	if err != nil {
		return nil, fmt.Errorf("%w: wrong passphrase, or it was changed or moved", ErrOpen)
	}
	p.adopt(d)
	return plaintext, nil
}

// choose returns what to seal with: the salt that opened something, or a new one.
func (p *Passphrase) choose() (derivation, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.current == nil {
		d := derivation{cost: p.cost}
		if _, err := rand.Read(d.salt[:]); err != nil {
			return derivation{}, fmt.Errorf("draw salt: %w", err)
		}
		p.current = &d
	}
	return *p.current, nil
}

func (p *Passphrase) adopt(d derivation) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.current == nil && d.cost == p.cost {
		p.current = &d
	}
}

func (p *Passphrase) derive(d derivation) (*KeyAEAD, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.secret == nil {
		return nil, fmt.Errorf("%w: the passphrase was wiped", ErrWiped)
	}
	if key, ok := p.derived[d]; ok {
		return key, nil
	}
	if len(p.derived) >= maxDerived {
		p.derived = make(map[derivation]*KeyAEAD) // others may still use the old ones
	}
	raw := argon2.IDKey(p.secret(), d.salt[:], d.cost.Time, d.cost.MemoryKiB, d.cost.Threads, chacha20poly1305.KeySize)
	defer clear(raw)
	key, err := NewKeyAEAD(raw)
	if err != nil {
		return nil, err
	}
	p.derived[d] = key
	return key, nil
}

// Wipe overwrites the passphrase and what was derived from it. It never seals or opens again.
func (p *Passphrase) Wipe() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.secret != nil {
		clear(p.secret())
		p.secret = nil
	}
	for d, key := range p.derived {
		key.Wipe()
		delete(p.derived, d)
	}
}

func (d *derivation) header() []byte {
	b := append(make([]byte, 0, headerSize), argon2idV1)
	b = binary.BigEndian.AppendUint32(b, d.cost.Time)
	b = binary.BigEndian.AppendUint32(b, d.cost.MemoryKiB)
	b = append(b, d.cost.Threads)
	return append(b, d.salt[:]...)
}

func parseHeader(ciphertext []byte) (d derivation, err error) {
	if len(ciphertext) < headerSize || ciphertext[0] != argon2idV1 {
		return derivation{}, errChanged
	}
	d.cost.Time = binary.BigEndian.Uint32(ciphertext[1:])
	d.cost.MemoryKiB = binary.BigEndian.Uint32(ciphertext[5:])
	d.cost.Threads = ciphertext[9]
	copy(d.salt[:], ciphertext[10:headerSize])
	if err := d.cost.check(); err != nil {
		return derivation{}, fmt.Errorf("%w: %w", ErrOpen, err)
	}
	return d, nil
}
