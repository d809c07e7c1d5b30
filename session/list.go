package session

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/session/policy"
)

// MaxPage is the most leaves that one [Page] holds; DefaultPage is how many it holds unless a
// [Query] says otherwise.
const (
	MaxPage     = 1000
	DefaultPage = 100
)

// Lister finds leaves across accounts and chains, page by page. The stores of this module that keep
// several accounts implement it beside [Store].
type Lister interface {
	// List returns the leaves that fit query, ordered by chain, account and position. The order is
	// stable: what is granted while paging comes later, or in its place if that was not passed yet.
	List(ctx context.Context, query Query) (Page, error)
}

// Query says which leaves to list. Zero fields ask for nothing, so that the zero Query lists all.
type Query struct {
	ChainID uint64
	Account common.Address
	// Key is the address of the session key.
	Key common.Address
	// Status is the status at the moment At; see [Leaf.StatusAt].
	Status Status
	// At is the moment that statuses are judged at, by default now.
	At time.Time
	// ExpiresBefore and ExpiresAfter bound the leaf's end, both exclusive. A leaf that never ends
	// ends after every moment.
	ExpiresBefore, ExpiresAfter time.Time
	// Limit is how many leaves a page holds at most, by default [DefaultPage], up to [MaxPage].
	Limit int
	// Cursor is the Next of the page before; empty for the first page. The rest of the query must
	// stay the same.
	Cursor string
}

// Page is one page of a listing.
type Page struct {
	Items []Listed
	// Next is the Cursor of the next page, empty on the last one.
	Next string
}

// Listed is one leaf of a listing.
type Listed struct {
	Ref Ref
	// Position is the leaf's place in [State.Leaves].
	Position int
	Leaf     Leaf
}

// Start returns the place that the page begins at, the zero Place for the first page, or an error
// matching [policy.ErrInvalid] if q cannot be answered.
func (q *Query) Start() (Place, error) {
	switch {
	case q.Limit < 0 || q.Limit > MaxPage:
		return Place{}, fmt.Errorf("%w: page of %d leaves, want 1 to %d", policy.ErrInvalid, q.Limit, MaxPage)
	case q.Status > StatusExpired:
		return Place{}, fmt.Errorf("%w: cannot list sessions of %s", policy.ErrInvalid, q.Status)
	}
	return parsePlace(q.Cursor)
}

// Collect adds the leaf to page if it fits q and reports whether the page is complete; stores call it
// leaf by leaf, in the order of their places.
func (q *Query) Collect(page *Page, at Place, leaf *Leaf) (complete bool) {
	if !q.MatchesRef(at.Ref) || !q.matches(leaf) {
		return false
	}
	if len(page.Items) == cmp.Or(q.Limit, DefaultPage) {
		page.Next = at.cursor()
		return true
	}
	page.Items = append(page.Items, Listed{Ref: at.Ref, Position: at.Position, Leaf: leaf.Clone()})
	return false
}

// CollectState is [Query.Collect] for all leaves of a ref that are not before from.
func (q *Query) CollectState(page *Page, from Place, ref Ref, state *State) (complete bool) {
	for i := range state.Leaves {
		at := Place{Ref: ref, Position: i}
		if at.Compare(from) >= 0 && q.Collect(page, at, &state.Leaves[i]) {
			return true
		}
	}
	return false
}

// MatchesRef reports whether q asks for leaves of ref at all.
func (q *Query) MatchesRef(ref Ref) bool {
	return (q.ChainID == 0 || q.ChainID == ref.ChainID) &&
		(q.Account == common.Address{} || q.Account == ref.Account)
}

func (q *Query) matches(leaf *Leaf) bool {
	endless, end := leaf.ValidUntil == 0, time.Unix(int64(leaf.ValidUntil), 0)
	switch {
	case q.Key != common.Address{} && leaf.Key != q.Key:
		return false
	case q.Status != 0 && leaf.StatusAt(q.moment()) != q.Status:
		return false
	case !q.ExpiresBefore.IsZero() && (endless || !end.Before(q.ExpiresBefore)):
		return false
	case !q.ExpiresAfter.IsZero() && !endless && !end.After(q.ExpiresAfter):
		return false
	}
	return true
}

func (q *Query) moment() time.Time {
	if q.At.IsZero() {
		return time.Now()
	}
	return q.At
}

// Place is where a leaf stands among all leaves of a store.
type Place struct {
	Ref      Ref
	Position int
}

// Compare orders places by chain, account and position, as [Lister] lists them.
func (p Place) Compare(other Place) int {
	return cmp.Or(p.Ref.Compare(other.Ref), cmp.Compare(p.Position, other.Position))
}

// Compare orders refs by chain and account.
func (r Ref) Compare(other Ref) int {
	return cmp.Or(cmp.Compare(r.ChainID, other.ChainID), bytes.Compare(r.Account[:], other.Account[:]))
}

const placeSize = 8 + common.AddressLength + 8

// cursor writes the place so that a caller is not tempted to read it.
func (p Place) cursor() string {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, placeSize), p.Ref.ChainID)
	b = append(b, p.Ref.Account[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(p.Position))
	return base64.RawURLEncoding.EncodeToString(b)
}

func parsePlace(cursor string) (Place, error) {
	if cursor == "" {
		return Place{}, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(b) != placeSize || b[len(b)-8] > 0x7f {
		return Place{}, fmt.Errorf("%w: cursor %.80q is not one that a listing returned", policy.ErrInvalid, cursor)
	}
	p := Place{Ref: Ref{ChainID: binary.BigEndian.Uint64(b)}, Position: int(binary.BigEndian.Uint64(b[len(b)-8:]))}
	copy(p.Ref.Account[:], b[8:])
	return p, nil
}
