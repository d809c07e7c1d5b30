package tsstore

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/seal"
)

// Transfer takes an account's sessions and their keys over from the TypeScript SDK's files into another
// store: keys into keys or, if that is nil, into the store itself if it is a [session.Keyring]. It returns
// the sessions as [session.Import] does, with leaves that are pending until the chain shows their root, and
// what [Store.Inspect] found. The files stay as they are.
//
// Keys are there before the leaves are, which are stored in one change: what a crash interrupts can simply be
// done again, and doing it twice changes nothing. Files with fatal findings are refused as by [Store.Export],
// and a store that has other sessions of the account is an error matching [session.ErrConflict].
func Transfer(ctx context.Context, from *Store, ref session.Ref, to session.Store, keys session.Keyring, opts ...ExportOption) (*session.Sessions, *Report, error) {
	aead, err := newTransit()
	if err != nil {
		return nil, nil, err
	}
	defer aead.Wipe()
	document, report, err := from.Export(ctx, ref, append(slices.Clip(opts), WithKeys(aead))...)
	if err != nil {
		return nil, report, err
	}
	options := []session.ImportOption{session.WithSealedKeys(aead)}
	if keys != nil {
		options = append(options, session.WithKeyring(keys))
	}
	sess, err := session.Import(ctx, to, document, options...)
	if err != nil {
		return nil, report, fmt.Errorf("transfer to another store: %w", err)
	}
	return sess, report, nil
}

// TransferBack writes an account's sessions and their keys into the SDK's files, for a service that stays
// with the SDK or returns to it, and returns the sessions of the files. The SDK proves their leaves as long
// as their root is on chain. The keyring of from has to hand keys out ([session.KeySealer]); without keys,
// [session.Import] takes [session.Sessions.Export] into the files. Doing it twice changes nothing, and files
// that have other sessions of the account are an error matching [session.ErrConflict].
func TransferBack(ctx context.Context, from *session.Sessions, to *Store) (*session.Sessions, error) {
	aead, err := newTransit()
	if err != nil {
		return nil, err
	}
	defer aead.Wipe()
	document, err := from.ExportWithKeys(ctx, aead)
	if err != nil {
		return nil, err
	}
	sess, err := session.Import(ctx, to, document, session.WithSealedKeys(aead))
	if err != nil {
		return nil, fmt.Errorf("transfer to %s: %w", to.dir, err)
	}
	return sess, nil
}

// newTransit returns an AEAD for keys on their way within this process.
func newTransit() (*seal.KeyAEAD, error) {
	key := make([]byte, 32)
	defer clear(key)
	if _, err := rand.Read(key); err != nil {
		return nil, fmt.Errorf("draw key for transit: %w", err)
	}
	return seal.NewKeyAEAD(key)
}
