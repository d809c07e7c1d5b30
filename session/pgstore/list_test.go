package pgstore_test

import (
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/testutil/pgtest"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/pgstore"
	"github.com/go-sesame/sesame/session/storekit"
)

const (
	listedAccounts = 150
	listedLeaves   = 100
	listedEnd      = 2_000_000_000 // the first leaf's; each one's is a minute later
)

func listedRef(n int) session.Ref {
	return session.Ref{ChainID: 80002, Account: common.BigToAddress(big.NewInt(int64(n + 1)))}
}

// fillListed stores many leaves: one of 20 is pending, one of 50 revoked, one of 10 endless, and each has a
// key of its own.
func fillListed(t testing.TB, store *pgstore.Store, url string) {
	t.Helper()
	for a := range listedAccounts {
		leaves := newLeaves(a*listedLeaves, (a+1)*listedLeaves)
		for i := range leaves {
			n := a*listedLeaves + i
			if n%20 == 0 {
				leaves[i].Status = session.StatusPending
			}
			if n%50 == 1 {
				leaves[i].Status = session.StatusRevoked
			}
			if n%10 != 2 {
				leaves[i].ValidUntil = uint64(listedEnd + 60*n)
			}
		}
		_, err := store.Apply(t.Context(), listedRef(a), 0, &session.Change{Put: leaves})
		require.NoError(t, err)
	}
	pgtest.Exec(t, url, `analyze sesame_leaves`)
}

// TestListPlans looks at the plans of listings: none may read all leaves, or sort more than its page.
func TestListPlans(t *testing.T) {
	url := server.URL(t)
	store := open(t, url)
	fillListed(t, store, url)
	soon := time.Unix(listedEnd, 0)
	for name, query := range map[string]session.Query{
		"all":            {},
		"chain":          {ChainID: 80002},
		"account":        {Account: listedRef(77).Account},
		"ref":            {ChainID: 80002, Account: listedRef(77).Account},
		"key":            {Key: newLeaf(4321).Key},
		"pending":        {Status: session.StatusPending, At: soon},
		"active":         {Status: session.StatusActive, At: soon},
		"revoked":        {Status: session.StatusRevoked},
		"few expired":    {Status: session.StatusExpired, At: soon.Add(10 * time.Minute)},
		"many expired":   {Status: session.StatusExpired, At: soon.Add(time.Hour * 24 * 365)},
		"soon to end":    {ExpiresAfter: soon, ExpiresBefore: soon.Add(10 * time.Minute)},
		"active of few":  {Status: session.StatusActive, Account: listedRef(3).Account, At: soon},
		"far in the end": {Cursor: nextCursor(t, store, 12)},
	} {
		t.Run(name, func(t *testing.T) {
			query.Limit = 20
			plan := explain(t, url, query)
			require.Contains(t, plan, "Index", plan)
			require.NotContains(t, plan, "Seq Scan", plan)
			var read, rows int
			for _, line := range strings.Split(plan, "\n") {
				if _, after, ok := strings.Cut(line, "Rows Removed by Filter: "); ok {
					_, err := fmt.Sscan(after, &rows)
					require.NoError(t, err)
					read += rows
				}
			}
			require.Less(t, read, 300, plan)
		})
	}
}

// TestListPendingPlan has one account of a hundred wait: the page is read from the index of those.
func TestListPendingPlan(t *testing.T) {
	url := server.URL(t)
	open(t, url)
	pgtest.Exec(t, url, `insert into sesame_sessions (chain_id, account, version, leaves, root, pending_root, pending_op, pending_nonce, checksum)
		select 1, decode(lpad(to_hex(n), 40, '0'), 'hex'), 1, 0, zero, w, w, w, ''
		from (select n, decode(repeat('00', 32), 'hex') as zero, case when n % 100 = 0 then decode(repeat('11', 32), 'hex') end as w
			from generate_series(1, 20000) as n) as made`)
	pgtest.Exec(t, url, `analyze sesame_sessions`)
	plan := explained(t, url, pgstore.SelectPending, 1, make([]byte, 20), 20)
	require.Contains(t, plan, "sesame_sessions_pending", plan)
	require.NotContains(t, plan, "Seq Scan", plan)
	require.NotContains(t, plan, "Sort", plan)
}

// nextCursor pages so many pages of the most leaves on.
func nextCursor(t *testing.T, store *pgstore.Store, pages int) (cursor string) {
	t.Helper()
	for range pages {
		page, err := store.List(t.Context(), session.Query{Limit: storekit.MaxPage, Cursor: cursor})
		require.NoError(t, err)
		require.Len(t, page.Items, storekit.MaxPage)
		cursor = page.Next
	}
	return cursor
}

func explain(t *testing.T, url string, query session.Query) string {
	t.Helper()
	from, err := storekit.Start(&query)
	require.NoError(t, err)
	sql, arguments := pgstore.SelectListed(&query, from)
	return explained(t, url, sql, arguments...)
}

func explained(t *testing.T, url, sql string, arguments ...any) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close(t.Context())) }()
	rows, err := conn.Query(t.Context(), "explain (analyze, costs off, timing off, summary off) "+sql, arguments...)
	require.NoError(t, err)
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return strings.Join(lines, "\n")
}

// TestListPositions forgets leaves: positions close up.
func TestListPositions(t *testing.T) {
	store := open(t, server.URL(t))
	_, err := store.Apply(t.Context(), testRef, 0, &session.Change{Put: newLeaves(0, 6)})
	require.NoError(t, err)
	_, err = store.Apply(t.Context(), testRef, 1, &session.Change{Delete: []string{"leaf-1", "leaf-3"}, Put: newLeaves(6, 7)})
	require.NoError(t, err)
	page, err := store.List(t.Context(), session.Query{})
	require.NoError(t, err)
	var have []string
	for _, item := range page.Items {
		have = append(have, fmt.Sprint(item.Position, " ", item.Leaf.ID))
	}
	require.Equal(t, []string{"0 leaf-0", "1 leaf-2", "2 leaf-4", "3 leaf-5", "4 leaf-6"}, have)
}

func BenchmarkList(b *testing.B) {
	url := server.URL(b)
	store := open(b, url)
	fillListed(b, store, url)
	b.ReportAllocs()
	for b.Loop() {
		page, err := store.List(b.Context(), session.Query{Status: session.StatusPending, At: time.Unix(1, 0)})
		require.NoError(b, err)
		require.Len(b, page.Items, storekit.DefaultPage)
	}
}
