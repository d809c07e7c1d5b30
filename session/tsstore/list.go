package tsstore

import (
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"strings"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/storekit"
)

// List implements [session.Lister]. It reads the files of all accounts that may fit.
func (s *Store) List(ctx context.Context, query session.Query) (page session.Page, err error) {
	from, err := storekit.Start(&query)
	if err != nil {
		return session.Page{}, err
	}
	refs, err := s.refs()
	if err != nil {
		return session.Page{}, err
	}
	for _, ref := range refs {
		if storekit.CompareRefs(ref, from.Ref) < 0 || !storekit.MatchesRef(&query, ref) {
			continue
		}
		state, err := s.Load(ctx, ref)
		if errors.Is(err, session.ErrNotFound) {
			continue
		}
		if err != nil {
			return session.Page{}, err
		}
		if storekit.CollectState(&query, &page, from, ref, state) {
			break
		}
	}
	return page, nil
}

// ListPending implements [session.Lister]. It reads the files of all accounts that come after that one.
func (s *Store) ListPending(ctx context.Context, after session.Ref, limit int) (pending []session.Ref, err error) {
	if limit, err = storekit.PageSize(limit); err != nil {
		return nil, err
	}
	refs, err := s.refs()
	if err != nil {
		return nil, err
	}
	for _, ref := range refs {
		if storekit.CompareRefs(ref, after) <= 0 {
			continue
		}
		if len(pending) == limit {
			break
		}
		state, err := s.Load(ctx, ref)
		switch {
		case errors.Is(err, session.ErrNotFound):
		case err != nil:
			return nil, err
		case state.Pending != nil:
			pending = append(pending, ref)
		}
	}
	return pending, nil
}

// refs returns the accounts that have a file of sessions, in order.
func (s *Store) refs() ([]session.Ref, error) {
	names, err := s.names()
	if err != nil {
		return nil, err
	}
	var refs []session.Ref
	for _, name := range names {
		digits, isFile := strings.CutSuffix(strings.ToLower(name), sessionsKind)
		account, err := hex.DecodeString(strings.TrimPrefix(digits, "0x"))
		if isFile && err == nil && len(account) == common.AddressLength {
			refs = append(refs, session.Ref{ChainID: s.chainID, Account: common.BytesToAddress(account)})
		}
	}
	slices.SortFunc(refs, storekit.CompareRefs)
	return slices.Compact(refs), nil
}
