package filestore

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"go.etcd.io/bbolt"
	"golang.org/x/sync/semaphore"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/seal"
	"github.com/go-sesame/sesame/session/storekit"
)

// dataKeyContext is what a sealed data key is bound to.
var dataKeyContext = []byte("sesame filestore data key")

// keyring is what is in memory of the keys: the data key, and keys that have signed.
type keyring struct {
	rotating *semaphore.Weighted // held by a rotation

	mu      sync.Mutex      // guards the fields below
	sealer  hidden          // nil without one
	wrapped []byte          // the data key as it is stored
	data    *seal.KeyAEAD   // the data key; nil before it was opened
	stale   []*seal.KeyAEAD // data keys from before rotations
	opened  map[string]openedKey
}

// openedKey is a key with the stored form that it was opened from.
type openedKey struct {
	sealed []byte
	key    *seal.Key
}

func rowKey(ref session.Ref, key common.Address) []byte { return append(refKey(ref), key[:]...) }

// unlock opens the data key, or makes the store's first.
func (s *Store) unlock(ctx context.Context) error {
	if s.keys.sealer == nil {
		return nil
	}
	stored, err := s.wrappedKey(ctx)
	if err != nil {
		return err
	}
	if stored != nil {
		_, err := s.keys.open(stored)
		return err
	}
	wrapped, data, err := storekit.NewDataKey(s.keys.sealer(), dataKeyContext)
	if err != nil {
		return err
	}
	defer data.Wipe()
	err = s.file.update(ctx, func(tx *bbolt.Tx) error { return putWrappedKey(tx, wrapped) })
	if errors.Is(err, ErrReadOnly) {
		return nil // no key was made yet
	}
	return err
}

// wrappedKey returns the data key as it is stored, nil for none.
func (s *Store) wrappedKey(ctx context.Context) (wrapped []byte, err error) {
	err = s.file.view(ctx, func(tx *bbolt.Tx) error {
		wrapped, err = wrappedKeyIn(tx)
		return err
	})
	return wrapped, err
}

func wrappedKeyIn(tx *bbolt.Tx) ([]byte, error) {
	stored := tx.Bucket(metaBucket).Get(sealKey)
	if stored == nil {
		return nil, nil
	}
	wrapped, err := checked(metaBucket, sealKey, stored, "the data key")
	return slices.Clone(wrapped), err
}

func putWrappedKey(tx *bbolt.Tx, wrapped []byte) error {
	return tx.Bucket(metaBucket).Put(sealKey, withSum(metaBucket, sealKey, wrapped))
}

// updateKeys changes the keys within one transaction that is given the data key. A Sealer may be a service
// that hangs: nobody waits for it amid a transaction, and what was opened is compared with what the change
// sees.
func (s *Store) updateKeys(ctx context.Context, change func(tx *bbolt.Tx, data *seal.KeyAEAD) error) error {
	for range maxTries {
		wrapped, err := s.wrappedKey(ctx)
		if err != nil {
			return err
		}
		data, err := s.keys.open(wrapped)
		if err != nil {
			return err
		}
		err = s.file.update(ctx, func(tx *bbolt.Tx) error {
			if now, err := wrappedKeyIn(tx); err != nil || !bytes.Equal(now, wrapped) {
				return cmp.Or(err, errRotated)
			}
			return change(tx, data)
		})
		if !errors.Is(err, errRotated) {
			return err
		}
	}
	return fmt.Errorf("%w: %w %d times", session.ErrConflict, errRotated, maxTries)
}

// maxTries bounds how often a change of the keys begins anew because they were rotated.
const maxTries = 10

var errRotated = errors.New("the data key was rotated meanwhile")

// open returns the data key that was stored as wrapped.
func (k *keyring) open(wrapped []byte) (*seal.KeyAEAD, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.sealer == nil {
		return nil, seal.ErrNoSealer
	}
	if k.data != nil && bytes.Equal(wrapped, k.wrapped) {
		return k.data, nil
	}
	raw, err := k.sealer().Decrypt(wrapped, dataKeyContext)
	if err != nil {
		return nil, fmt.Errorf("%w: the keys were sealed by another passphrase or keyset, use that: %w", seal.ErrOpen, err)
	}
	defer clear(raw)
	data, err := seal.NewKeyAEAD(raw)
	if err != nil {
		return nil, damaged("data key: %v", err)
	}
	if k.data != nil {
		k.stale = append(k.stale, k.data) // another transaction may be at it
	}
	k.wrapped, k.data = slices.Clone(wrapped), data
	return data, nil
}

// key returns the key that sealed is, which stays open for the next signature.
func (k *keyring) key(wrapped []byte, ref session.Ref, address common.Address, sealed []byte) (*seal.Key, error) {
	row := string(rowKey(ref, address))
	k.mu.Lock()
	known, ok := k.opened[row]
	k.mu.Unlock()
	if ok && bytes.Equal(known.sealed, sealed) {
		return known.key, nil
	}
	data, err := k.open(wrapped)
	if err != nil {
		return nil, err
	}
	key, err := seal.OpenKey(data, sealed, seal.AssociatedData(ref.ChainID, ref.Account, address), address)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if known, ok := k.opened[row]; ok { // others may be signing with it, and it is the same key
		key.Wipe()
		key = known.key
	}
	if k.opened == nil {
		k.opened = make(map[string]openedKey)
	}
	k.opened[row] = openedKey{slices.Clone(sealed), key}
	return key, nil
}

