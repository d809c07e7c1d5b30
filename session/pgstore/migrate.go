package pgstore

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"path"

	"github.com/jackc/pgx/v5"
)

// migrations are the steps of the schema in the order of their names. A step that was released is never
// changed: what is wrong with it, the next one mends.
//
//go:embed schema/*.sql
var migrations embed.FS

// program is the version of the schema that the statements here are for: how many steps there are. The
// functions that signing and changing go through are told, and refuse a program that is behind.
const program = "5"

const (
	// migrationLock and rotationLock are the advisory locks of whoever changes the schema or seals keys anew:
	// "sesame" in ASCII, and a number.
	migrationLock = 0x736573616d6501
	rotationLock  = 0x736573616d6502
	lockNumber    = `select pg_advisory_xact_lock($1)`

	createVersions = `create table if not exists sesame_schema (
		version    integer primary key,
		name       text not null,
		applied_at timestamptz not null default now()
	)`
	hasVersions           = `select to_regclass(quote_ident(current_schema()) || '.sesame_schema') is not null`
	selectVersionOfSchema = `select coalesce(max(version), 0) from sesame_schema`
	insertStep            = `insert into sesame_schema (version, name) values ($1, $2)`
)

// migrate brings the schema up to date, all steps or none. Of several that start at once, one does it and the
// others wait. Whoever finds it up to date needs no right to change it.
func (s *Store) migrate(ctx context.Context, steps fs.FS) error {
	names, err := fs.Glob(steps, "schema/*.sql")
	if err != nil {
		return err
	}
	have, err := s.schemaVersion(ctx)
	if err != nil {
		return s.fail(ctx, "check session schema", err)
	}
	if have < len(names) {
		ctx, cancel := bounded(ctx, upgradeTime)
		defer cancel()
		err = pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(tx pgx.Tx) error {
			have, err = upgrade(ctx, tx, steps, names)
			return err
		})
		if err != nil {
			return s.fail(ctx, "make session schema", slow(ctx, err))
		}
	}
	return tooNew(have, len(names))
}

// tooNew returns an error for a schema of a later version than the program knows.
func tooNew(have, known int) error {
	if have > known {
		return fmt.Errorf("%w: it is version %d, the program knows up to %d; update the program", ErrSchema, have, known)
	}
	return nil
}

// schemaVersion returns 0 where there is no schema yet: the tables of another one that search_path names
// after the first are not this store's.
func (s *Store) schemaVersion(ctx context.Context) (version int, err error) {
	ctx, cancel := bounded(ctx, s.timeout)
	defer cancel()
	defer func() { err = slow(ctx, err) }()
	var exists bool
	if err := s.pool.QueryRow(ctx, hasVersions).Scan(&exists); err != nil || !exists {
		return 0, err
	}
	return version, s.pool.QueryRow(ctx, selectVersionOfSchema).Scan(&version)
}

// upgrade takes the steps that are still to be taken, and returns the version there is then.
func upgrade(ctx context.Context, tx pgx.Tx, steps fs.FS, names []string) (have int, err error) {
	if _, err := tx.Exec(ctx, lockNumber, migrationLock); err != nil {
		return 0, err
	}
	if _, err := tx.Exec(ctx, createVersions); err != nil {
		return 0, err
	}
	if err := tx.QueryRow(ctx, selectVersionOfSchema).Scan(&have); err != nil {
		return 0, err
	}
	for ; have < len(names); have++ {
		if err := step(ctx, tx, steps, names[have], have+1); err != nil {
			return 0, fmt.Errorf("%s: %w", names[have], err)
		}
	}
	return have, nil
}

func step(ctx context.Context, tx pgx.Tx, steps fs.FS, name string, version int) error {
	statements, err := fs.ReadFile(steps, name)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, string(statements)); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, insertStep, version, path.Base(name))
	return err
}
