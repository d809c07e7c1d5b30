package pgstore

import (
	"context"
	"fmt"
	"time"

	"github.com/holiman/uint256"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/storekit"
)

const (
	// One at a time leases lanes of an account, so that a lane which is free is not missed.
	lockLanes = `select pg_advisory_xact_lock(sesame_lock(` + program + `, 'lanes', $1, $2))`

	leaseLane = `with free as (
			select lane from sesame_lanes where chain_id = $1 and account = $2 and ends_at <= clock_timestamp()
			order by ends_at limit 1 for update
		), taken as (
			update sesame_lanes l set holder = $3, ends_at = clock_timestamp() + $4::interval
			from free where l.chain_id = $1 and l.account = $2 and l.lane = free.lane returning l.lane
		), made as (
			insert into sesame_lanes (chain_id, account, lane, holder, ends_at)
			select $1, $2, $5, $3, clock_timestamp() + $4::interval where not exists (select from taken) returning lane
		) select lane from taken union all select lane from made`

	renewLane = `update sesame_lanes set ends_at = clock_timestamp() + $5::interval
		where chain_id = $1 and account = $2 and lane = $3 and holder = $4`

	releaseLane = `update sesame_lanes set holder = '', ends_at = '-infinity'
		where chain_id = $1 and account = $2 and lane = $3 and holder = $4 and holder <> ''`
)

// LeaseLane implements [session.LaneLeaser].
func (s *Store) LeaseLane(ctx context.Context, ref session.Ref, holder string, ttl time.Duration) (key uint256.Int, err error) {
	if err := s.checkLease(ctx, ref, holder, ttl); err != nil {
		return uint256.Int{}, err
	}
	fresh := laneBytes(storekit.NewLaneKey())
	err = s.round(ctx, beginWrite, func(batch *pgx.Batch) {
		batch.Queue(lockLanes, ref.ChainID, ref.Account[:])
		batch.Queue(leaseLane, ref.ChainID, ref.Account[:], []byte(holder), ttl, fresh).QueryRow(func(row pgx.Row) error {
			var lane []byte
			err := row.Scan(&lane)
			key.SetBytes(lane)
			return err
		})
	})
	if err != nil {
		return uint256.Int{}, s.fail(ctx, "lease lane of "+ref.String(), err)
	}
	return key, nil
}

// RenewLane implements [session.LaneLeaser].
func (s *Store) RenewLane(ctx context.Context, ref session.Ref, key uint256.Int, holder string, ttl time.Duration) error {
	if err := s.checkLease(ctx, ref, holder, ttl); err != nil {
		return err
	}
	return s.changeLane(ctx, "renew", ref, key, holder, renewLane, ttl)
}

// ReleaseLane implements [session.LaneLeaser].
func (s *Store) ReleaseLane(ctx context.Context, ref session.Ref, key uint256.Int, holder string) error {
	if err := s.check(ctx, ref); err != nil {
		return err
	}
	return s.changeLane(ctx, "release", ref, key, holder, releaseLane)
}

// changeLane changes a lane that is holder's.
func (s *Store) changeLane(ctx context.Context, verb string, ref session.Ref, key uint256.Int, holder, update string, arguments ...any) error {
	if key.BitLen() > 8*storekit.LaneKeySize {
		return storekit.LaneLostError(ref, key, holder)
	}
	arguments = append([]any{ref.ChainID, ref.Account[:], laneBytes(key), []byte(holder)}, arguments...)
	var changed int64
	err := s.round(ctx, beginWrite, func(batch *pgx.Batch) {
		batch.Queue(update, arguments...).Exec(func(tag pgconn.CommandTag) error {
			changed = tag.RowsAffected()
			return nil
		})
	})
	switch {
	case err != nil:
		return s.fail(ctx, fmt.Sprintf("%s lane %s of %s", verb, key.Hex(), ref), err)
	case changed == 0:
		return storekit.LaneLostError(ref, key, holder)
	}
	return nil
}

func (s *Store) checkLease(ctx context.Context, ref session.Ref, holder string, ttl time.Duration) error {
	if err := storekit.CheckLease(ref, holder, ttl); err != nil {
		return err
	}
	return s.check(ctx, ref)
}

func laneBytes(key uint256.Int) []byte {
	word := key.Bytes32()
	return word[len(word)-storekit.LaneKeySize:]
}
