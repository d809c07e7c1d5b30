package pgstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/go-sesame/sesame/userop/outbox"
)

// Numbers go in and come back as text: they are wider than what numeric is scanned into.
const (
	reserveSpent = `select coalesce(reservation, 0), coalesce(refused, 0), was_spent::text, was_open::text, asked::text,
			extract(epoch from today)::bigint
		from sesame_reserve($1, $2, $3, $4, $5, $6::text[]::numeric[], $7::text[]::numeric[], $8)`
	returnSpent = `select sesame_end(0, $3, $1, $2, 4, 0)`
	selectSpent = `select key, unit, case when day >= sesame_today() then spent else 0 end::text, open::text, total::text,
			extract(epoch from greatest(day, sesame_today()))::bigint
		from sesame_spent where chain_id = $1 and account = $2`
)

var _ outbox.Budgeter = (*sends)(nil)

// decimal is a number as the database takes it.
func decimal(n *uint256.Int) pgtype.Numeric { return pgtype.Numeric{Int: n.ToBig(), Valid: true} }

// reservationOver tells a reservation that was given back from other errors.
func reservationOver(err error, reservation uint64) error {
	if code(err) == reservationGone {
		return outbox.ReservationError(reservation)
	}
	return err
}

// keyBytes is a counter's key as it is stored: empty for that of the whole account.
func keyBytes(key common.Address) []byte {
	if key == (common.Address{}) {
		return []byte{}
	}
	return key[:]
}

// Reserve implements [outbox.Budgeter]. Of several that reserve for one account at once, one after the other
// does.
func (b *sends) Reserve(ctx context.Context, chainID uint64, account common.Address, entry uint64, charges []outbox.Charge, ttl time.Duration) (reservation uint64, err error) {
	if err := outbox.CheckReservation(chainID, account, charges, ttl); err != nil {
		return 0, err
	}
	keys, units := make([][]byte, len(charges)), make([][]byte, len(charges))
	amounts, limits := make([]string, len(charges)), make([]string, len(charges))
	for i := range charges {
		c := &charges[i]
		keys[i], units[i], amounts[i], limits[i] = keyBytes(c.Key), []byte(c.Unit), c.Amount.Dec(), c.Limit.Dec()
	}
	var refused int
	var spent, open, asked string
	var day int64
	err = b.write(ctx, "reserve what a send may cost", func(batch *pgx.Batch) {
		batch.Queue(reserveSpent, int64(chainID), account[:], int64(entry), keys, units, amounts, limits, ttl).QueryRow(func(row pgx.Row) error {
			return row.Scan(&reservation, &refused, &spent, &open, &asked, &day)
		})
	})
	if err != nil || refused == 0 {
		return reservation, err
	}
	over := &outbox.OverBudgetError{ChainID: chainID, Account: account, Charge: charges[refused-1]}
	over.Usage = outbox.Usage{Counter: over.Charge.Counter, Day: time.Unix(day, 0).UTC()}
	if err := scanNumbers([]string{spent, open, asked}, &over.Usage.Spent, &over.Usage.Open, &over.Charge.Amount); err != nil {
		return 0, err
	}
	return 0, over
}

// scanNumbers reads decimal numbers. A sum beyond the highest there is stays at that.
func scanNumbers(texts []string, numbers ...*uint256.Int) error {
	for i, text := range texts {
		switch err := numbers[i].SetFromDecimal(text); {
		case errors.Is(err, uint256.ErrBig256Range):
			numbers[i].SetAllOne()
		case err != nil:
			return damaged("a number in sesame_spent is %q: %v", text, err)
		}
	}
	return nil
}

// Return implements [outbox.Budgeter].
func (b *sends) Return(ctx context.Context, chainID uint64, account common.Address, reservation uint64) error {
	_, err := b.exec(ctx, "return what was reserved for a send", returnSpent, int64(chainID), account[:], int64(reservation))
	return err
}

// Usage implements [outbox.Budgeter].
func (b *sends) Usage(ctx context.Context, chainID uint64, account common.Address) (list []outbox.Usage, err error) {
	err = b.read(ctx, fmt.Sprintf("read what account %s spent", account), func(batch *pgx.Batch) {
		batch.Queue(selectSpent, int64(chainID), account[:]).Query(func(rows pgx.Rows) error {
			list = nil
			for rows.Next() {
				var key, unit []byte
				var spent, open, total string
				var day int64
				if err := rows.Scan(&key, &unit, &spent, &open, &total, &day); err != nil {
					return err
				}
				u := outbox.Usage{Counter: outbox.Counter{Key: common.BytesToAddress(key), Unit: outbox.Unit(unit)}, Day: time.Unix(day, 0).UTC()}
				if err := scanNumbers([]string{spent, open, total}, &u.Spent, &u.Open, &u.Total); err != nil {
					return err
				}
				list = append(list, u)
			}
			return nil
		})
	})
	outbox.SortUsage(list)
	return list, err
}
