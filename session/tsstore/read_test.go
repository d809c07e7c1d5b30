package tsstore

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/merkle"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
)

var (
	testRef  = session.Ref{ChainID: 80002, Account: common.HexToAddress("0x9F0685Bd516F66Fd00dC05a7aC9D5B89c2CC31f9")}
	testTime = time.Unix(1_800_000_000, 0)
)

// writeSessions opens a store with that file of sessions.
func writeSessions(t *testing.T, content string) *Store {
	t.Helper()
	return writeFile(t, fileName(testRef.Account, sessionsKind), content)
}

func writeFile(t *testing.T, name, content string) *Store {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644))
	store, err := OpenPlaintext(dir, testRef.ChainID)
	require.NoError(t, err)
	store.now = func() time.Time { return testTime }
	return store
}

// testNode returns the n-th leaf node with that status; fields are replaced by with.
func testNode(n int, status string, with object) object {
	node := object{"sessionID": fmt.Appendf(nil, `"s%d"`, n), "status": fmt.Appendf(nil, "%q", status)}
	node.setNumber("validUntil", 0)
	node.setNumber("validAfter", uint64(n))
	node.setText("sessionValidationModule", "0x000006bc2ecdae38113929293d241cf252d91861")
	node.setText("sessionPublicKey", "0x2c0aba5df884cce250de15e643813e04219ea2ba")
	node.setText("sessionKeyData", "0x1234")
	for field, value := range with {
		if node[field] = value; value == nil {
			delete(node, field)
		}
	}
	return node
}

func testFile(t *testing.T, root string, nodes ...object) string {
	t.Helper()
	content, err := encode(map[string]any{"merkleRoot": root, "leafNodes": append([]object{}, nodes...)})
	require.NoError(t, err)
	return string(content)
}

func TestReadsEveryFormOfValue(t *testing.T) {
	for name, test := range map[string]struct {
		with object
		want func(*session.Leaf)
	}{
		"number":         {object{"validUntil": []byte("1900000000")}, func(l *session.Leaf) { l.ValidUntil = 1900000000 }},
		"decimal string": {object{"validUntil": []byte(`"1900000000"`)}, func(l *session.Leaf) { l.ValidUntil = 1900000000 }},
		"hex string":     {object{"validUntil": []byte(`"0x713fb300"`)}, func(l *session.Leaf) { l.ValidUntil = 1900000000 }},
		"upper case hex": {object{"sessionKeyData": []byte(`"0XABCDEF"`)}, func(l *session.Leaf) { l.Data = []byte{0xab, 0xcd, 0xef} }},
		"no data":        {object{"sessionKeyData": []byte(`"0x"`)}, func(l *session.Leaf) { l.Data = []byte{} }},
		"checksummed":    {object{"sessionPublicKey": []byte(`"0x2c0aBA5df884CCE250DE15e643813e04219EA2Ba"`)}, func(*session.Leaf) {}},
		"largest time":   {object{"validUntil": []byte("281474976710655")}, func(l *session.Leaf) { l.ValidUntil = policy.MaxTime }},
	} {
		t.Run(name, func(t *testing.T) {
			store := writeSessions(t, testFile(t, "", testNode(1, active, test.with)))
			state, err := store.Load(t.Context(), testRef)
			require.NoError(t, err)
			want := session.Leaf{
				ID: "s1", Status: session.StatusActive, InTree: true, Key: common.HexToAddress("0x2c0aba5df884cce250de15e643813e04219ea2ba"),
				Compiled: policy.Compiled{
					ValidAfter: 1, Module: common.HexToAddress("0x000006bc2ecdae38113929293d241cf252d91861"), Data: []byte{0x12, 0x34},
				},
			}
			test.want(&want)
			require.Equal(t, []session.Leaf{want}, state.Leaves)
		})
	}
}

