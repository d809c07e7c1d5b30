package pgstore

import (
	"context"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"

	"github.com/go-sesame/sesame/session"
)

var _ session.Pinger = (*Store)(nil)

// selectHealth tells the version of the schema, and whether the server is a standby by now, which could not
// say what is revoked.
const selectHealth = `select (select coalesce(max(version), 0) from sesame_schema), pg_is_in_recovery()`

// Ping implements [session.Pinger] in one round trip: the database answers within [Config].Timeout, is the
// primary, and has the schema that this program is for.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.checkOpen(ctx); err != nil {
		return err
	}
	var version int
	var standby bool
	err := s.round(ctx, beginRead, func(batch *pgx.Batch) {
		batch.Queue(selectHealth).QueryRow(func(row pgx.Row) error { return row.Scan(&version, &standby) })
	})
	switch {
	case err != nil:
		return s.fail(ctx, "ping session store", err)
	case standby:
		return fmt.Errorf("ping session store: %s", waysOut["25006"])
	}
	return checkVersion(version)
}

// checkVersion returns an error for a schema of another version than the program is for.
func checkVersion(have int) error {
	want, err := strconv.Atoi(program)
	if err != nil {
		return err
	}
	if have < want {
		return fmt.Errorf("ping session store: its schema is version %d, the program is for %d: the database was replaced or restored; open the store again, which brings it up to date", have, want)
	}
	return tooNew(have, want)
}
