package storekit_test

import (
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/session/storekit"
)

func TestQuery(t *testing.T) {
	at := func(seconds int64) time.Time { return time.Unix(seconds, 0) }
	ref := session.Ref{ChainID: 5, Account: common.HexToAddress("0xaa")}
	ends := session.Leaf{ID: "ends", Status: session.StatusActive, Key: common.HexToAddress("0x01"), Compiled: policy.Compiled{ValidUntil: 1000}}
	forever := session.Leaf{ID: "forever", Status: session.StatusActive, Key: common.HexToAddress("0x02")}
	revoked := session.Leaf{ID: "revoked", Status: session.StatusRevoked, Key: common.HexToAddress("0x02"), Compiled: policy.Compiled{ValidUntil: 1000}}
	for name, test := range map[string]struct {
		query session.Query
		want  []string
	}{
		"everything":             {session.Query{}, []string{"ends", "forever", "revoked"}},
		"chain":                  {session.Query{ChainID: 5}, []string{"ends", "forever", "revoked"}},
		"other chain":            {session.Query{ChainID: 6}, nil},
		"account":                {session.Query{Account: ref.Account}, []string{"ends", "forever", "revoked"}},
		"other account":          {session.Query{Account: common.HexToAddress("0xbb")}, nil},
		"key":                    {session.Query{Key: common.HexToAddress("0x02")}, []string{"forever", "revoked"}},
		"active at the end":      {session.Query{Status: session.StatusActive, At: at(1000)}, []string{"ends", "forever"}},
		"active after it":        {session.Query{Status: session.StatusActive, At: at(1001)}, []string{"forever"}},
		"expired":                {session.Query{Status: session.StatusExpired, At: at(1001)}, []string{"ends"}},
		"expired by now":         {session.Query{Status: session.StatusExpired}, []string{"ends"}},
		"revoked":                {session.Query{Status: session.StatusRevoked, At: at(1001)}, []string{"revoked"}},
		"expires before its end": {session.Query{ExpiresBefore: at(1000)}, nil},
		"expires before":         {session.Query{ExpiresBefore: at(1000).Add(1)}, []string{"ends", "revoked"}},
		"expires after its end":  {session.Query{ExpiresAfter: at(1000)}, []string{"forever"}},
		"expires after":          {session.Query{ExpiresAfter: at(1000).Add(-1)}, []string{"ends", "forever", "revoked"}},
	} {
		t.Run(name, func(t *testing.T) {
			var page session.Page
			state := &session.State{Leaves: []session.Leaf{ends, forever, revoked}}
			require.False(t, storekit.CollectState(&test.query, &page, storekit.Place{}, ref, state))
			var have []string
			for _, item := range page.Items {
				have = append(have, item.Leaf.ID)
				require.Equal(t, ref, item.Ref)
				require.Equal(t, item.Leaf.ID, state.Leaves[item.Position].ID)
			}
			require.Equal(t, test.want, have)
		})
	}
}

func TestRefusedQueries(t *testing.T) {
	for want, query := range map[string]session.Query{
		"invalid input: page of -1 entries, want 1 to 1000":                   {Limit: -1},
		"invalid input: page of 1001 entries, want 1 to 1000":                 {Limit: 1001},
		"invalid input: cannot list sessions of status 9":                     {Status: 9},
		`invalid input: cursor "?" is not one that a listing returned`:        {Cursor: "?"},
		`invalid input: cursor "AAAAAAAA" is not one that a listing returned`: {Cursor: "AAAAAAAA"},
	} {
		_, err := memstore.New().List(t.Context(), query)
		require.EqualError(t, err, want)
	}
}

func FuzzCursor(f *testing.F) {
	var page session.Page
	query := session.Query{Limit: 1}
	state := &session.State{Leaves: make([]session.Leaf, 2)}
	require.True(f, storekit.CollectState(&query, &page, storekit.Place{}, session.Ref{ChainID: 80002, Account: common.HexToAddress("0xaa")}, state))
	f.Add(page.Next)
	f.Add("")
	f.Fuzz(func(t *testing.T, cursor string) {
		query := session.Query{Cursor: cursor, Limit: 1}
		place, err := storekit.Start(&query)
		if err != nil {
			require.ErrorIs(t, err, policy.ErrInvalid)
			return
		}
		require.GreaterOrEqual(t, place.Position, 0)
		var page session.Page
		full := session.Query{Limit: 1}
		storekit.Collect(&full, &page, storekit.Place{}, &session.Leaf{})
		require.True(t, storekit.Collect(&full, &page, place, &session.Leaf{}))
		again, err := storekit.Start(&session.Query{Cursor: page.Next})
		require.NoError(t, err)
		require.Equal(t, place, again)
	})
}
