package pgstore

import (
	"context"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/storekit"
	"github.com/go-sesame/sesame/userop/outbox"
)

const (
	// checkOutbox refuses a program that is behind the schema.
	checkOutbox = `select sesame_lock(` + program + `, 'outbox', 0, '')`

	entryIntact = `o.checksum = sesame_outbox_sum(o.id, o.version, o.chain_id, o.account, o.entry_point, o.key, o.kind, o.asked,
			o.nonce, o.hashes, o.attempts, o.state, o.outcome, o.given, o.reported, o.created_at, o.updated_at, o.ended_at)`
	// Times are in Unix microseconds, whatever the form is that a database writes them in.
	entryColumns = `o.id, o.version, o.chain_id, o.account, o.entry_point, o.key, o.kind, o.asked, o.nonce, o.attempts::text, o.state,
			o.outcome::text, o.given, o.reported, o.holder,
			(extract(epoch from o.created_at) * 1000000)::bigint, (extract(epoch from o.updated_at) * 1000000)::bigint,
			(extract(epoch from o.ended_at) * 1000000)::bigint, (extract(epoch from nullif(o.lease_until, '-infinity')) * 1000000)::bigint,
			(extract(epoch from now()) * 1000000)::bigint, ` + entryIntact
	selectEntries = `select ` + entryColumns + ` from sesame_outbox o where `
	selectByID    = selectEntries + `o.id = $1`
	selectByKey   = selectEntries + `o.chain_id = $1 and o.account = $2 and o.key = $3`
	selectByNonce = selectEntries + `o.chain_id = $1 and o.account = $2 and o.nonce = $3 and o.state = 1`
	selectByHash  = selectEntries + `o.id = (select max(id) from (
				select id from sesame_outbox where hashes[1] = $1
				union all select id from sesame_outbox where cardinality(hashes) > 1 and hashes @> array[$1::bytea]
			) as known)`
	selectNonces = `select nonce from sesame_outbox where chain_id = $1 and account = $2 and state = 1 order by nonce`

	// insertEntry is asked whether it is to do anything, by a setting of the transaction or a constant.
	insertEntry = `insert into sesame_outbox as o (version, chain_id, account, entry_point, key, kind, asked, nonce, hashes, attempts,
			state, given, reported, created_at, updated_at, holder, lease_until, checksum)
		select 1, $1::bigint, $2::bytea, $3::bytea, $4::bytea, $5::bytea, $6::bytea, $7::bytea, array[$8::bytea],
			json_build_array(json_build_object('operation', $9::text::json, 'hash', $10::text, 'until', $11::bigint,
				'at', to_char(now() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))),
			1, false, false, now(), now(), $12::bytea, now() + $13::interval, ''
		where `
	// recordEntry is insertEntry that makes the reservation $14 the entry's.
	recordEntry   = `with o as (` + insertEntry
	recordedEntry = ` returning o.*) select ` + entryColumns + ` from o where sesame_keep($14, o.id) is not null`

	updateEntry = `update sesame_outbox o set version = $2::bigint, hashes = $3::bytea[], attempts = $4::text::json, state = $5::smallint,
			outcome = $6::text::json, given = $7::boolean, reported = $8::boolean, updated_at = $9::timestamptz, ended_at = $10::timestamptz,
			holder = $11::bytea, lease_until = coalesce($12::timestamptz, '-infinity'),
			checksum = sesame_outbox_sum(o.id, $2::bigint, o.chain_id, o.account, o.entry_point, o.key, o.kind, o.asked,
				o.nonce, $3::bytea[], $4::text::json, $5::smallint, $6::text::json, $7::boolean, $8::boolean,
				o.created_at, $9::timestamptz, $10::timestamptz)
		where o.id = $1::bigint and o.version = $13::bigint and o.holder = $14::bytea and o.lease_until = coalesce($15::timestamptz, '-infinity')
			and ` + entryIntact
	// What else is done to what was written, if it was.
	addToEntry  = `with written as (` + updateEntry + ` returning o.id) select sesame_keep($16, id) from written`
	settleEntry = `with written as (` + updateEntry + ` returning o.id, o.chain_id, o.account)
		select sesame_end(id, 0, chain_id, account, $16, $17) from written`
	deleteEntry = `with gone as (delete from sesame_outbox o where o.id = $1 and o.version = $2 and ` + entryIntact + ` returning o.id, o.chain_id, o.account)
		select sesame_end(id, 0, chain_id, account, 4, 0) from gone`

	claimEntries = `with due as (
			select o.id, row_number() over (order by o.lease_until, o.id) as turn from (
				select * from sesame_outbox o where (o.state = 1 or not o.reported) and o.lease_until <= now() and ` + entryIntact + `
				and ($4::bigint = 0 or o.chain_id = $4) order by o.lease_until, o.id limit $3 for update skip locked
			) as o
		), claimed as (
			update sesame_outbox o set version = o.version + 1, given = true, updated_at = now(), holder = $1, lease_until = now() + $2::interval,
				checksum = sesame_outbox_sum(o.id, o.version + 1, o.chain_id, o.account, o.entry_point, o.key, o.kind, o.asked,
					o.nonce, o.hashes, o.attempts, o.state, o.outcome, true, o.reported, o.created_at, now(), o.ended_at)
			from due where o.id = due.id returning o.*, due.turn
		)
		select ` + entryColumns + ` from claimed o order by o.turn`
	damagedDue = `select o.id from (
			select * from sesame_outbox where (state = 1 or not reported) and lease_until <= now() order by lease_until, id limit 1000
		) as o where not ` + entryIntact + ` limit 1`

	holdersEntries = `with mine as (
			select id from sesame_outbox where id = any ($1::bigint[]) and holder = $2 and holder <> '' and (state = 1 or not reported)
			order by id for update
		) update sesame_outbox o set `
	renewEntries   = holdersEntries + `lease_until = now() + $3::interval from mine where o.id = mine.id returning o.id`
	releaseEntries = holdersEntries + `holder = '', lease_until = '-infinity' from mine where o.id = mine.id returning o.id`

	sweepEntries = `with over as (
			select o.id from sesame_outbox o where o.state > 1 and o.reported and o.ended_at < now() - $1::interval and ` + entryIntact + `
			order by o.ended_at, o.id limit $2 for update skip locked
		) delete from sesame_outbox o using over where o.id = over.id`
)

