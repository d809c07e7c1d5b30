package seal

import (
	"fmt"
	"log/slog"
)

// hidden keeps a secret from printers. They follow the pointers in fields, and call no methods there if the
// field is not exported; they do not follow functions.
type hidden[T any] func() T

func hide[T any](secret T) hidden[T] { return func() T { return secret } }

// What holds a secret says what it is, whoever prints it and how.

const (
	keyAEADName    = "seal.KeyAEAD [redacted]"
	passphraseName = "seal.Passphrase [redacted]"
)

// String says what it is and no key.
func (a *KeyAEAD) String() string { return keyAEADName }

// GoString returns [KeyAEAD.String].
func (a *KeyAEAD) GoString() string { return keyAEADName }

// Format writes [KeyAEAD.String] whatever the verb.
func (a *KeyAEAD) Format(f fmt.State, _ rune) { fmt.Fprint(f, keyAEADName) }

// LogValue logs [KeyAEAD.String].
func (a *KeyAEAD) LogValue() slog.Value { return slog.StringValue(keyAEADName) }

// MarshalText writes [KeyAEAD.String].
func (a *KeyAEAD) MarshalText() ([]byte, error) { return []byte(keyAEADName), nil }

// String says what it is and no passphrase.
func (p *Passphrase) String() string { return passphraseName }

// GoString returns [Passphrase.String].
func (p *Passphrase) GoString() string { return passphraseName }

// Format writes [Passphrase.String] whatever the verb.
func (p *Passphrase) Format(f fmt.State, _ rune) { fmt.Fprint(f, passphraseName) }

// LogValue logs [Passphrase.String].
func (p *Passphrase) LogValue() slog.Value { return slog.StringValue(passphraseName) }

// MarshalText writes [Passphrase.String].
func (p *Passphrase) MarshalText() ([]byte, error) { return []byte(passphraseName), nil }
