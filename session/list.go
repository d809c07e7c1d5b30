package session

import (
	"context"
	"time"

	"github.com/ethereum/go-ethereum/common"
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
	// Limit is how many leaves a page holds at most, by default 100, up to 1000.
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
