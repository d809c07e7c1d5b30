package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/session/storekit"
)

func (c *Config) testList(t *testing.T) {
	store := c.Open(t)
	lister, ok := store.(session.Lister)
	if !ok {
		return // keeps nothing to list
	}
	empty, err := lister.List(t.Context(), session.Query{})
	require.NoError(t, err)
	require.Empty(t, empty.Items)
	require.Empty(t, empty.Next)

	all := c.fill(t, store)
	one, account, key := c.ref(0).ChainID, all[5].Ref.Account, all[7].Leaf.Key
	soon := time.Unix(int64(newLeaf(4).ValidUntil), 0)
	for name, query := range map[string]session.Query{
		"all":               {},
		"pages of one":      {Limit: 1},
		"pages of seven":    {Limit: 7},
		"largest page":      {Limit: storekit.MaxPage},
		"chain":             {ChainID: one, Limit: 5},
		"unknown chain":     {ChainID: one + 9},
		"account":           {Account: account, Limit: 2},
		"key":               {Key: key, Limit: 1},
		"unknown key":       {Key: common.HexToAddress("0x01")},
		"pending":           {Status: session.StatusPending, Limit: 3},
		"revoked":           {Status: session.StatusRevoked},
		"standing":          {Standing: true, Limit: 1},
		"standing, revoked": {Standing: true, Status: session.StatusRevoked, ChainID: one},
		"active":            {Status: session.StatusActive, At: soon},
		"expired":           {Status: session.StatusExpired, At: soon.Add(time.Second), Limit: 3},
		"expires before":    {ExpiresBefore: soon.Add(time.Nanosecond), Limit: 3},
		"expires after":     {ExpiresAfter: soon.Add(-time.Nanosecond), Limit: 3},
		"expires within":    {ExpiresAfter: soon, ExpiresBefore: soon.Add(3 * time.Second)},
		"account and chain": {ChainID: one, Account: account, Status: session.StatusActive},
	} {
		t.Run(name, func(t *testing.T) { requireListed(t, lister, query, all) })
	}
	t.Run("refused", func(t *testing.T) { requireRefused(t, lister) })
}

// testListPending pages through the accounts with a change that waits, among those without one.
func (c *Config) testListPending(t *testing.T) {
	store := c.Open(t)
	lister, ok := store.(session.Lister)
	if !ok {
		return
	}
	none, err := lister.ListPending(t.Context(), session.Ref{}, 0)
	require.NoError(t, err)
	require.Empty(t, none)

	var waiting []session.Ref
	for n := range 7 {
		ref := c.ref(6 - n)
		if n == 3 && c.ChainID == 0 {
			ref.ChainID++
		}
		change := session.Change{Put: newLeaves(n, n+2)}
		if n%3 != 1 {
			change.Header.Pending = &session.PendingRoot{Root: common.HexToHash("0x03"), OpHash: common.HexToHash("0x04"), Operation: newOperation()}
			waiting = append(waiting, ref)
		}
		apply(t, store, ref, change)
	}
	slices.SortFunc(waiting, storekit.CompareRefs)
	for _, limit := range []int{0, 1, 2, storekit.MaxPage} {
		var have []session.Ref
		for after := (session.Ref{}); ; after = have[len(have)-1] {
			page, err := lister.ListPending(t.Context(), after, limit)
			require.NoError(t, err)
			have = append(have, page...)
			if len(page) == 0 || limit == 0 {
				break
			}
			require.LessOrEqual(t, len(page), limit)
		}
		require.Equal(t, waiting, have, limit)
	}
	apply(t, store, waiting[0], session.Change{})
	rest, err := lister.ListPending(t.Context(), session.Ref{}, 0)
	require.NoError(t, err)
	require.Equal(t, waiting[1:], rest)
	for _, limit := range []int{-1, storekit.MaxPage + 1} {
		_, err := lister.ListPending(t.Context(), session.Ref{}, limit)
		require.ErrorIs(t, err, policy.ErrInvalid)
	}
}

// fill stores leaves of all sorts in several accounts, and chains if there are any, and returns them in the
// order of a listing.
func (c *Config) fill(t *testing.T, store session.Store) (all []session.Listed) {
	refs := []session.Ref{c.ref(3), c.ref(0), c.ref(2)}
	if c.ChainID == 0 {
		refs = append(refs, session.Ref{ChainID: c.ref(0).ChainID - 1, Account: c.ref(2).Account})
	}
	for i, ref := range refs {
		leaves := newLeaves(i, i+6)
		leaves[1].Status, leaves[1].InTree = session.StatusPending, false
		leaves[2].Status = session.StatusRevoked
		leaves[5].Status, leaves[5].InTree = session.StatusRevoked, false
		leaves[3].ValidUntil = 0
		apply(t, store, ref, session.Change{Put: leaves})
		for position := range leaves {
			all = append(all, session.Listed{Ref: ref, Position: position, Leaf: leaves[position]})
		}
	}
	slices.SortStableFunc(all, func(a, b session.Listed) int { return storekit.CompareRefs(a.Ref, b.Ref) })
	return all
}

// requireListed pages through the listing and compares it with one by hand.
func requireListed(t *testing.T, lister session.Lister, query session.Query, all []session.Listed) {
	t.Helper()
	var want, have []session.Listed
	for _, item := range all {
		var page session.Page
		byHand := query
		byHand.Limit = 0
		storekit.Collect(&byHand, &page, storekit.Place{Ref: item.Ref, Position: item.Position}, &item.Leaf)
		want = append(want, page.Items...)
	}
	limit := query.Limit
	if limit == 0 {
		limit = storekit.DefaultPage
	}
	for {
		page, err := lister.List(t.Context(), query)
		require.NoError(t, err)
		require.LessOrEqual(t, len(page.Items), limit)
		have = append(have, page.Items...)
		if page.Next == "" {
			break
		}
		require.Len(t, page.Items, limit, "only the last page is short")
		query.Cursor = page.Next
	}
	require.Equal(t, want, have)
}

func requireRefused(t *testing.T, lister session.Lister) {
	for name, query := range map[string]session.Query{
		"negative limit": {Limit: -1},
		"large limit":    {Limit: storekit.MaxPage + 1},
		"unknown status": {Status: 77},
		"contradiction":  {Standing: true, Status: session.StatusActive},
		"cursor":         {Cursor: "not a cursor"},
		"short cursor":   {Cursor: "AAAA"},
	} {
		_, err := lister.List(t.Context(), query)
		require.ErrorIs(t, err, policy.ErrInvalid, name)
	}
}
