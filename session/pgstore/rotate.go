package pgstore

import (
	"context"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/jackc/pgx/v5"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/session/seal"
)

// rotationPage is how many keys are sealed anew in one transaction.
const rotationPage = 200

const (
	insertDataKey = `insert into sesame_data_keys (id, sealed, checksum)
		select coalesce(max(id), 0) + 1, $1, sesame_data_key_sum(coalesce(max(id), 0) + 1, $1) from sesame_data_keys
		on conflict do nothing returning id`

	selectOlder = `select k.chain_id, k.account, k.address, k.sealed, ` + keyIntact + `, d.id, d.sealed, ` + dataKeyIntact + `
		from sesame_keys k join sesame_data_keys d on d.id = k.data_key where k.data_key < $1 limit $2`

	// Only what is still as it was read: a key may be removed or imported again meanwhile.
	updateKeys = `update sesame_keys k set sealed = r.sealed, data_key = $1,
			checksum = sesame_key_sum(k.chain_id, k.account, k.address, $1, r.sealed)
		from unnest($2::bigint[], $3::bytea[], $4::bytea[], $5::bytea[], $6::bytea[]) as r (chain_id, account, address, was, sealed)
		where k.chain_id = r.chain_id and k.account = r.account and k.address = r.address and k.sealed = r.was`

	deleteOlder = `delete from sesame_data_keys where id < $1`
)

// Rotate makes a new data key, sealed by sealer, and seals all session keys anew with it, page by page; then
// it deletes the data key of before. From then on the store is opened with sealer. For a Tink keyset whose
// primary key was rotated, sealer is the AEAD of the new keyset.
//
// Signing goes on meanwhile, in other processes too if each has a Sealer that opens both data keys: the same
// keyset, or a [seal.Any] of both Sealers. Interrupted at any point, a rotation leaves every key sealed by
// one of the two: open the store with such a Sealer, and call Rotate again. Of rotations in several processes
// at once the last goes through; others may return an error matching [session.ErrConflict].
func (s *Store) Rotate(ctx context.Context, sealer seal.AEAD) error {
	if err := s.checkOpen(ctx); err != nil {
		return err
	}
	if err := s.keys.check(); err != nil {
		return err
	}
	if sealer == nil {
		return fmt.Errorf("%w: rotate session keys without a Sealer", policy.ErrInvalid)
	}
	select {
	case s.keys.rotating <- struct{}{}:
		defer func() { <-s.keys.rotating }()
	case <-ctx.Done():
		return fmt.Errorf("rotate session keys after another rotation: %w", ctx.Err())
	}
	fresh, err := s.insertDataKey(ctx, sealer)
	if err != nil {
		return s.fail(ctx, "rotate session keys", err)
	}
	if err := s.replaceDataKeys(ctx, fresh); err != nil {
		return s.fail(ctx, "rotate session keys; none is lost, call Rotate again", err)
	}
	s.keys.sealBy(sealer)
	return nil
}

// insertDataKey makes another data key the current one.
func (s *Store) insertDataKey(ctx context.Context, sealer seal.AEAD) (key dataKey, err error) {
	if key.sealed, err = s.keys.newDataKey(sealer); err != nil {
		return dataKey{}, err
	}
	for key.id == 0 { // until no other process takes the same number at the same time
		err = s.round(ctx, beginWrite, func(batch *pgx.Batch) {
			batch.Queue(insertDataKey, key.sealed).QueryRow(func(row pgx.Row) error {
				return ignoreNoRows(row.Scan(&key.id))
			})
		})
		if err != nil {
			return dataKey{}, err
		}
	}
	return key, nil
}

// replaceDataKeys seals by fresh what older data keys sealed, and deletes those.
func (s *Store) replaceDataKeys(ctx context.Context, fresh dataKey) error {
	for {
		rows, err := s.olderKeys(ctx, fresh)
		switch {
		case err != nil:
			return err
		case len(rows) > 0:
			if err := s.reseal(ctx, rows, fresh); err != nil {
				return err
			}
			continue
		}
		err = s.round(ctx, beginWrite, func(batch *pgx.Batch) { batch.Queue(deleteOlder, fresh.id) })
		if code(err) != foreignKeyViolation { // else another process has just stored a key by an older one
			return err
		}
	}
}

// olderKeys returns a page of keys that older data keys sealed, none once all are sealed by fresh.
func (s *Store) olderKeys(ctx context.Context, fresh dataKey) (rows []keyRow, err error) {
	err = s.round(ctx, beginRead, func(batch *pgx.Batch) {
		batch.Queue(selectOlder, fresh.id, rotationPage).Query(func(found pgx.Rows) (err error) {
			rows, err = pgx.CollectRows(found, scanKeyRow)
			return err
		})
	})
	return rows, err
}

func scanKeyRow(row pgx.CollectableRow) (r keyRow, err error) {
	var account, address []byte
	var intact, byIntact bool
	if err := row.Scan(&r.ref.ChainID, &account, &address, &r.sealed, &intact, &r.by.id, &r.by.sealed, &byIntact); err != nil {
		return r, err
	}
	r.ref.Account, r.address = common.BytesToAddress(account), common.BytesToAddress(address)
	if err := r.check(intact, byIntact); err != nil {
		return r, fmt.Errorf("%w; or remove the key or import it again, and rotate again", err)
	}
	return r, nil
}

func (s *Store) reseal(ctx context.Context, rows []keyRow, fresh dataKey) error {
	to, err := s.keys.open(fresh)
	if err != nil {
		return err
	}
	chains := make([]uint64, len(rows))
	accounts, addresses := make([][]byte, len(rows)), make([][]byte, len(rows))
	was, sealed := make([][]byte, len(rows)), make([][]byte, len(rows))
	for i := range rows {
		row := &rows[i]
		chains[i], accounts[i], addresses[i], was[i] = row.ref.ChainID, row.ref.Account[:], row.address[:], row.sealed
		from, err := s.keys.open(row.by)
		if err != nil {
			return err
		}
		if sealed[i], err = seal.Reseal(row.sealed, row.associatedData(), from, to); err != nil {
			return fmt.Errorf("key %s of %s: %w; remove or import it again, and rotate again", row.address, row.ref, err)
		}
	}
	err = s.round(ctx, beginWrite, func(batch *pgx.Batch) {
		batch.Queue(lockNumber, rotationLock) // two rotations take the rows in orders of their own
		batch.Queue(updateKeys, fresh.id, chains, accounts, addresses, was, sealed)
	})
	if code(err) == foreignKeyViolation {
		return fmt.Errorf("%w: another process began a rotation, which goes on instead of this one", session.ErrConflict)
	}
	return err
}
