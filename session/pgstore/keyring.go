package pgstore

import (
	"context"
	"crypto/ecdsa"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/seal"
	"github.com/go-sesame/sesame/session/storekit"
)

const (
	// No row is inserted if a rotation has made another data key the current one meanwhile.
	insertKey = `insert into sesame_keys (chain_id, account, address, sealed, data_key, checksum)
			select $1, $2, $3, $4, $5, sesame_key_sum($1, $2, $3, $5, $4)
		where not exists (select from sesame_data_keys where id > $5)
		on conflict (chain_id, account, address) do update
			set sealed = excluded.sealed, data_key = excluded.data_key, checksum = excluded.checksum`
	// keyIntact and dataKeyIntact tell whether a row fits its checksum.
	keyIntact     = `k.checksum = sesame_key_sum(k.chain_id, k.account, k.address, k.data_key, k.sealed)`
	dataKeyIntact = `d.checksum = sesame_data_key_sum(d.id, d.sealed)`
	// A key comes with what it was sealed by, in one snapshot, so that a rotation does not get in between.
	selectKey = `select k.sealed, ` + keyIntact + `, d.id, d.sealed, ` + dataKeyIntact + ` from sesame_keys k join sesame_data_keys d on d.id = k.data_key
		where k.chain_id = $1 and k.account = $2 and k.address = $3`
	selectKeys = `select k.address, ` + keyIntact + ` from sesame_keys k where chain_id = $1 and account = $2`
	deleteKey  = `delete from sesame_keys where chain_id = $1 and account = $2 and address = $3`
)

// SignsLocally implements [session.LocalKeyring]: keys sign in this process, and their addresses were derived
// when they were opened.
func (s *Store) SignsLocally() {}

// checkKeys is check for what needs the Sealer.
func (s *Store) checkKeys(ctx context.Context, ref session.Ref) error {
	if err := s.check(ctx, ref); err != nil {
		return err
	}
	return s.keys.check()
}

// NewKey implements [session.Keyring].
func (s *Store) NewKey(ctx context.Context, ref session.Ref) (common.Address, error) {
	return storekit.NewKey(ctx, ref, s.putKey)
}

// ImportKey implements [session.Keyring]. A key that is there already is sealed anew.
func (s *Store) ImportKey(ctx context.Context, ref session.Ref, key *ecdsa.PrivateKey) (common.Address, error) {
	return storekit.ImportKey(ctx, ref, key, s.putKey)
}

func (s *Store) putKey(ctx context.Context, ref session.Ref, key *seal.Key) error {
	if err := s.checkKeys(ctx, ref); err != nil {
		return err
	}
	for range maxTries {
		stored, err := s.insertKey(ctx, ref, key)
		if err != nil {
			return s.fail(ctx, fmt.Sprintf("store key %s of %s", key.Address(), ref), err)
		}
		if stored {
			return nil
		}
	}
	return fmt.Errorf("%w: data keys were rotated %d times while storing key %s of %s", session.ErrConflict, maxTries, key.Address(), ref)
}

// insertKey seals the key by the current data key and stores it, unless that is not current any more.
func (s *Store) insertKey(ctx context.Context, ref session.Ref, key *seal.Key) (stored bool, err error) {
	current, err := s.currentDataKey(ctx)
	if err != nil {
		return false, err
	}
	aead, err := s.keys.open(current)
	if err != nil {
		return false, err
	}
	address := key.Address()
	sealed, err := key.Seal(aead, seal.AssociatedData(ref.ChainID, ref.Account, address))
	if err != nil {
		return false, err
	}
	err = s.round(ctx, beginWrite, func(batch *pgx.Batch) {
		batch.Queue(insertKey, ref.ChainID, ref.Account[:], address[:], sealed, current.id).Exec(func(tag pgconn.CommandTag) error {
			stored = tag.RowsAffected() > 0
			return nil
		})
	})
	if code(err) == foreignKeyViolation {
		return false, nil // the data key went between reading and storing
	}
	return stored, err
}

// Keys implements [session.Keyring].
func (s *Store) Keys(ctx context.Context, ref session.Ref) (addresses []common.Address, err error) {
	if err := s.check(ctx, ref); err != nil {
		return nil, err
	}
	err = s.round(ctx, beginRead, func(batch *pgx.Batch) {
		batch.Queue(selectKeys, ref.ChainID, ref.Account[:]).Query(func(rows pgx.Rows) (err error) {
			addresses, err = pgx.CollectRows(rows, scanAddress)
			return err
		})
	})
	if err != nil {
		return nil, s.fail(ctx, "list keys of "+ref.String(), err)
	}
	return addresses, nil
}