// use calls use with the key that sealed is.
func (k *keyring) use(wrapped []byte, ref session.Ref, address common.Address, sealed []byte, use func(*seal.Key) error) error {
	key, err := k.key(wrapped, ref, address, sealed)
	if err != nil {
		return err
	}
	return use(key)
}

// forget wipes a key that was removed.
func (k *keyring) forget(row []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if known, ok := k.opened[string(row)]; ok {
		known.key.Wipe()
		delete(k.opened, string(row))
	}
}

func (k *keyring) wipe() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, known := range k.opened {
		known.key.Wipe()
	}
	if k.data != nil {
		k.stale = append(k.stale, k.data)
	}
	for _, data := range k.stale {
		data.Wipe()
	}
	k.sealer, k.data, k.stale, k.opened = nil, nil, nil, nil
}

// NewKey implements [session.Keyring].
func (s *Store) NewKey(ctx context.Context, ref session.Ref) (common.Address, error) {
	return storekit.NewKey(ctx, ref, s.putKey)
}

// ImportKey implements [session.Keyring].
func (s *Store) ImportKey(ctx context.Context, ref session.Ref, key *ecdsa.PrivateKey) (common.Address, error) {
	return storekit.ImportKey(ctx, ref, key, s.putKey)
}

// putKey makes the key durable. One that is there already stays as it is.
func (s *Store) putKey(ctx context.Context, ref session.Ref, key *seal.Key) error {
	if err := ref.Validate(); err != nil {
		return err
	}
	row := rowKey(ref, key.Address())
	err := s.updateKeys(ctx, func(tx *bbolt.Tx, data *seal.KeyAEAD) error {
		keys := tx.Bucket(keysBucket)
		if stored := keys.Get(row); stored != nil {
			_, err := checkedKey(row, stored, ref, key.Address())
			return err
		}
		sealed, err := key.Seal(data, seal.AssociatedData(ref.ChainID, ref.Account, key.Address()))
		if err != nil {
			return err
		}
		if err := keys.Put(row, withSum(keysBucket, row, sealed)); err != nil {
			return err
		}
		return count(tx, func(c *census) { c.keys++ })
	})
	return s.in(err)
}

func checkedKey(row, stored []byte, ref session.Ref, key common.Address) (sealed []byte, err error) {
	return checked(keysBucket, row, stored, "the record of key %s of %s", key, ref)
}

// Keys implements [session.Keyring].
func (s *Store) Keys(ctx context.Context, ref session.Ref) (addresses []common.Address, err error) {
	prefix := refKey(ref)
	err = s.file.view(ctx, func(tx *bbolt.Tx) error {
		cursor := tx.Bucket(keysBucket).Cursor()
		for row, stored := cursor.Seek(prefix); bytes.HasPrefix(row, prefix); row, stored = cursor.Next() {
			address := common.BytesToAddress(row[refSize:])
			if _, err := checkedKey(row, stored, ref, address); err != nil {
				return err
			}
			addresses = append(addresses, address)
		}
		return nil
	})
	return addresses, s.in(err)
}

// SignDigest implements [session.Keyring].
func (s *Store) SignDigest(ctx context.Context, req session.SignRequest) (sig []byte, err error) {
	err = s.useKey(ctx, req.Ref, req.Key, func(key *seal.Key) (err error) {
		sig, err = key.Sign(req.Digest)
		return err
	})
	return sig, err
}

// SignsLocally implements [session.LocalKeyring]: keys sign in this process, and their addresses were derived
// when they were opened.
func (s *Store) SignsLocally() {}

// SealKey implements [session.KeySealer].
func (s *Store) SealKey(ctx context.Context, ref session.Ref, key common.Address, aead seal.AEAD) ([]byte, error) {
	return storekit.SealKey(ctx, ref, key, aead, s.useKey)
}

// useKey calls use with an opened key, which stays the store's.
func (s *Store) useKey(ctx context.Context, ref session.Ref, address common.Address, use func(*seal.Key) error) error {
	row := rowKey(ref, address)
	var wrapped, sealed []byte
	err := s.file.view(ctx, func(tx *bbolt.Tx) error {
		stored := tx.Bucket(keysBucket).Get(row)
		if stored == nil {
			return storekit.NoKeyError(ref, address)
		}
		key, err := checkedKey(row, stored, ref, address)
		if err != nil {
			return err
		}
		sealed = slices.Clone(key)
		wrapped, err = wrappedKeyIn(tx)
		return err
	})
	if err == nil {
		err = s.keys.use(wrapped, ref, address, sealed, use)
	}
	if errors.Is(err, seal.ErrWiped) && s.closed.Load() {
		err = session.ErrClosed
	}
	return s.in(err)
}

// RemoveKey implements [session.Keyring].
func (s *Store) RemoveKey(ctx context.Context, ref session.Ref, key common.Address) error {
	row := rowKey(ref, key)
	err := s.file.update(ctx, func(tx *bbolt.Tx) error {
		if tx.Bucket(keysBucket).Get(row) == nil {
			return storekit.NoKeyError(ref, key)
		}
		if err := tx.Bucket(keysBucket).Delete(row); err != nil {
			return err
		}
		return count(tx, func(c *census) { c.keys-- })
	})
	if err != nil {
		return s.in(err)
	}
	s.keys.forget(row)
	return nil
}
