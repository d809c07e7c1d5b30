package pgstore

import (
	"context"
	"fmt"
	"sync"

	"github.com/jackc/pgx/v5"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/seal"
	"github.com/go-sesame/sesame/session/storekit"
)

// dataKeyContext is what a sealed data key is bound to.
var dataKeyContext = []byte("sesame pgstore data key")

const (
	selectDataKey = `select d.id, d.sealed, ` + dataKeyIntact + ` from sesame_data_keys d order by id desc limit 1`
	// Of several stores that open an empty database at once, one makes the first key.
	insertFirst = `insert into sesame_data_keys (id, sealed, checksum) values (1, $1, sesame_data_key_sum(1, $1)) on conflict do nothing`
)

// keyring is what is in memory of the keys: opened data keys.
type keyring struct {
	rotating chan struct{} // has room for one rotation

	mu     sync.Mutex // guards the fields below
	sealer seal.AEAD
	opened map[string]*seal.KeyAEAD // data keys by what they were opened from
	closed bool
}

// dataKey is a data key as it is stored.
type dataKey struct {
	id     int64
	sealed []byte
}

func (k dataKey) damaged() error {
	return damagedRow(fmt.Sprintf("the row in sesame_data_keys of data key %d", k.id))
}

// open returns the data key, which the Sealer is asked for once.
func (k *keyring) open(key dataKey) (*seal.KeyAEAD, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.checkLocked(); err != nil {
		return nil, err
	}
	if aead, ok := k.opened[string(key.sealed)]; ok {
		return aead, nil
	}
	raw, err := k.sealer.Decrypt(key.sealed, dataKeyContext)
	if err != nil {
		return nil, fmt.Errorf("%w: data key %d was sealed by another Sealer than the store was opened with; open it with that, or with a seal.Any of both: %w", seal.ErrOpen, key.id, err)
	}
	defer clear(raw)
	aead, err := seal.NewKeyAEAD(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: data key %d: %w", seal.ErrOpen, key.id, err)
	}
	k.keep(key.sealed, aead)
	return aead, nil
}

// keep remembers an opened data key. k.mu is held.
func (k *keyring) keep(sealed []byte, aead *seal.KeyAEAD) {
	if k.opened == nil {
		k.opened = make(map[string]*seal.KeyAEAD)
	}
	k.opened[string(sealed)] = aead
}

// check returns an error if there is nothing to seal and open data keys with.
func (k *keyring) check() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.checkLocked()
}

func (k *keyring) checkLocked() error {
	switch {
	case k.closed:
		return session.ErrClosed
	case k.sealer == nil:
		return seal.ErrNoSealer
	}
	return nil
}

// newDataKey makes a data key, and sees to it that sealer opens again what it sealed.
func (k *keyring) newDataKey(sealer seal.AEAD) (sealed []byte, err error) {
	sealed, aead, err := storekit.NewDataKey(sealer, dataKeyContext)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		aead.Wipe()
		return nil, session.ErrClosed
	}
	k.keep(sealed, aead)
	return sealed, nil
}

// sealBy changes the Sealer.
func (k *keyring) sealBy(sealer seal.AEAD) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.sealer = sealer
}

func (k *keyring) wipe() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, aead := range k.opened {
		aead.Wipe()
	}
	k.opened, k.closed = nil, true
}

// unlock opens the data key, or makes the database's first.
func (s *Store) unlock(ctx context.Context) error {
	if s.keys.sealer == nil {
		return nil // keeps no keys
	}
	key, err := s.currentDataKey(ctx)
	if err != nil {
		return err
	}
	if key.id == 0 {
		if key, err = s.firstDataKey(ctx); err != nil {
			return err
		}
	}
	_, err = s.keys.open(key)
	return err
}

// currentDataKey returns the data key that seals, with id 0 where there is none yet.
func (s *Store) currentDataKey(ctx context.Context) (key dataKey, err error) {
	err = s.round(ctx, beginRead, func(batch *pgx.Batch) {
		batch.Queue(selectDataKey).QueryRow(func(row pgx.Row) error {
			var intact bool
			if err := row.Scan(&key.id, &key.sealed, &intact); err != nil {
				return ignoreNoRows(err)
			}
			if !intact {
				return key.damaged()
			}
			return nil
		})
	})
	if err != nil {
		return dataKey{}, s.fail(ctx, "read data key", err)
	}
	return key, nil
}

func (s *Store) firstDataKey(ctx context.Context) (dataKey, error) {
	sealed, err := s.keys.newDataKey(s.keys.sealer)
	if err != nil {
		return dataKey{}, err
	}
	err = s.round(ctx, beginWrite, func(batch *pgx.Batch) { batch.Queue(insertFirst, sealed) })
	if err != nil {
		return dataKey{}, s.fail(ctx, "store first data key", err)
	}
	return s.currentDataKey(ctx) // which may be another's
}