func scanAddress(row pgx.CollectableRow) (common.Address, error) {
	var raw []byte
	var intact bool
	err := row.Scan(&raw, &intact)
	if err == nil && !intact {
		err = damagedRow(fmt.Sprintf("the row in sesame_keys of key %s", common.BytesToAddress(raw)))
	}
	return common.BytesToAddress(raw), err
}

// SignDigest implements [session.Keyring]. The key is opened for this one signature and wiped.
func (s *Store) SignDigest(ctx context.Context, req session.SignRequest) (sig []byte, err error) {
	err = s.useKey(ctx, req.Ref, req.Key, func(key *seal.Key) (err error) {
		sig, err = key.Sign(req.Digest)
		return err
	})
	return sig, err
}

// SealKey implements [session.KeySealer].
func (s *Store) SealKey(ctx context.Context, ref session.Ref, address common.Address, aead seal.AEAD) ([]byte, error) {
	return storekit.SealKey(ctx, ref, address, aead, s.useKey)
}

// useKey calls use with an opened key, which is wiped when use returns.
func (s *Store) useKey(ctx context.Context, ref session.Ref, address common.Address, use func(*seal.Key) error) error {
	if err := s.checkKeys(ctx, ref); err != nil {
		return err
	}
	row, err := s.readKey(ctx, ref, address)
	if err != nil {
		return err
	}
	key, err := s.keys.openKey(row)
	if err != nil {
		return s.fail(ctx, "open key of "+ref.String(), err)
	}
	defer key.Wipe()
	return use(key)
}

// keyRow is a session key as it is stored.
type keyRow struct {
	ref     session.Ref
	address common.Address
	sealed  []byte
	by      dataKey
}

// check returns an error if the row, or that of its data key, does not fit its checksum.
func (r *keyRow) check(intact, byIntact bool) error {
	switch {
	case !intact:
		return damagedRow(fmt.Sprintf("the row in sesame_keys of key %s of %s", r.address, r.ref))
	case !byIntact:
		return r.by.damaged()
	}
	return nil
}

func (r *keyRow) associatedData() []byte {
	return seal.AssociatedData(r.ref.ChainID, r.ref.Account, r.address)
}

func (s *Store) readKey(ctx context.Context, ref session.Ref, address common.Address) (*keyRow, error) {
	r := &keyRow{ref: ref, address: address}
	err := s.round(ctx, beginRead, func(batch *pgx.Batch) {
		batch.Queue(selectKey, ref.ChainID, ref.Account[:], address[:]).QueryRow(func(row pgx.Row) error {
			var intact, byIntact bool
			if err := row.Scan(&r.sealed, &intact, &r.by.id, &r.by.sealed, &byIntact); err != nil {
				return ignoreNoRows(err)
			}
			return r.check(intact, byIntact)
		})
	})
	switch {
	case err != nil:
		return nil, s.fail(ctx, fmt.Sprintf("read key %s of %s", address, ref), err)
	case r.sealed == nil:
		return nil, storekit.NoKeyError(ref, address)
	}
	return r, nil
}

func (k *keyring) openKey(row *keyRow) (*seal.Key, error) {
	aead, err := k.open(row.by)
	if err != nil {
		return nil, err
	}
	return seal.OpenKey(aead, row.sealed, row.associatedData(), row.address)
}

// RemoveKey implements [session.Keyring].
func (s *Store) RemoveKey(ctx context.Context, ref session.Ref, key common.Address) error {
	if err := s.check(ctx, ref); err != nil {
		return err
	}
	var removed int64
	err := s.round(ctx, beginWrite, func(batch *pgx.Batch) {
		batch.Queue(deleteKey, ref.ChainID, ref.Account[:], key[:]).Exec(func(tag pgconn.CommandTag) error {
			removed = tag.RowsAffected()
			return nil
		})
	})
	switch {
	case err != nil:
		return s.fail(ctx, fmt.Sprintf("remove key %s of %s", key, ref), err)
	case removed == 0:
		return storekit.NoKeyError(ref, key)
	}
	return nil
}
