package session_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/merkle"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/policy"
)

// A grant on its way does not come between callers and the session that they have.
func TestFindPassesOverLeavesThatWait(t *testing.T) {
	old := leafOf(t, "old", mintPolicy())
	old.ValidUntil = 0
	renewed := old.Clone()
	renewed.ID, renewed.Status, renewed.InTree, renewed.ValidUntil = "renewed", session.StatusPending, false, policy.MaxTime
	root := func(leaves ...session.Leaf) common.Hash {
		var hashes []common.Hash
		for i := range leaves {
			hashes = append(hashes, leaves[i].Hash())
		}
		return merkle.New(hashes).Root()
	}
	mint := abi.Call{To: policyNFT, Data: append([]byte{0x40, 0xd0, 0x97, 0xc3}, common.BytesToHash(policyTo[:]).Bytes()...)}
	find := func(root common.Hash, pending session.PendingRoot, leaves ...session.Leaf) (ids []string, err error) {
		store := memstore.New()
		_, err = store.Apply(t.Context(), testRef, 0, &session.Change{Header: session.Header{Root: root, Pending: &pending}, Put: leaves})
		require.NoError(t, err)
		sess, err := session.Open(t.Context(), store, testRef)
		require.NoError(t, err)
		refs, err := sess.Find(policy.Modules{}, mint, mint)
		for _, ref := range refs {
			leaf, err := ref.Leaf()
			require.NoError(t, err)
			ids = append(ids, leaf.ID)
		}
		return ids, err
	}

	ids, err := find(root(old), session.PendingRoot{Root: root(old, renewed), Add: []string{"renewed"}}, old, renewed)
	require.NoError(t, err)
	require.Equal(t, []string{"old", "old"}, ids)

	ids, err = find(common.Hash{}, session.PendingRoot{Root: root(renewed), Add: []string{"renewed"}}, renewed)
	require.NoError(t, err, "that it waits is told when it is used")
	require.Equal(t, []string{"renewed", "renewed"}, ids)

	another := renewed.Clone()
	another.ID = "another"
	ids, err = find(common.Hash{}, session.PendingRoot{Root: root(renewed, another), Add: []string{"renewed", "another"}}, renewed, another)
	require.NoError(t, err)
	require.Equal(t, []string{"another", "another"}, ids, "granted later, with the same end")
}

// sessionsOf are sessions of a store with those leaves, at the moment 1000.
func sessionsOf(t *testing.T, leaves ...session.Leaf) *session.Sessions {
	t.Helper()
	store, state := memstore.New(), session.Change{Put: leaves}
	var hashes []common.Hash
	for i := range leaves {
		if leaves[i].InTree {
			hashes = append(hashes, leaves[i].Hash())
		}
	}
	state.Header.Root = merkle.New(hashes).Root()
	_, err := store.Apply(t.Context(), testRef, 0, &state)
	require.NoError(t, err)
	sess, err := session.Open(t.Context(), store, testRef, session.WithClock(func() time.Time { return time.Unix(1000, 0) }))
	require.NoError(t, err)
	return sess
}

