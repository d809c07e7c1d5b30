package filestore

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"go.etcd.io/bbolt"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/session/seal"
	"github.com/go-sesame/sesame/session/storekit"
)

// Rotate makes a new data key, seals all session keys anew with it, and has sealer seal it. It is one change:
// interrupted at any point, it has either not happened, and may be started again, or is complete. From then
// on the store is opened with sealer. For a Tink keyset whose primary key was rotated, sealer is the AEAD of
// the new keyset.
func (s *Store) Rotate(ctx context.Context, sealer seal.AEAD) error {
	if sealer == nil {
		return s.in(fmt.Errorf("%w: rotate session keys without a Sealer", policy.ErrInvalid))
	}
	if err := s.keys.rotating.Acquire(ctx, 1); err != nil {
		return s.in(fmt.Errorf("rotate session keys after another rotation: %w", err))
	}
	defer s.keys.rotating.Release(1)
	wrapped, fresh, err := storekit.NewDataKey(sealer, dataKeyContext)
	if err != nil {
		return s.in(err)
	}
	if err := s.keys.alsoOpenBy(sealer); err != nil {
		return s.in(err)
	}
	err = s.updateKeys(ctx, func(tx *bbolt.Tx, data *seal.KeyAEAD) error {
		if err := resealAll(ctx, tx.Bucket(keysBucket), data, fresh); err != nil {
			return err
		}
		return putWrappedKey(tx, wrapped)
	})
	fresh.Wipe() // opened again when it is needed
	if err != nil {
		return s.in(err) // both stay, as a change that the disk reported an error for may be stored
	}
	s.keys.openBy(sealer)
	return nil
}

// alsoOpenBy lets data keys be opened by another sealer too.
func (k *keyring) alsoOpenBy(sealer seal.AEAD) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.sealer == nil {
		return seal.ErrNoSealer
	}
	k.sealer = hide(seal.Any{k.sealer(), sealer})
	return nil
}

func (k *keyring) openBy(sealer seal.AEAD) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.sealer != nil { // closed otherwise
		k.sealer = hide(sealer)
	}
}

// resealAll seals all keys by to instead of from.
func resealAll(ctx context.Context, keys *bbolt.Bucket, from, to seal.AEAD) error {
	type row struct{ name, sealed []byte }
	var rows []row
	err := keys.ForEach(func(name, stored []byte) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if len(name) != refSize+common.AddressLength {
			return damaged("%x names no key", name)
		}
		chainID, account, address := binary.BigEndian.Uint64(name), common.BytesToAddress(name[8:refSize]), common.BytesToAddress(name[refSize:])
		sealed, err := checkedKey(name, stored, session.Ref{ChainID: chainID, Account: account}, address)
		if err != nil {
			return err
		}
		fresh, err := seal.Reseal(sealed, seal.AssociatedData(chainID, account, address), from, to)
		if err != nil {
			return damaged("key %s of account %s on chain %d: %v", address, account, chainID, err)
		}
		rows = append(rows, row{slices.Clone(name), fresh})
		return nil
	})
	if err != nil {
		return err
	}
	for _, r := range rows { // not while they are iterated over
		if err := keys.Put(r.name, withSum(keysBucket, r.name, r.sealed)); err != nil {
			return err
		}
	}
	return nil
}