func TestRefusesMalformedFiles(t *testing.T) {
	file := func(with object) string {
		return testFile(t, "", testNode(0, active, nil), testNode(1, active, nil), testNode(2, active, with))
	}
	for name, test := range map[string]struct{ content, want string }{
		"broken":           {`{"merkleRoot": "", "leafNodes": [`, `broken JSON at byte 33; if the TypeScript SDK was just writing it, try again`},
		"not an object":    {`[]`, `want a JSON object`},
		"null":             {`null`, `want a JSON object`},
		"no nodes":         {`{"merkleRoot": ""}`, `leafNodes: want a list of leaves`},
		"null nodes":       {`{"leafNodes": null}`, `leafNodes: want a list of leaves`},
		"null node":        {`{"leafNodes": [null]}`, `leafNodes[0].status: missing`},
		"nodes of numbers": {`{"leafNodes": [7]}`, `leafNodes: want a list of leaves`},
		"root":             {`{"merkleRoot": "0x12", "leafNodes": []}`, `merkleRoot: root has 1 bytes, want 32`},
		"root not text":    {`{"merkleRoot": 12, "leafNodes": []}`, `merkleRoot: want a string`},
		"odd hex":          {file(object{"sessionKeyData": []byte(`"0x123"`)}), `leafNodes[2].sessionKeyData: odd-length hex`},
		"not hex":          {file(object{"sessionKeyData": []byte(`"0x12zz"`)}), `leafNodes[2].sessionKeyData: not hex`},
		"no prefix":        {file(object{"sessionKeyData": []byte(`"1234"`)}), `leafNodes[2].sessionKeyData: hex without 0x`},
		"short address":    {file(object{"sessionPublicKey": []byte(`"0x1234"`)}), `leafNodes[2].sessionPublicKey: address has 2 bytes, want 20`},
		"zero address":     {file(object{"sessionValidationModule": []byte(`"0x0000000000000000000000000000000000000000"`)}), `leafNodes[2]: invalid input: session s2 has no session validation module`},
		"no time":          {file(object{"validUntil": nil}), `leafNodes[2].validUntil: missing`},
		"null time":        {file(object{"validUntil": []byte(`null`)}), `leafNodes[2].validUntil: null is not a number of seconds`},
		"fraction":         {file(object{"validAfter": []byte(`1.5`)}), `leafNodes[2].validAfter: 1.5 is not a number of seconds`},
		"negative":         {file(object{"validAfter": []byte(`-1`)}), `leafNodes[2].validAfter: -1 is not a number of seconds`},
		"too late":         {file(object{"validUntil": []byte(`281474976710656`)}), `leafNodes[2].validUntil: 281474976710656 is beyond uint48 seconds`},
		"far too late":     {file(object{"validUntil": []byte(`"0x10000000000000000"`)}), `leafNodes[2].validUntil: "0x10000000000000000" is beyond uint48 seconds`},
		"no ID":            {file(object{"sessionID": nil}), `leafNodes[2].sessionID: missing`},
		"empty ID":         {file(object{"sessionID": []byte(`""`)}), `leafNodes[2]: invalid input: leaf without an ID`},
		"same ID":          {file(object{"sessionID": []byte(`"s1"`)}), `leafNodes: two leaves with sessionID "s1"; rename one`},
		"unknown status":   {file(object{"status": []byte(`"DONE"`)}), `leafNodes[2].status: unknown status "DONE"`},
		"extension":        {`{"leafNodes": [], "sesame": 7}`, `sesame: json: cannot unmarshal number into Go value of type tsstore.extension`},
		"apart":            {`{"leafNodes": [], "sesame": {"chainID": "0x13882", "apart": [{"position": 0, "leaf": {}}]}}`, `sesame.apart[0].leaf.status: missing`},
		"other chain":      {`{"leafNodes": [], "sesame": {"chainID": "0x1"}}`, `holds sessions on chain 1, the store was opened for chain 80002; keep a directory for each chain`},
	} {
		t.Run(name, func(t *testing.T) {
			store := writeSessions(t, test.content)
			path := filepath.Join(store.dir, fileName(testRef.Account, sessionsKind))
			_, err := store.Load(t.Context(), testRef)
			require.EqualError(t, err, path+": "+test.want)
			require.ErrorIs(t, err, policy.ErrInvalid)

			version, err := store.Version(t.Context(), testRef)
			require.NoError(t, err)
			_, err = store.Apply(t.Context(), testRef, version, &session.Change{})
			require.EqualError(t, err, path+": "+test.want)
			content, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, test.content, string(content), "what cannot be read is not overwritten")
		})
	}
}