// sends is the outbox of a store. Each method is one round trip, but for the steps of one entry, which are
// two: one reads it, and one writes it if nobody else did meanwhile.
type sends struct{ store *Store }

var (
	_ outbox.Outbox   = (*sends)(nil)
	_ outbox.Listener = (*sends)(nil)
)

// Outbox implements [storekit.Recorder]: any number of processes may record, and claim, in one database. It
// is an [outbox.Listener] by LISTEN and NOTIFY, on a connection of its own.
func (s *Store) Outbox() outbox.Outbox { return s.sends }

func (b *sends) read(ctx context.Context, doing string, queue func(*pgx.Batch)) error {
	return b.round(ctx, doing, beginRead, queue)
}

func (b *sends) write(ctx context.Context, doing string, queue func(*pgx.Batch)) error {
	return b.round(ctx, doing, beginWrite, func(batch *pgx.Batch) {
		batch.Queue(checkOutbox)
		queue(batch)
	})
}

func (b *sends) round(ctx context.Context, doing, begin string, queue func(*pgx.Batch)) error {
	if err := b.store.checkOpen(ctx); err != nil {
		return err
	}
	if err := b.store.round(ctx, begin, queue); err != nil {
		return b.store.fail(ctx, doing, err)
	}
	return nil
}

// queueOne reads one entry into a row, whose Entry is nil if there is none.
func queueOne(batch *pgx.Batch, row *outbox.Row, sql string, arguments ...any) {
	*row = outbox.Row{}
	batch.Queue(sql, arguments...).QueryRow(func(found pgx.Row) (err error) {
		*row, err = scanEntry(found)
		return ignoreNoRows(err)
	})
}

