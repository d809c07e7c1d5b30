package pgstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/storekit"
)

// List implements [session.Lister] by indexes: a page costs as much whatever comes before and after it.
func (s *Store) List(ctx context.Context, query session.Query) (session.Page, error) {
	if err := s.checkOpen(ctx); err != nil {
		return session.Page{}, err
	}
	if query.At.IsZero() {
		query.At = time.Now() // one moment for the database and for Collect
	}
	from, err := storekit.Start(&query)
	if err = errors.Join(err, checkChain(query.ChainID), checkChain(from.Ref.ChainID)); err != nil {
		return session.Page{}, err
	}
	if query.Limit == 0 {
		query.Limit = storekit.DefaultPage
	}
	sql, arguments := selectListed(&query, from)
	var page session.Page
	err = s.round(ctx, beginRead, func(batch *pgx.Batch) {
		page = session.Page{}
		batch.Queue(sql, arguments...).Query(func(rows pgx.Rows) error {
			return collectListed(rows, &query, &page)
		})
	})
	if err != nil {
		return session.Page{}, s.fail(ctx, "list sessions", err)
	}
	return page, nil
}

// collectListed adds rows to the page. The query has the last word on each.
func collectListed(rows pgx.Rows, query *session.Query, page *session.Page) error {
	var at storekit.Place
	var account pgtype.DriverBytes
	var row leafRow
	targets := append([]any{&at.Ref.ChainID, &account, &at.Position}, row.targets()...)
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return err
		}
		at.Ref.Account = common.BytesToAddress(account)
		leaf, err := row.take(at)
		if err != nil {
			return fmt.Errorf("%s: %w", at.Ref, err)
		}
		if storekit.Collect(query, page, at, &leaf) {
			break
		}
	}
	return nil
}

// conditions are the parts of a where clause with their arguments.
type conditions struct {
	parts     []string
	arguments []any
}

// add adds a condition in which each % stands for the next argument.
func (c *conditions) add(condition string, arguments ...any) {
	for _, argument := range arguments {
		condition = strings.Replace(condition, "%", c.place(argument), 1)
	}
	c.parts = append(c.parts, condition)
}

// place adds an argument and returns what stands for it.
func (c *conditions) place(argument any) string {
	c.arguments = append(c.arguments, argument)
	return fmt.Sprintf("$%d", len(c.arguments))
}

func (c *conditions) where() string { return strings.Join(c.parts, " and ") }

// selectListed asks for one leaf more than the page holds, which tells whether there is another page. A
// condition that is not asked for is not there, so that each kind of query is planned for itself.
func selectListed(query *session.Query, from storekit.Place) (sql string, arguments []any) {
	c := new(conditions)
	c.add("(chain_id, account, position) >= (%, %, %)", from.Ref.ChainID, from.Ref.Account[:], from.Position)
	if query.ChainID != 0 {
		c.add("chain_id = %", query.ChainID)
	}
	if query.Account != (common.Address{}) {
		c.add("account = %", query.Account[:])
	}
	if query.Key != (common.Address{}) {
		c.add("key = %", query.Key[:])
	}
	c.status(query.Status, query.At.Unix())
	if query.Standing {
		c.add("status = 3 and in_tree") // as the index has it
	}
	if !query.ExpiresBefore.IsZero() {
		c.add("valid_until > 0 and valid_until < %", ceilSeconds(query.ExpiresBefore))
	}
	if !query.ExpiresAfter.IsZero() {
		c.add("(valid_until = 0 or valid_until > %)", query.ExpiresAfter.Unix())
	}
	sql = "select chain_id, account, position, " + leafColumns + " from sesame_leaves where " + c.where() +
		" order by chain_id, account, position limit " + c.place(query.Limit+1)
	return sql, c.arguments
}

// status is [session.Leaf.StatusAt] in SQL.
func (c *conditions) status(status session.Status, now int64) {
	switch status {
	case 0:
	case session.StatusRevoked:
		c.add("status = %", int16(status))
	case session.StatusExpired:
		c.add("status <> % and valid_until > 0 and valid_until < %", int16(session.StatusRevoked), now)
	default:
		c.add("status = % and (valid_until = 0 or valid_until >= %)", int16(status), now)
	}
}

// ceilSeconds returns the first whole second that is not before t.
func ceilSeconds(t time.Time) int64 {
	if t.Nanosecond() > 0 {
		return t.Unix() + 1
	}
	return t.Unix()
}

const selectPending = `select chain_id, account from sesame_sessions
	where pending_root is not null and (chain_id, account) > ($1, $2) order by chain_id, account limit $3`

// ListPending implements [session.Lister] by an index of the changes that wait.
func (s *Store) ListPending(ctx context.Context, after session.Ref, limit int) (refs []session.Ref, err error) {
	if err := s.checkOpen(ctx); err != nil {
		return nil, err
	}
	limit, err = storekit.PageSize(limit)
	if err = errors.Join(err, checkChain(after.ChainID)); err != nil {
		return nil, err
	}
	err = s.round(ctx, beginRead, func(batch *pgx.Batch) {
		refs = nil
		batch.Queue(selectPending, after.ChainID, after.Account[:], limit).Query(func(rows pgx.Rows) error {
			var ref session.Ref
			var account pgtype.DriverBytes
			for rows.Next() {
				if err := rows.Scan(&ref.ChainID, &account); err != nil {
					return err
				}
				ref.Account = common.BytesToAddress(account)
				refs = append(refs, ref)
			}
			return nil
		})
	})
	if err != nil {
		return nil, s.fail(ctx, "list pending changes", err)
	}
	return refs, nil
}
