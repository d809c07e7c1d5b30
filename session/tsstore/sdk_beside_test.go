package tsstore_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/merkle"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/session/tsstore"
)

// sdk does to the file what the SDK's storage does: parse the whole object, change it, write it over.
type sdk struct {
	t    *testing.T
	path string
}

type object = map[string]any

func (s sdk) read() object {
	content, err := os.ReadFile(s.path)
	require.NoError(s.t, err)
	var file object
	require.NoError(s.t, json.Unmarshal(content, &file))
	return file
}

func (s sdk) change(change func(file object)) {
	file := s.read()
	change(file)
	content, err := json.Marshal(file)
	require.NoError(s.t, err)
	require.NoError(s.t, os.WriteFile(s.path, content, 0o644))
}

// leaf returns a leaf node by ID, nil if the SDK would say "Session not found."
func (s sdk) leaf(id string) object {
	for _, node := range s.read()["leafNodes"].([]any) {
		if node := node.(object); node["sessionID"] == id {
			return node
		}
	}
	return nil
}

func mustApply(t *testing.T, store *tsstore.Store, change session.Change) *session.State {
	t.Helper()
	version, err := store.Version(t.Context(), ref)
	require.NoError(t, err)
	_, err = store.Apply(t.Context(), ref, version, &change)
	require.NoError(t, err)
	return mustLoad(t, store)
}

func mustLoad(t *testing.T, store *tsstore.Store) *session.State {
	t.Helper()
	state, err := store.Load(t.Context(), ref)
	require.NoError(t, err)
	return state
}

// rootOf returns the root of the leaves in the tree.
func rootOf(leaves []session.Leaf) common.Hash {
	var hashes []common.Hash
	for i := range leaves {
		if leaves[i].InTree {
			hashes = append(hashes, leaves[i].Hash())
		}
	}
	return merkle.New(hashes).Root()
}

func TestTombstonesAreKeptFromTheSDK(t *testing.T) {
	store, dir := openSDK(t)
	file := sdk{t, filepath.Join(dir, sessionsFile)}
	state := mustLoad(t, store)

	revoked := state.Leaves[0]
	revoked.Status, revoked.InTree = session.StatusRevoked, false
	waiting := state.Leaves[1].Clone()
	waiting.ID, waiting.Status, waiting.InTree, waiting.ValidUntil = "waiting", session.StatusPending, false, 1900000009
	header := session.Header{Root: rootOf(state.Leaves[1:]), Pending: &session.PendingRoot{Root: common.HexToHash("0x77"), Add: []string{"waiting"}}}
	after := mustApply(t, store, session.Change{Header: header, Put: []session.Leaf{revoked, waiting}})

	require.Nil(t, file.leaf(revoked.ID), "a root that the SDK builds over its nodes must not bring the leaf back")
	require.Nil(t, file.leaf("waiting"))
	require.Len(t, file.read()["leafNodes"], 2)
	require.Equal(t, header.Root.Hex(), file.read()["merkleRoot"])
	require.Equal(t, []session.Leaf{revoked, state.Leaves[1], state.Leaves[2], waiting}, after.Leaves, "positions stay")

	waiting.Status, waiting.InTree = session.StatusActive, true
	inTree := []session.Leaf{state.Leaves[1], state.Leaves[2], waiting}
	mustApply(t, store, session.Change{Header: session.Header{Root: rootOf(inTree)}, Put: []session.Leaf{waiting}})
	require.Equal(t, "ACTIVE", file.leaf("waiting")["status"])
}