// Record implements [outbox.Outbox].
func (b *sends) Record(ctx context.Context, recording outbox.Recording) (*outbox.Entry, error) {
	if err := recording.Validate(); err != nil {
		return nil, err
	}
	arguments, err := recordArguments(&recording)
	if err != nil {
		return nil, err
	}
	for range maxTries {
		var row outbox.Row
		err := b.write(ctx, "record send", func(batch *pgx.Batch) {
			queueOne(batch, &row, recordEntry+"true"+recordedEntry, arguments...)
		})
		switch {
		case err == nil:
			return row.Entry, nil
		case code(err) != uniqueViolation:
			return nil, reservationOver(err, recording.Attempt.Reserved)
		}
		if err := b.taken(ctx, &recording); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("record send %q: another one came and went %d times", recording.Send.Key, maxTries)
}

// taken returns which entry has the key or the nonce, nil if none has it any more.
func (b *sends) taken(ctx context.Context, r *outbox.Recording) error {
	var byKey, byNonce outbox.Row
	nonce := r.Attempt.Operation.Nonce.Bytes32()
	err := b.read(ctx, "read send", func(batch *pgx.Batch) {
		queueOne(batch, &byKey, selectByKey, r.Send.ChainID, r.Send.Account[:], []byte(r.Send.Key))
		queueOne(batch, &byNonce, selectByNonce, r.Send.ChainID, r.Send.Account[:], nonce[:])
	})
	switch {
	case err != nil:
		return err
	case byKey.Entry != nil:
		return &outbox.TakenError{Entry: byKey.Entry, Err: outbox.ErrExists}
	case byNonce.Entry != nil:
		return &outbox.TakenError{Entry: byNonce.Entry, Err: outbox.ErrNonceTaken}
	}
	return nil
}

// ApplyRecording implements [storekit.Recorder]: one transaction in one round trip.
func (s *Store) ApplyRecording(ctx context.Context, ref session.Ref, version uint64, change *session.Change, recording outbox.Recording) (uint64, *outbox.Entry, error) {
	if err := storekit.CheckRecording(ref, &recording); err != nil {
		return 0, nil, err
	}
	arguments, err := recordArguments(&recording)
	if err != nil {
		return 0, nil, err
	}
	for range maxTries {
		var row outbox.Row
		version, err := s.apply(ctx, ref, version, change, func(batch *pgx.Batch) {
			queueOne(batch, &row, recordEntry+`current_setting('sesame.applied', true) = 'true'`+recordedEntry, arguments...)
		})
		switch {
		case err == nil:
			return version, row.Entry, nil
		case code(err) != uniqueViolation:
			return 0, nil, reservationOver(err, recording.Attempt.Reserved)
		}
		if err := s.sends.taken(ctx, &recording); err != nil {
			return 0, nil, err
		}
	}
	return 0, nil, fmt.Errorf("record send %q: another one came and went %d times", recording.Send.Key, maxTries)
}

// Find implements [outbox.Outbox].
func (b *sends) Find(ctx context.Context, chainID uint64, account common.Address, key string) (found outbox.Found, err error) {
	var row outbox.Row
	err = b.read(ctx, "find send", func(batch *pgx.Batch) {
		queueOne(batch, &row, selectByKey, int64(chainID), account[:], []byte(key))
		batch.Queue(selectNonces, int64(chainID), account[:]).Query(func(rows pgx.Rows) error {
			found.Nonces = nil
			for rows.Next() {
				var word []byte
				if err := rows.Scan(&word); err != nil {
					return err
				}
				found.Nonces = append(found.Nonces, *new(uint256.Int).SetBytes(word))
			}
			return nil
		})
	})
	switch {
	case err != nil:
		return outbox.Found{}, err
	case row.Entry == nil:
		return found, outbox.FreeKeyError(outbox.Send{ChainID: chainID, Account: account, Key: key})
	}
	found.Entry = row.Entry
	return found, nil
}

// FindHash implements [outbox.Outbox].
func (b *sends) FindHash(ctx context.Context, hash common.Hash) (*outbox.Entry, error) {
	var row outbox.Row
	err := b.read(ctx, "find send", func(batch *pgx.Batch) { queueOne(batch, &row, selectByHash, hash[:]) })
	switch {
	case err != nil:
		return nil, err
	case row.Entry == nil:
		return nil, outbox.UnknownHashError(hash)
	}
	return row.Entry, nil
}

// step reads an entry, has it changed, and writes it. Where somebody else was quicker, it does so again: the
// step itself says whether it minds.
func (b *sends) step(ctx context.Context, doing string, id uint64, change func(outbox.Row) (write bool, err error)) (*outbox.Entry, error) {
	return b.stepWith(ctx, doing, id, updateEntry, change)
}

// stepWith is step by an update that does something else, too, with more arguments.
func (b *sends) stepWith(ctx context.Context, doing string, id uint64, update string, change func(outbox.Row) (write bool, err error), more ...any) (*outbox.Entry, error) {
	for range maxTries {
		var row outbox.Row
		if err := b.read(ctx, doing, func(batch *pgx.Batch) { queueOne(batch, &row, selectByID, int64(id)) }); err != nil {
			return nil, err
		}
		if row.Entry == nil {
			return nil, outbox.GoneError(id)
		}
		before := *row.Entry
		write, err := change(row)
		written := !write
		if err == nil && write {
			written, err = b.put(ctx, doing, update, row.Entry, &before, more)
		}
		switch {
		case err != nil:
			return nil, err
		case written:
			return row.Entry, nil
		}
	}
	return nil, fmt.Errorf("%s: %w, %d times", doing, outbox.ErrConflict, maxTries)
}

// put writes an entry unless it is not as it was before any more.
func (b *sends) put(ctx context.Context, doing, update string, e, before *outbox.Entry, more []any) (written bool, err error) {
	arguments, err := updateArguments(e, before)
	if err != nil {
		return false, err
	}
	err = b.write(ctx, doing, func(batch *pgx.Batch) {
		batch.Queue(update, append(arguments, more...)...).Exec(func(tag pgconn.CommandTag) error {
			written = tag.RowsAffected() == 1
			return nil
		})
		if e.Holder == "" && !e.Reported {
			batch.Queue(notifyDue)
		}
	})
	return written, err
}

// AddAttempt implements [outbox.Outbox].
func (b *sends) AddAttempt(ctx context.Context, id, version uint64, attempt outbox.Attempt, lease outbox.Lease) (*outbox.Entry, error) {
	entry, err := b.stepWith(ctx, "add operation to send", id, addToEntry, func(row outbox.Row) (bool, error) {
		err := row.AddAttempt(version, attempt, lease)
		return err == nil, err
	}, int64(attempt.Reserved))
	return entry, reservationOver(err, attempt.Reserved)
}

// Settle implements [outbox.Outbox].
func (b *sends) Settle(ctx context.Context, id, version uint64, outcome outbox.Outcome, lease outbox.Lease) (*outbox.Entry, error) {
	return b.stepWith(ctx, "settle send", id, settleEntry, func(row outbox.Row) (bool, error) {
		return row.Settle(version, outcome, lease)
	}, int32(outcome.State), decimal(&outcome.Cost))
}

// MarkGiven implements [outbox.Outbox].
func (b *sends) MarkGiven(ctx context.Context, id, version uint64) (*outbox.Entry, error) {
	return b.step(ctx, "mark send as given", id, func(row outbox.Row) (bool, error) { return row.MarkGiven(version) })
}

// Take implements [outbox.Outbox].
func (b *sends) Take(ctx context.Context, id, version uint64, lease outbox.Lease) (*outbox.Entry, error) {
	return b.step(ctx, "take send", id, func(row outbox.Row) (bool, error) {
		err := row.Take(version, lease)
		return err == nil, err
	})
}

// MarkReported implements [outbox.Outbox].
func (b *sends) MarkReported(ctx context.Context, id uint64) error {
	_, err := b.step(ctx, "mark send as reported", id, outbox.Row.MarkReported)
	return err
}

// Free implements [outbox.Outbox].
func (b *sends) Free(ctx context.Context, id, version uint64) error {
	const doing = "free the key of a send"
	for range maxTries {
		var row outbox.Row
		if err := b.read(ctx, doing, func(batch *pgx.Batch) { queueOne(batch, &row, selectByID, int64(id)) }); err != nil {
			return err
		}
		if row.Entry == nil {
			return outbox.GoneError(id)
		}
		if err := row.CheckFree(version); err != nil {
			return err
		}
		n, err := b.exec(ctx, doing, deleteEntry, int64(id), int64(version))
		if err != nil || n == 1 {
			return err
		}
	}
	return fmt.Errorf("%s: %w, %d times", doing, outbox.ErrConflict, maxTries)
}

// exec does one statement and returns how many rows it was about.
func (b *sends) exec(ctx context.Context, doing, sql string, arguments ...any) (n int64, err error) {
	err = b.write(ctx, doing, func(batch *pgx.Batch) {
		batch.Queue(sql, arguments...).Exec(func(tag pgconn.CommandTag) error {
			n = tag.RowsAffected()
			return nil
		})
	})
	return n, err
}

// Claim implements [outbox.Outbox]. Several that claim at once pass over what another one is about to have.
func (b *sends) Claim(ctx context.Context, chainID uint64, lease outbox.Lease, limit int) (claimed []*outbox.Entry, err error) {
	if err := lease.Validate(); err != nil {
		return nil, err
	}
	if limit, err = outbox.Limit(limit, 100); err != nil {
		return nil, err
	}
	var wrong uint64
	err = b.write(ctx, "claim sends", func(batch *pgx.Batch) {
		batch.Queue(claimEntries, []byte(lease.Holder), lease.TTL, limit, int64(chainID)).Query(collectEntries(&claimed))
		wrong = 0
		batch.Queue(damagedDue).QueryRow(func(row pgx.Row) error { return ignoreNoRows(row.Scan(&wrong)) })
	})
	if err == nil && wrong != 0 {
		err = fmt.Errorf("claim sends: %w", damagedRow(fmt.Sprintf("row %d of sesame_outbox", wrong)))
	}
	return claimed, err
}

// Renew implements [outbox.Outbox].
func (b *sends) Renew(ctx context.Context, lease outbox.Lease, ids ...uint64) (held []uint64, err error) {
	if err := lease.Validate(); err != nil {
		return nil, err
	}
	return b.holders(ctx, "renew leases of sends", false, renewEntries, ids, []byte(lease.Holder), lease.TTL)
}

// Release implements [outbox.Outbox].
func (b *sends) Release(ctx context.Context, holder string, ids ...uint64) error {
	if err := outbox.CheckHolder(holder); err != nil {
		return err
	}
	_, err := b.holders(ctx, "release sends", true, releaseEntries, ids, []byte(holder))
	return err
}

// holders changes the leases of entries that are one holder's, and returns which they are.
func (b *sends) holders(ctx context.Context, doing string, notify bool, sql string, ids []uint64, arguments ...any) (changed []uint64, err error) {
	numbers := make([]int64, len(ids))
	for i, id := range ids {
		numbers[i] = int64(id)
	}
	err = b.write(ctx, doing, func(batch *pgx.Batch) {
		batch.Queue(sql, append([]any{numbers}, arguments...)...).Query(func(rows pgx.Rows) (err error) {
			changed, err = pgx.CollectRows(rows, pgx.RowTo[uint64])
			return err
		})
		if notify {
			batch.Queue(notifyDue)
		}
	})
	return changed, err
}

// List implements [outbox.Outbox].
func (b *sends) List(ctx context.Context, query outbox.Query) (list []*outbox.Entry, err error) {
	if err := query.Validate(); err != nil {
		return nil, err
	}
	c := conditions{parts: []string{"true"}}
	if query.ChainID != 0 {
		c.add("o.chain_id = %", int64(query.ChainID))
	}
	if query.Account != (common.Address{}) {
		c.add("o.account = %", query.Account[:])
	}
	if query.State != 0 {
		c.add("o.state = %", int16(query.State))
	}
	if query.Unreported {
		c.add("o.state > 1 and not o.reported")
	}
	if query.Before != 0 {
		c.add("o.id < %", int64(min(query.Before, 1<<63-1)))
	}
	sql := selectEntries + c.where() + " order by o.id desc limit " + c.place(query.Limit)
	err = b.read(ctx, "list sends", func(batch *pgx.Batch) { batch.Queue(sql, c.arguments...).Query(collectEntries(&list)) })
	return list, err
}

// Sweep implements [outbox.Outbox].
func (b *sends) Sweep(ctx context.Context, kept time.Duration, limit int) (int, error) {
	limit, err := outbox.SweepLimit(kept, limit)
	if err != nil {
		return 0, err
	}
	n, err := b.exec(ctx, "sweep sends", sweepEntries, kept, limit)
	return int(n), err
}
