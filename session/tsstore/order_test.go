package tsstore_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/session"
)

// The SDK builds its tree over leafNodes as they stand there, so they stand in the tree's order.
func TestLeafNodesAreInTheOrderOfTheTree(t *testing.T) {
	store, dir := openSDK(t)
	file := sdk{t, filepath.Join(dir, sessionsFile)}
	before := mustLoad(t, store)
	apart := before.Leaves[0].Clone()
	apart.ID, apart.InTree, apart.Status = "apart", false, session.StatusRevoked

	treeOrder := []session.Leaf{before.Leaves[2], before.Leaves[0], before.Leaves[1]}
	header := session.Header{Root: rootOf(treeOrder), Order: idsOf(treeOrder)}
	after := mustApply(t, store, session.Change{Header: header, Put: []session.Leaf{apart}})
	require.Equal(t, header, after.Header)
	require.Equal(t, append(before.Leaves, apart), after.Leaves, "positions stay")
	require.Equal(t, header.Order, file.ids())
	_, err := session.Open(t.Context(), store, ref)
	require.NoError(t, err, "the leaves hash to the root in the tree's order")

	t.Run("the SDK grants", func(t *testing.T) {
		fresh := before.Leaves[1].Clone()
		fresh.ID, fresh.ValidAfter = "fresh", 77
		file.change(func(file object) {
			node := file["leafNodes"].([]any)[2].(object)
			added := object{}
			for field, value := range node {
				added[field] = value
			}
			added["sessionID"], added["validAfter"] = "fresh", 77
			file["leafNodes"] = append(file["leafNodes"].([]any), added)
			file["merkleRoot"] = rootOf(append(treeOrder, fresh)).Hex()
		})
		state := mustLoad(t, store)
		require.Equal(t, append(header.Order, "fresh"), state.Order)
		require.Equal(t, append(idsOf(before.Leaves), "apart", "fresh"), idsOf(state.Leaves), "positions stay, and what the SDK added comes last")
		_, err := session.Open(t.Context(), store, ref)
		require.NoError(t, err)
	})
}

func (s sdk) ids() (ids []string) {
	for _, node := range s.read()["leafNodes"].([]any) {
		ids = append(ids, node.(object)["sessionID"].(string))
	}
	return ids
}

func idsOf(leaves []session.Leaf) (ids []string) {
	for i := range leaves {
		ids = append(ids, leaves[i].ID)
	}
	return ids
}
