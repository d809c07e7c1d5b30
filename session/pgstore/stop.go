package pgstore

import (
	"context"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/jackc/pgx/v5"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/storekit"
)

const (
	// stopLock is the advisory lock that all who sign share. A stop that is of no account takes it alone; one
	// of an account takes that of the account's sessions, as a change of them does.
	stopLock       = `sesame_lock(` + program + `, 'stops', 0, '')`
	lockStopShared = `select pg_advisory_xact_lock_shared(` + stopLock + `)`
	lockStop       = `select pg_advisory_xact_lock(` + stopLock + `)`
	lockAccount    = `select pg_advisory_xact_lock(sesame_lock(` + program + `, 'session', $1, $2))`

	stopColumns = `name, chain_id, account, key, final, who, why, (extract(epoch from at) * 1000000)::bigint`
	selectStops = `select ` + stopColumns + ` from sesame_stops order by name`
	stopsAbout  = `select ` + stopColumns + ` from sesame_stops where (chain_id is null or chain_id = $1 and account = $2)
		and (key is null or key = $3 or $3 is null) order by name`
	selectStop = `select ` + stopColumns + ` from sesame_stops where name = $1`
	insertStop = `insert into sesame_stops (name, chain_id, account, key, final, who, why, at)
		values ($1, $2, $3, $4, $5, $6, $7, now()) on conflict (name) do nothing`
	deleteStop = `delete from sesame_stops where name = $1 and not final`
)

var _ session.Switch = (*Store)(nil)

func scanStops(stops *[]session.Stop) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		*stops = nil
		for rows.Next() {
			var s session.Stop
			var name, account, key, who, why []byte
			var chainID *uint64
			var at int64
			if err := rows.Scan(&name, &chainID, &account, &key, &s.Final, &who, &why, &at); err != nil {
				return err
			}
			if chainID != nil {
				s.Ref = session.Ref{ChainID: *chainID, Account: common.BytesToAddress(account)}
			}
			s.Name, s.Key, s.Who, s.Why, s.At = string(name), common.BytesToAddress(key), string(who), string(why), moment(&at)
			*stops = append(*stops, s)
		}
		return nil
	}
}

// orNoKey is a key for a statement, null for one that is not known.
func orNoKey(key common.Address) []byte {
	if key == (common.Address{}) {
		return nil
	}
	return key[:]
}

// Stop implements [session.Switch], for all processes that share the database.
func (s *Store) Stop(ctx context.Context, stop session.Stop) (session.Stop, error) {
	if err := stop.Validate(); err != nil {
		return session.Stop{}, err
	}
	if err := s.checkOpen(ctx); err != nil {
		return session.Stop{}, err
	}
	if err := checkChain(stop.Ref.ChainID); err != nil {
		return session.Stop{}, err
	}
	doing := fmt.Sprintf("store the stop %q", stop.Name)
	ctx, cancel := bounded(ctx, s.lockTime)
	defer cancel()
	leave, err := s.enter(ctx, doing)
	if err != nil {
		return session.Stop{}, err
	}
	defer leave()
	var stored []session.Stop
	err = s.tries(ctx, beginWrite, func(batch *pgx.Batch) {
		var chainID *int64
		var account []byte
		if stop.Ref == (session.Ref{}) {
			batch.Queue(lockStop)
		} else {
			chainID, account = new(int64(stop.Ref.ChainID)), stop.Ref.Account[:]
			batch.Queue(lockAccount, *chainID, account)
		}
		name := []byte(stop.Name)
		batch.Queue(insertStop, name, chainID, account, orNoKey(stop.Key), stop.Final, []byte(stop.Who), []byte(stop.Why))
		batch.Queue(selectStop, name).Query(scanStops(&stored))
	})
	switch {
	case err != nil:
		return session.Stop{}, s.fail(ctx, doing, err)
	case len(stored) == 0:
		return session.Stop{}, fmt.Errorf("%s: %w: another one of the name came and went", doing, session.ErrConflict)
	}
	if err := storekit.CheckSameStop(&stored[0], &stop); err != nil {
		return session.Stop{}, err
	}
	return stored[0], nil
}

// Lift implements [session.Switch].
func (s *Store) Lift(ctx context.Context, name string) error {
	var lifted int64
	var left []session.Stop
	err := s.sends.write(ctx, fmt.Sprintf("lift the stop %q", name), func(batch *pgx.Batch) {
		batch.Queue(deleteStop, []byte(name)).Query(func(rows pgx.Rows) error {
			rows.Close()
			lifted = rows.CommandTag().RowsAffected()
			return rows.Err()
		})
		batch.Queue(selectStop, []byte(name)).Query(scanStops(&left))
	})
	switch {
	case err != nil:
		return err
	case lifted == 1:
		return nil
	case len(left) == 1:
		return storekit.FinalStopError(name)
	}
	return storekit.NoStopError(name)
}

// Stops implements [session.Switch].
func (s *Store) Stops(ctx context.Context) (stops []session.Stop, err error) {
	err = s.sends.read(ctx, "list stops", func(batch *pgx.Batch) { batch.Queue(selectStops).Query(scanStops(&stops)) })
	return stops, err
}