func TestSDKChangesAreSeen(t *testing.T) {
	fresh := session.Leaf{
		ID: "new", Status: session.StatusPending, InTree: true, Key: common.HexToAddress("0x52"),
		Compiled: policy.Compiled{
			ValidAfter: 5, Module: common.HexToAddress("0x51"), Data: []byte{0x12, 0x34},
		},
	}
	addNode := func(file object) {
		file["leafNodes"] = append(file["leafNodes"].([]any), object{"sessionID": fresh.ID, "status": "PENDING",
			"validUntil": 0, "validAfter": 5, "sessionKeyData": "0x1234",
			"sessionPublicKey": fresh.Key.Hex(), "sessionValidationModule": fresh.Module.Hex()})
	}
	tests := map[string]struct {
		change func(file object, state *session.State)
		want   func(state *session.State)
	}{
		"revoked by the SDK": {
			func(file object, _ *session.State) { file["leafNodes"].([]any)[1].(object)["status"] = "REVOKED" },
			func(state *session.State) { state.Leaves[1].Status = session.StatusRevoked },
		},
		"granted by the SDK": {
			func(file object, state *session.State) {
				addNode(file)
				file["merkleRoot"] = rootOf(append(state.Leaves, fresh)).Hex()
			},
			func(state *session.State) {
				state.Leaves = append(state.Leaves, fresh)
				state.Root = rootOf(state.Leaves)
			},
		},
		"granted by the SDK, root not yet written": {
			func(file object, _ *session.State) { addNode(file) },
			func(state *session.State) {
				state.Leaves = append(state.Leaves, fresh)
				state.Leaves[3].InTree = false
			},
		},
		"removed by the SDK": {
			func(file object, state *session.State) {
				file["leafNodes"] = file["leafNodes"].([]any)[:1]
				file["merkleRoot"] = rootOf(state.Leaves[:1]).Hex()
			},
			func(state *session.State) {
				state.Leaves = state.Leaves[:1]
				state.Root = rootOf(state.Leaves)
			},
		},
		"written anew": {
			func(object, *session.State) {},
			func(*session.State) {},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			store, dir := openSDK(t)
			header := mustLoad(t, store).Header
			header.Pending = &session.PendingRoot{Root: common.HexToHash("0x77"), Remove: []string{"mine"}}
			want := mustApply(t, store, session.Change{Header: header})

			sdk{t, filepath.Join(dir, sessionsFile)}.change(func(file object) { test.change(file, want.Clone()) })
			after := mustLoad(t, store)
			test.want(want)
			require.Equal(t, want.Header, after.Header)
			require.Equal(t, want.Leaves, after.Leaves)
		})
	}
}

func TestPositionsSurviveRemovalByTheSDK(t *testing.T) {
	store, dir := openSDK(t)
	leaves := mustLoad(t, store).Leaves
	tombstone := leaves[2]
	tombstone.Status, tombstone.InTree = session.StatusRevoked, false
	mustApply(t, store, session.Change{Header: session.Header{Root: rootOf(leaves[:2])}, Put: []session.Leaf{tombstone}})

	sdk{t, filepath.Join(dir, sessionsFile)}.change(func(file object) {
		file["leafNodes"], file["merkleRoot"] = []any{}, ""
	})
	require.Equal(t, []session.Leaf{tombstone}, mustLoad(t, store).Leaves)
}

// The SDK's fields, its spelling of values and its words for a status stay where nothing changed.
func TestKeepsWhatItDoesNotKnow(t *testing.T) {
	store, dir := openSDK(t)
	file := sdk{t, filepath.Join(dir, sessionsFile)}
	file.change(func(file object) {
		file["other"] = object{"deep": []any{1.5, "x"}}
		node := file["leafNodes"].([]any)[1].(object)
		node["danModuleInfo"] = object{"jwt": "a<b>&"}
		node["status"] = "INACTIVE"
		node["validUntil"] = "0x713fb300"
		delete(file, "merkleRoot")
	})
	before := file.leaf("46921cb70b")

	state := mustLoad(t, store)
	require.Equal(t, session.StatusRevoked, state.Leaves[1].Status, "what is inactive does not sign")
	changed := state.Leaves[0]
	changed.Status = session.StatusRevoked
	mustApply(t, store, session.Change{Header: state.Header, Put: []session.Leaf{changed, state.Leaves[1]}})

	require.Equal(t, object{"deep": []any{1.5, "x"}}, file.read()["other"])
	require.Equal(t, before, file.leaf("46921cb70b"))
	require.Equal(t, "REVOKED", file.leaf(changed.ID)["status"])
	require.Contains(t, file.leaf("mine"), "preferredSessionId")
	require.Contains(t, file.leaf(changed.ID)["sessionKeyData"], "0x2c0aBA5df884CCE250DE", "hex stays in its case")
}
