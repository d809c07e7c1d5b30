package filestore

import (
	"context"

	"go.etcd.io/bbolt"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/storekit"
)

// List implements [session.Lister]. A page is of one moment.
func (s *Store) List(ctx context.Context, query session.Query) (page session.Page, err error) {
	from, err := storekit.Start(&query)
	if err != nil {
		return session.Page{}, err
	}
	err = s.file.view(ctx, func(tx *bbolt.Tx) error { return list(ctx, tx, &query, from, &page) })
	if err != nil {
		return session.Page{}, s.in(err)
	}
	return page, nil
}

func list(ctx context.Context, tx *bbolt.Tx, query *session.Query, from storekit.Place, page *session.Page) error {
	// No account of the chain comes before this one.
	if first := (session.Ref{ChainID: query.ChainID, Account: query.Account}); query.ChainID != 0 && storekit.CompareRefs(first, from.Ref) > 0 {
		from = storekit.Place{Ref: first}
	}
	cursor := tx.Bucket(accountsBucket).Cursor()
	for key, _ := cursor.Seek(refKey(from.Ref)); key != nil; key, _ = cursor.Next() {
		ref, err := parseRef(key)
		if err != nil {
			return err
		}
		if query.ChainID != 0 && ref.ChainID > query.ChainID {
			return nil
		}
		if !storekit.MatchesRef(query, ref) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		complete, err := listRef(tx, query, ref, from, page)
		if err != nil || complete {
			return err
		}
	}
	return nil
}

func listRef(tx *bbolt.Tx, query *session.Query, ref session.Ref, from storekit.Place, page *session.Page) (complete bool, err error) {
	s := sessionsOf(tx, ref)
	if s == nil {
		return false, damaged("an account that is none")
	}
	start := 0
	if ref == from.Ref {
		start = from.Position
	}
	err = s.each(start, func(i int, leaf *session.Leaf) (bool, error) {
		complete = storekit.Collect(query, page, storekit.Place{Ref: ref, Position: i}, leaf)
		return !complete, nil
	})
	return complete, err
}

// ListPending implements [session.Lister]. It reads what is stored of all accounts that come after that one,
// without their leaves.
func (s *Store) ListPending(ctx context.Context, after session.Ref, limit int) (refs []session.Ref, err error) {
	if limit, err = storekit.PageSize(limit); err != nil {
		return nil, err
	}
	err = s.file.view(ctx, func(tx *bbolt.Tx) error {
		refs = nil
		cursor := tx.Bucket(accountsBucket).Cursor()
		for key, _ := cursor.Seek(refKey(after)); key != nil && len(refs) < limit; key, _ = cursor.Next() {
			ref, err := parseRef(key)
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				return err
			}
			h, err := sessionsOf(tx, ref).head()
			if err != nil {
				return err
			}
			header, err := h.decode()
			if err != nil {
				return err
			}
			if ref != after && header.Pending != nil {
				refs = append(refs, ref)
			}
		}
		return nil
	})
	if err != nil {
		return nil, s.in(err)
	}
	return refs, nil
}