// The statuses decide which leaves are in the tree of the root, and which may sign.
func TestFindsTheLeavesInTheTree(t *testing.T) {
	over := object{"validUntil": []byte("1700000000")}
	nodes := []object{
		testNode(0, active, nil), testNode(1, revoked, nil), testNode(2, expired, over), testNode(3, pending, nil),
		testNode(4, inactive, nil), testNode(5, expired, nil), testNode(6, active, over), testNode(7, pending, nil), testNode(8, pending, nil),
	}
	statuses := []session.Status{
		session.StatusActive, session.StatusRevoked, session.StatusActive, session.StatusPending,
		session.StatusRevoked, session.StatusRevoked, session.StatusActive, session.StatusPending, session.StatusPending,
	}
	hashes := make([]common.Hash, len(nodes))
	for i, raw := range nodes {
		node, bad := parseNode("", raw, testTime)
		require.Nil(t, bad)
		hashes[i] = node.leaf.Hash()
	}
	for name, in := range map[string][]int{
		"all":                            {0, 1, 2, 3, 4, 5, 6, 7, 8},
		"not revoked":                    {0, 2, 3, 5, 6, 7, 8},
		"active and pending":             {0, 3, 6, 7, 8},
		"active and expired":             {0, 2, 5, 6},
		"active":                         {0, 6},
		"not pending":                    {0, 1, 2, 4, 5, 6},
		"none":                           {},
		"all but the last":               {0, 1, 2, 3, 4, 5, 6, 7},
		"all but the pending at the end": {0, 1, 2, 3, 4, 5, 6},
	} {
		t.Run(name, func(t *testing.T) {
			var covered []common.Hash
			for _, i := range in {
				covered = append(covered, hashes[i])
			}
			root := merkle.New(covered).Root()
			state, err := writeSessions(t, testFile(t, root.Hex(), nodes...)).Load(t.Context(), testRef)
			require.NoError(t, err)
			require.Equal(t, root, state.Root)
			var inTree []int
			for i, leaf := range state.Leaves {
				require.Equal(t, statuses[i], leaf.Status, "leaf %d", i)
				if leaf.InTree {
					inTree = append(inTree, i)
				}
			}
			require.ElementsMatch(t, in, inTree)
		})
	}
	for _, unset := range []string{"", "0x"} {
		state, err := writeSessions(t, testFile(t, unset, nodes...)).Load(t.Context(), testRef)
		require.NoError(t, err)
		require.Equal(t, merkle.New(hashes).Root(), state.Root, "without a root, all leaves")
	}
}

func TestRootThatFitsNothing(t *testing.T) {
	stale := common.HexToHash("0x0123")
	store := writeSessions(t, testFile(t, stale.Hex(), testNode(0, active, nil), testNode(1, pending, nil)))
	_, err := store.Load(t.Context(), testRef)
	require.ErrorIs(t, err, session.ErrRootMismatch)
	require.ErrorContains(t, err, fileName(testRef.Account, sessionsKind)+": session root mismatch: merkleRoot is "+stale.Hex()+", but the 2 leaf nodes hash to 0x")
	require.ErrorContains(t, err, `or set merkleRoot to "" to take all nodes, and have the owner grant or revoke with account.ReplaceRoot`)
}

// EXPIRED means one thing before a leaf's end and another after it: a leaf that gets another end must not
// keep the word.
func TestExpiredLeavesGetAnotherEnd(t *testing.T) {
	for name, test := range map[string]struct{ was, is uint64 }{
		"over, then endless": {1700000000, 0},
		"endless, then over": {0, 1700000000},
	} {
		t.Run(name, func(t *testing.T) {
			store := writeSessions(t, testFile(t, "", testNode(0, expired, object{"validUntil": fmt.Append(nil, test.was)})))
			state, err := store.Load(t.Context(), testRef)
			require.NoError(t, err)
			leaf := state.Leaves[0]
			leaf.ValidUntil = test.is
			_, err = store.Apply(t.Context(), testRef, state.Version, &session.Change{Put: []session.Leaf{leaf}})
			require.NoError(t, err)
			state, err = store.Load(t.Context(), testRef)
			require.NoError(t, err)
			require.Equal(t, leaf, state.Leaves[0])
		})
	}
}

