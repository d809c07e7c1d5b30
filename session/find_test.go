package session_test

import (
	"testing"

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
	_, err = find(common.Hash{}, session.PendingRoot{Root: root(renewed, another), Add: []string{"renewed", "another"}}, renewed, another)
	require.ErrorIs(t, err, session.ErrNoLeaf)
	require.ErrorContains(t, err, "no session in force of "+testRef.String()+" allows call 0")

	another.InTree, another.Status = true, session.StatusActive
	_, err = find(root(old, another), session.PendingRoot{Root: root(old, another, renewed), Add: []string{"renewed"}}, old, another, renewed)
	require.ErrorIs(t, err, session.ErrAmbiguous)
	require.ErrorContains(t, err, "[old another] of")
}