// TestFindTakesWhatLastsLongest has a session renewed in every way: the calls of a batch stay with one key,
// and nothing is chosen that cannot sign now.
func TestFindTakesWhatLastsLongest(t *testing.T) {
	mint := func(id string, key common.Address, until uint64) session.Leaf {
		p := mintPolicy()
		p.Key = key
		leaf := leafOf(t, id, p)
		leaf.ValidUntil = until
		return leaf
	}
	token := func(id string, key common.Address, until uint64) session.Leaf {
		leaf := leafOf(t, id, policy.ABI{Key: key, Contract: policyTo, Function: "mint(address to)", Window: policy.Forever()})
		leaf.ValidUntil = until
		return leaf
	}
	with := func(leaf session.Leaf, change func(*session.Leaf)) session.Leaf { change(&leaf); return leaf }
	revoked := func(l *session.Leaf) { l.Status = session.StatusRevoked }
	early := func(l *session.Leaf) { l.ValidAfter = 2000 }
	waiting := func(l *session.Leaf) { l.Status, l.InTree = session.StatusPending, false }
	k, other := common.HexToAddress("0x01"), common.HexToAddress("0x02")
	word := common.BytesToHash(policyTo[:]).Bytes()
	one := []abi.Call{{To: policyNFT, Data: append([]byte{0x40, 0xd0, 0x97, 0xc3}, word...)}}
	data, err := abi.Pack("mint(address)", policyTo)
	require.NoError(t, err)
	two := append(one, abi.Call{To: policyTo, Data: data})
	for name, test := range map[string]struct {
		leaves []session.Leaf
		calls  []abi.Call
		want   []string
		only   string // what FindOnly says, empty where there is nothing to choose
	}{
		"alone":                 {[]session.Leaf{mint("a", k, 3000)}, one, []string{"a"}, ""},
		"renewed":               {[]session.Leaf{mint("a", k, 3000), mint("b", k, 4000)}, one, []string{"b"}, "[a b]"},
		"renewed for less":      {[]session.Leaf{mint("a", k, 4000), mint("b", k, 3000)}, one, []string{"a"}, "[a b]"},
		"never ends":            {[]session.Leaf{mint("a", k, 0), mint("b", k, policy.MaxTime)}, one, []string{"a"}, "[a b]"},
		"a tie, the later":      {[]session.Leaf{mint("b", k, 3000), with(mint("a", k, 3000), func(l *session.Leaf) { l.ValidAfter = 1 })}, one, []string{"a"}, "[b a]"},
		"renewed as other key":  {[]session.Leaf{mint("a", k, 3000), mint("b", other, 4000)}, one, []string{"b"}, "[a b]"},
		"the longer is revoked": {[]session.Leaf{mint("a", k, 3000), with(mint("b", k, 0), revoked)}, one, []string{"a"}, ""},
		"the longer is to come": {[]session.Leaf{mint("a", k, 3000), with(mint("b", k, 0), early)}, one, []string{"a"}, ""},
		"the longer waits":      {[]session.Leaf{mint("a", k, 3000), with(mint("b", k, 0), waiting)}, one, []string{"a"}, ""},
		"the other is over":     {[]session.Leaf{mint("a", k, 999), mint("b", k, 1001)}, one, []string{"b"}, ""},
		"a batch of one key":    {[]session.Leaf{mint("a", k, 3000), mint("b", other, 0), token("c", k, 3000)}, two, []string{"a", "c"}, ""},
		"a batch, by its first end": {
			[]session.Leaf{mint("a", k, 0), token("b", k, 3000), mint("c", other, 4000), token("d", other, 5000), token("e", other, 4500)},
			two, []string{"c", "d"}, "[a c]",
		},
	} {
		t.Run(name, func(t *testing.T) {
			sess := sessionsOf(t, test.leaves...)
			refs, err := sess.Find(policy.Modules{}, test.calls...)
			require.NoError(t, err)
			var ids []string
			for _, ref := range refs {
				leaf, err := ref.Leaf()
				require.NoError(t, err)
				ids = append(ids, leaf.ID)
			}
			require.Equal(t, test.want, ids)
			only, err := sess.FindOnly(policy.Modules{}, test.calls...)
			if test.only == "" {
				require.NoError(t, err)
				require.Equal(t, refs, only)
				return
			}
			require.ErrorIs(t, err, session.ErrAmbiguous)
			require.ErrorContains(t, err, test.only+" of "+testRef.String()+" allow call 0; choose by ID")
		})
	}
	_, err = sessionsOf(t, mint("a", k, 3000), token("b", other, 0)).Find(policy.Modules{}, two...)
	require.ErrorIs(t, err, session.ErrNoLeaf)
	require.ErrorContains(t, err, "no one key")
}

// BenchmarkFind looks for the leaf of a call among others: those of other contracts, or of other recipients.
func BenchmarkFind(b *testing.B) {
	m := policy.Modules{}.WithDefaults()
	to := func(n int) common.Address {
		return common.BytesToAddress([]byte{1, byte(n >> 16), byte(n >> 8), byte(n)})
	}
	for name, leafOf := range map[string]func(n int) policy.ABI{
		"contracts": func(n int) policy.ABI {
			return policy.ABI{Contract: to(n), Rules: []policy.Rule{policy.Arg("to", policy.Equal, to(1))}, Window: policy.Forever()}
		},
		"recipients": func(n int) policy.ABI {
			return policy.ABI{Contract: to(1), Rules: []policy.Rule{policy.Arg("to", policy.Equal, to(n))}, Window: policy.Forever()}
		},
	} {
		for _, n := range []int{1, 100, 10_000} {
			leaves, hashes := make([]session.Leaf, n), make([]common.Hash, n)
			for i := range leaves {
				p := leafOf(1 + i)
				p.Key, p.Function = keyAddress(testKey), "safeMint(address to)"
				compiled, err := p.Compile(m)
				require.NoError(b, err)
				leaves[i] = session.Leaf{ID: fmt.Sprint(i), Status: session.StatusActive, InTree: true, Key: p.Key, Compiled: compiled}
				hashes[i] = leaves[i].Hash()
			}
			store := memstore.New()
			_, err := store.Apply(b.Context(), testRef, 0, &session.Change{Header: session.Header{Root: merkle.New(hashes).Root()}, Put: leaves})
			require.NoError(b, err)
			sess, err := session.Open(b.Context(), store, testRef)
			require.NoError(b, err)
			data, err := abi.Pack("function safeMint(address to)", to(1))
			require.NoError(b, err)
			b.Run(fmt.Sprintf("of %d %s", n, name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if found, err := sess.Find(m, abi.Call{To: to(1), Data: data}); err != nil || len(found) != 1 {
						b.Fatal(found, err)
					}
				}
			})
		}
	}
}