func TestFileNames(t *testing.T) {
	content := testFile(t, "", testNode(0, active, nil))
	for _, name := range []string{testRef.Account.Hex() + sessionsKind, strings.ToUpper(testRef.Account.Hex()) + sessionsKind} {
		store := writeFile(t, name, content)
		state, err := store.Load(t.Context(), testRef)
		require.NoError(t, err)
		_, err = store.Apply(t.Context(), testRef, state.Version, &session.Change{Header: state.Header})
		require.NoError(t, err)
		require.FileExists(t, filepath.Join(store.dir, name), "the file keeps its name")

		page, err := store.List(t.Context(), session.Query{})
		require.NoError(t, err)
		require.Len(t, page.Items, 1)
	}

	store := writeSessions(t, content)
	require.NoError(t, os.WriteFile(filepath.Join(store.dir, testRef.Account.Hex()+sessionsKind), []byte(content), 0o600))
	_, err := store.Load(t.Context(), testRef)
	require.ErrorIs(t, err, policy.ErrInvalid)
	require.ErrorContains(t, err, "which are the same account; keep one")
}

func TestNothingThere(t *testing.T) {
	store, err := OpenPlaintext(filepath.Join(t.TempDir(), "made"), testRef.ChainID)
	require.NoError(t, err)
	path := filepath.Join(store.dir, fileName(testRef.Account, sessionsKind))
	_, err = store.Load(t.Context(), testRef)
	require.EqualError(t, err, "no file "+path+": no session stored for "+testRef.String()+"; grant or import one first")
	require.ErrorIs(t, err, session.ErrNotFound)

	// The SDK's users begin with empty files.
	require.NoError(t, os.WriteFile(path, nil, 0o644))
	_, err = store.Load(t.Context(), testRef)
	require.ErrorIs(t, err, session.ErrNotFound)

	_, err = store.SignDigest(t.Context(), session.SignRequest{Ref: testRef, Key: testRef.Account})
	require.ErrorIs(t, err, session.ErrNoKey)
	_, err = OpenPlaintext(store.dir, 0)
	require.ErrorIs(t, err, policy.ErrInvalid)
}

func TestRefusesWhatJSONCannotKeep(t *testing.T) {
	store := writeSessions(t, testFile(t, ""))
	version, err := store.Version(t.Context(), testRef)
	require.NoError(t, err)
	for want, leaf := range map[string]session.Leaf{
		`invalid input: the function of session "a" is not text, and JSON could not keep it`: {ID: "a", Compiled: policy.Compiled{Function: "\xff"}},
		`invalid input: the ID of session "\xff" is not text, and JSON could not keep it`:    {ID: "\xff"},
	} {
		leaf.Status, leaf.Key, leaf.Module = session.StatusActive, testRef.Account, testRef.Account
		_, err = store.Apply(t.Context(), testRef, version, &session.Change{Put: []session.Leaf{leaf}})
		require.EqualError(t, err, want)
	}
}

func TestFileTooLarge(t *testing.T) {
	store := writeSessions(t, "")
	path := filepath.Join(store.dir, fileName(testRef.Account, sessionsKind))
	require.NoError(t, os.Truncate(path, maxFileSize+1)) // takes no space
	_, err := store.Load(t.Context(), testRef)
	require.EqualError(t, err, path+": larger than 128 MiB")
}

// FuzzSessions looks for a file that cannot be read again once it was written here.
func FuzzSessions(f *testing.F) {
	seed, err := os.ReadFile(filepath.Join("testdata", "sdk", fileName(testRef.Account, sessionsKind)))
	require.NoError(f, err)
	f.Add(seed)
	f.Add([]byte(`{"merkleRoot":"0x","leafNodes":[{"sessionID":"a","status":"EXPIRED","validUntil":"0x1","validAfter":"7","sessionValidationModule":"0x000006bC2eCdAe38113929293d241Cf252D91861","sessionPublicKey":"0x000006bC2eCdAe38113929293d241Cf252D91861","sessionKeyData":"0x","sesame":{"function":"f()"}}],"sesame":{"chainID":"0x13882","pending":{},"apart":[]}}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		file, err := parseSessions(testRef, "file", content, testTime)
		if err != nil {
			require.ErrorContains(t, err, "file: ")
			return
		}
		first := file.state(0)
		written, err := file.marshal(testRef)
		require.NoError(t, err)
		require.True(t, json.Valid(written))
		again, err := parseSessions(testRef, "file", written, testTime)
		require.NoError(t, err)
		require.Equal(t, first, again.state(0))
	})
}
