package tsstore

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/merkle"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/policy"
)

// files are an account's two files.
type files struct {
	nodes    []object
	root     string // of all nodes, if it is empty
	sessions string // instead of root and nodes, if it is not empty
	signers  string
}

// soundFiles returns files of two leaves in which nothing is found but keys in clear.
func soundFiles(t *testing.T) *files {
	t.Helper()
	a := newSigner(t, "a")
	f := &files{signers: `{"` + a.name + `":{"pvKey":"0x` + a.secret + `","pbKey":"` + a.address.Hex() + `"}}`}
	for n := range 2 {
		f.nodes = append(f.nodes, abiNode(t, a.address, n, nil))
	}
	return f
}

// abiNode returns the n-th leaf node of the ABI module, without rules unless there is data.
func abiNode(t *testing.T, key common.Address, n int, data []byte) object {
	t.Helper()
	if data == nil {
		data = abiData(key, uint256.NewInt(0))
	}
	node := testNode(n, active, nil)
	node.setText("sessionPublicKey", strings.ToLower(key.Hex()))
	node.setText("sessionKeyData", lowerHex(data))
	return node
}

var testContract = common.HexToAddress("0x1758f42Af7026fBbB559Dc60EcE0De3ef81f665e")

// abiData returns data of the ABI module for transfer(address,uint256).
func abiData(key common.Address, limit *uint256.Int, rules ...[]byte) []byte {
	data := slices.Concat(key[:], testContract[:], common.FromHex("0xa9059cbb"))
	word := limit.Bytes32()
	data = append(data, word[16:]...)
	data = binary.BigEndian.AppendUint16(data, uint16(len(rules)))
	return append(data, slices.Concat(rules...)...)
}

// ruleData returns a rule on the word at an offset; reference may have another size than 32.
func ruleData(offset uint16, condition byte, reference string) []byte {
	return append(binary.BigEndian.AppendUint16(nil, offset), append([]byte{condition}, common.FromHex(reference)...)...)
}

func (f *files) write(t *testing.T) *Store {
	t.Helper()
	if f.sessions == "" {
		if f.root == "" {
			f.root = rootOfNodes(t, f.nodes).Hex()
		}
		f.sessions = testFile(t, f.root, f.nodes...)
	}
	store := writeFile(t, fileName(testRef.Account, sessionsKind), f.sessions)
	require.NoError(t, os.WriteFile(filepath.Join(store.dir, fileName(testRef.Account, signersKind)), []byte(f.signers), 0o600))
	return store
}

// rootOfNodes returns the root of all nodes that can be read.
func rootOfNodes(t *testing.T, nodes []object) common.Hash {
	t.Helper()
	var hashes []common.Hash
	for _, raw := range nodes {
		if n, bad := parseNode("", raw, testTime); bad == nil {
			hashes = append(hashes, n.leaf.Hash())
		}
	}
	return merkle.New(hashes).Root()
}

// requireFindings compares findings with lines "entry: degree: message (code)", in which short names stand
// for files, keys and roots. What is found in sound files is left out.
func requireFindings(t *testing.T, store *Store, report *Report, want ...string) {
	t.Helper()
	a, b, sound := newSigner(t, "a"), newSigner(t, "b"), soundFiles(t).nodes
	path := filepath.Join(store.dir, strings.ToLower(testRef.Account.Hex())) + "_"
	short := strings.NewReplacer(path, "", a.name, "key-a", b.name, "key-b", a.address.Hex(), "Key-A", b.address.Hex(), "Key-B",
		rootOfNodes(t, sound).Hex(), "root-of-both", rootOfNodes(t, sound[:1]).Hex(), "root-of-first", otherRoot.Hex(), "other-root")
	var have []string
	for _, f := range report.Findings {
		require.True(t, f.Leaf == NoLeaf || report.Leaves[f.Leaf].ID == f.Session)
		for _, key := range []signer{a, b} {
			require.NotContains(t, strings.ToLower(f.String()), key.secret[:8])
		}
		if f.Code != FindingClearKeys {
			have = append(have, short.Replace(f.String()))
		}
	}
	require.Equal(t, want, have)
}

var otherRoot = common.HexToHash("0x77")

func TestSoundFiles(t *testing.T) {
	store := soundFiles(t).write(t)
	report, err := store.Inspect(t.Context(), testRef)
	require.NoError(t, err)
	require.NoError(t, report.Err())
	requireFindings(t, store, report)
	require.Equal(t, []int{0, 1}, report.Tree)
	require.Equal(t, report.Root, report.LeavesRoot)

	require.Len(t, report.Findings, 1)
	require.Equal(t, filepath.Join(store.dir, fileName(testRef.Account, signersKind))+
		": warning: session keys in clear: 1; move them with Transfer to a store that seals them, and delete the file (clear-keys)", report.Findings[0].String())

	state, err := store.Load(t.Context(), testRef)
	require.NoError(t, err)
	require.Equal(t, state.Leaves, report.Leaves)
}

// spoilt is what is done to sound files, and what is found then.
type spoilt struct {
	spoil func(f *files)
	opts  []InspectOption
	want  []string
}

// fixedChain shows one root.
type fixedChain struct {
	session.Chain
	root common.Hash
}

func (c fixedChain) SessionRoot(context.Context, common.Address) (common.Hash, error) {
	return c.root, nil
}

func onChain(root common.Hash) []InspectOption {
	return []InspectOption{WithChain(fixedChain{root: root})}
}

func testFindings(t *testing.T, tests map[string]spoilt) {
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := soundFiles(t)
			test.spoil(f)
			store := f.write(t)
			report, err := store.Inspect(t.Context(), testRef, test.opts...)
			require.NoError(t, err)
			requireFindings(t, store, report, test.want...)
		})
	}
}

func TestFileFindings(t *testing.T) {
	testFindings(t, map[string]spoilt{
		"cut off": {spoil: func(f *files) { f.sessions = cutOff(t, f.nodes) }, want: []string{
			`sessions.json: fatal: broken JSON at byte 692; if the TypeScript SDK was just writing it, try again; or restore the file from a backup; whole leaf nodes that can be read: 1 (broken-json)`,
			`merkleRoot: fatal: no known way leads from the leaf nodes, which hash to root-of-first, to root root-of-both, since not all of them can be read; export with RootOfLeaves, which takes the leaf nodes with a root that the chain does not show, then have the owner grant or revoke with account.ReplaceRoot (root-mismatch)`,
		}},
		"followed by what was there before": {spoil: func(f *files) { f.sessions = testFile(t, rootOfNodes(t, f.nodes).Hex(), f.nodes...) + `ING"}]}` }, want: []string{
			`sessions.json: fatal: broken JSON at byte 794; if the TypeScript SDK was just writing it, try again; or restore the file from a backup; whole leaf nodes that can be read: 2 (broken-json)`,
		}},
		"not an object": {spoil: func(f *files) { f.sessions = `[1]` }, want: []string{
			`sessions.json: fatal: want a JSON object; or restore the file from a backup; whole leaf nodes that can be read: 0 (broken-json)`,
			`key-a: note: the key belongs to no leaf, as one that the SDK's createSession makes and throws away, and is not taken over; remove the entry, or import it by hand if a grant is to come (unused-signer)`,
		}},
		"no list": {spoil: func(f *files) { f.sessions = `{"merkleRoot":"","leafNodes":{}}` }, want: []string{
			`leafNodes: fatal: want a list of leaves; restore the file from a backup (malformed)`,
			`key-a: note: the key belongs to no leaf, as one that the SDK's createSession makes and throws away, and is not taken over; remove the entry, or import it by hand if a grant is to come (unused-signer)`,
		}},
		"other chain": {spoil: func(f *files) { f.sessions = `{"merkleRoot":"","leafNodes":[],"sesame":{"chainID":"0x1"}}` }, want: []string{
			`sessions.json: fatal: holds sessions on chain 1, the store was opened for chain 80002; keep a directory for each chain; open this one for the chain that it is of (other-chain)`,
			`key-a: note: the key belongs to no leaf, as one that the SDK's createSession makes and throws away, and is not taken over; remove the entry, or import it by hand if a grant is to come (unused-signer)`,
		}},
		"broken extension": {spoil: func(f *files) { f.sessions = `{"merkleRoot":"","leafNodes":[],"sesame":[]}` }, want: []string{
			`sesame: fatal: json: cannot unmarshal array into Go value of type tsstore.extension; restore the file from a backup, or remove the field if no change waits for the chain (malformed)`,
			`key-a: note: the key belongs to no leaf, as one that the SDK's createSession makes and throws away, and is not taken over; remove the entry, or import it by hand if a grant is to come (unused-signer)`,
		}},
		"malformed leaves": {spoil: func(f *files) {
			f.nodes = append(f.nodes, testNode(2, "DONE", object{"sessionKeyData": []byte(`"0x123"`)}), testNode(3, "DONE", nil), testNode(4, active, object{"sessionID": []byte(`""`)}))
		}, want: []string{
			`leafNodes[2].sessionKeyData: fatal: odd-length hex; correct it, or remove the leaf node if its root was never set (malformed)`,
			`leafNodes[2].status: fatal: unknown status "DONE"; correct it, or remove the leaf node if its root was never set (malformed)`,
			`leafNodes[3].status (session s3): fatal: unknown status "DONE"; correct it, or remove the leaf node if its root was never set (malformed)`,
			`leafNodes[4]: fatal: invalid input: leaf without an ID; correct it, or remove the leaf node if its root was never set (malformed)`,
			`merkleRoot: fatal: no known way leads from the leaf nodes, which hash to 0xf85d545a26ff037e6f5e5a256a2340ae5b0c502e846c0aa3c18af4a986d873d4, to root root-of-both, since not all of them can be read; export with RootOfLeaves, which takes the leaf nodes with a root that the chain does not show, then have the owner grant or revoke with account.ReplaceRoot (root-mismatch)`,
			`leafNodes[3].sessionKeyData (session s3): warning: it has 2 bytes, fewer than the 62 before the rules, so that no call passes; revoke it and grant it anew (bad-data)`,
			`leafNodes[4].sessionKeyData: warning: it has 2 bytes, fewer than the 62 before the rules, so that no call passes; revoke it and grant it anew (bad-data)`,
			`0x2c0aba5df884cce250de15e643813e04219ea2ba: warning: there is no such entry, so that the leaf cannot sign from here; the SDK's createSession puts keys into another storage than its own: import the key from there, unless it is another service's (signer-missing)`,
		}},
		"leaf that is no object": {spoil: func(f *files) {
			f.sessions = strings.Replace(testFile(t, rootOfNodes(t, f.nodes).Hex(), f.nodes...), `{"sessionID"`, `7,{"sessionID"`, 1)
		}, want: []string{
			`leafNodes[0]: fatal: want a JSON object; correct it, or remove the leaf node if its root was never set (malformed)`,
		}},
		"malformed root": {spoil: func(f *files) { f.root = "0x12" }, want: []string{
			`merkleRoot: fatal: root has 1 bytes, want 32; set it to "" to take all leaf nodes (malformed)`,
		}},
	})
}

func TestRootFindings(t *testing.T) {
	sound := soundFiles(t).nodes
	testFindings(t, map[string]spoilt{
		"no root": {spoil: func(f *files) { f.root = "0x" }, want: []string{
			`merkleRoot: note: no root is written down, and all leaf nodes are taken to be in the tree; compare with the chain (no-root)`,
		}},
		"root of other leaves": {spoil: func(f *files) { f.root = otherRoot.Hex() }, want: []string{
			`merkleRoot: fatal: no known way leads from the leaf nodes, which hash to root-of-both, to root other-root, since some were removed, as by clearPendingSessions, or changed; export with RootOfLeaves, which takes the leaf nodes with a root that the chain does not show, then have the owner grant or revoke with account.ReplaceRoot (root-mismatch)`,
		}},
		"leaf outside the tree": {spoil: func(f *files) { f.nodes[1].setText("status", pending); f.root = rootOfNodes(t, f.nodes[:1]).Hex() }, want: []string{
			`leafNodes[1] (session s1): warning: the root does not cover it, so that no call with it can be proven, and it is not taken over; grant it anew (outside-tree)`,
		}},
		"chain shows the file's root": {spoil: func(f *files) { f.nodes[0].setText("status", pending) }, opts: onChain(rootOfNodes(t, sound))},
		"chain shows the root before": {spoil: func(f *files) { f.nodes[1].setText("status", pending) }, opts: onChain(rootOfNodes(t, sound[:1])), want: []string{
			`merkleRoot: warning: the chain shows root-of-first, and the file root-of-both: the operation that sets it never landed, or another backend changed the sessions; what is in the tree of the chain's root is taken over (chain-root)`,
			`leafNodes[1] (session s1): warning: the root does not cover it, so that no call with it can be proven, and it is not taken over; grant it anew (outside-tree)`,
		}},
		"chain shows an unknown root": {spoil: func(f *files) {}, opts: onChain(otherRoot), want: []string{
			`merkleRoot: warning: the chain shows other-root, and the file root-of-both: the operation that sets it never landed, or another backend changed the sessions; what is in the tree of the chain's root is taken over (chain-root)`,
			`merkleRoot: fatal: no known way leads from the leaf nodes, which hash to root-of-both, to root other-root, since some were removed, as by clearPendingSessions, or changed; export with RootOfLeaves, which takes the leaf nodes with a root that the chain does not show, then have the owner grant or revoke with account.ReplaceRoot (root-mismatch)`,
		}},
		"chain has no root": {spoil: func(f *files) {}, opts: onChain(common.Hash{}), want: []string{
			`merkleRoot: fatal: the chain has no root: the grant never landed, or all sessions were revoked; export with RootOfLeaves, which takes the leaf nodes with a root that the chain does not show, then have the owner grant or revoke with account.ReplaceRoot (root-mismatch)`,
		}},
		"chain shows it, the file none": {spoil: func(f *files) { f.root = "0x" }, opts: onChain(rootOfNodes(t, sound))},
	})
}

func TestLeafFindings(t *testing.T) {
	over := []byte("1700000000")
	testFindings(t, map[string]spoilt{
		"revoked in the tree": {spoil: func(f *files) { f.nodes[0].setText("status", revoked); f.nodes[1].setText("status", inactive) }, want: []string{
			`leafNodes[0].status (session s0): danger: it is called REVOKED and is in the tree all the same, so that the chain accepts whoever has its key; have the owner grant or revoke from here, which sets a root without it (revoked-in-tree)`,
			`leafNodes[1].status (session s1): danger: it is called INACTIVE and is in the tree all the same, so that the chain accepts whoever has its key; have the owner grant or revoke from here, which sets a root without it (revoked-in-tree)`,
		}},
		"expired in the tree": {spoil: func(f *files) { f.nodes[0]["validUntil"] = over; f.nodes[0].setText("status", expired) }, want: []string{
			`leafNodes[0].status (session s0): note: its window is over and it is still in the tree; the next grant or revocation leaves it out (expired-in-tree)`,
		}},
		"active after its end": {spoil: func(f *files) { f.nodes[0]["validUntil"] = over }, want: []string{
			`leafNodes[0].status (session s0): note: it is called ACTIVE, but its window ended at second 1700000000; nothing signs with it, and the next grant or revocation leaves it out (stale-status)`,
			`leafNodes[0].status (session s0): note: its window is over and it is still in the tree; the next grant or revocation leaves it out (expired-in-tree)`,
		}},
		"pending in the tree": {spoil: func(f *files) { f.nodes[1].setText("status", pending) }, want: []string{
			`leafNodes[1].status (session s1): note: the SDK wrote it and the root down before the operation was sent, and nothing says that it landed; compare with the chain, by WithChain or with Reconcile after the export (pending-in-tree)`,
		}},
		"twice": {spoil: func(f *files) { f.nodes[1]["validAfter"] = f.nodes[0]["validAfter"] }, want: []string{
			`leafNodes[1] (session s1): warning: it is the same as leafNodes[0], so that revoking one of them alone revokes nothing; revoke them together (duplicate)`,
		}},
		"same ID": {spoil: func(f *files) { f.nodes[1]["sessionID"] = f.nodes[0]["sessionID"] }, want: []string{
			`leafNodes[1].sessionID (session s0): fatal: leafNodes[0] has the same ID, and the SDK finds that one only; rename this one (same-id)`,
		}},
		"short ID": {spoil: func(f *files) {
			f.nodes[0].setText("sessionID", "2e86829388")
			f.nodes[1].setText("sessionID", "00112233445566778899aabbccddeeff")
		}, want: []string{
			`leafNodes[0].sessionID (session 2e86829388): note: the ID has 40 bits, and the SDK draws its own by Math.random; take it for no secret, sessions that are granted from here have IDs of 128 random bits (weak-id)`,
		}},
		"time as text": {spoil: func(f *files) { f.nodes[0].setText("validAfter", "0") }, want: []string{
			`leafNodes[0].validAfter (session s0): warning: the time is the text "0", and the SDK hashes the characters of a text: if it built the tree, the leaf cannot be proven; grant it anew with numbers (time-text)`,
		}},
	})
}

func TestSignerFindings(t *testing.T) {
	a, b := newSigner(t, "a"), newSigner(t, "b")
	testFindings(t, map[string]spoilt{
		"another key in the data": {spoil: func(f *files) { f.nodes[0].setText("sessionPublicKey", b.address.Hex()) }, want: []string{
			`leafNodes[0].sessionPublicKey (session s0): fatal: it is Key-B, but the leaf's data lets key Key-A sign; correct sessionPublicKey, which is not part of the leaf on chain (key-mismatch)`,
			`key-b (session s0): warning: there is no such entry, so that the leaf cannot sign from here; the SDK's createSession puts keys into another storage than its own: import the key from there, unless it is another service's (signer-missing)`,
		}},
		"no signers": {spoil: func(f *files) { f.signers = "" }, want: []string{
			`key-a (session s0): warning: there is no such entry, so that the leaf cannot sign from here; the SDK's createSession puts keys into another storage than its own: import the key from there, unless it is another service's (signer-missing)`,
			`key-a (session s1): warning: there is no such entry, so that the leaf cannot sign from here; the SDK's createSession puts keys into another storage than its own: import the key from there, unless it is another service's (signer-missing)`,
		}},
		"signer missing": {spoil: func(f *files) { f.signers = "{}"; f.nodes[1].setText("status", revoked) }, want: []string{
			`leafNodes[1].status (session s1): danger: it is called REVOKED and is in the tree all the same, so that the chain accepts whoever has its key; have the owner grant or revoke from here, which sets a root without it (revoked-in-tree)`,
			`key-a (session s0): warning: there is no such entry, so that the leaf cannot sign from here; the SDK's createSession puts keys into another storage than its own: import the key from there, unless it is another service's (signer-missing)`,
		}},
		"signers broken": {spoil: func(f *files) { f.signers = f.signers[:50] }, want: []string{
			`signers.json: fatal: broken JSON at byte 50; if the TypeScript SDK was just writing it, try again; or restore the file from a backup (broken-json)`,
		}},
		"another signer's key": {spoil: func(f *files) { f.signers = strings.Replace(f.signers, a.secret, b.secret, 1) }, want: []string{
			`key-a.pvKey: fatal: is the key of Key-B, not of its entry; correct the entry, or remove it if no leaf needs it (bad-signer)`,
		}},
		"signer for no leaf": {spoil: func(f *files) { f.signers = `{"` + b.name + `":{"pvKey":"0x` + b.secret + `"},` + f.signers[1:] }, want: []string{
			`key-b: note: the key belongs to no leaf, as one that the SDK's createSession makes and throws away, and is not taken over; remove the entry, or import it by hand if a grant is to come (unused-signer)`,
		}},
		"entries that are none": {spoil: func(f *files) { f.signers = `{"0x` + b.secret + `":{},"` + a.address.Hex() + `":{},` + f.signers[1:] }, want: []string{
			`Key-A.pvKey: fatal: want a string of 0x and 64 hex digits; correct the entry, or remove it if no leaf needs it (bad-signer)`,
			`key-a: fatal: second entry of the same address; keep one; correct the entry, or remove it if no leaf needs it (bad-signer)`,
			`a long name: fatal: not an address; correct the entry, or remove it if no leaf needs it (bad-signer)`,
		}},
	})
}

// cutOff returns a file whose writing was interrupted, with its fields in the SDK's order.
func cutOff(t *testing.T, nodes []object) string {
	content := testFile(t, "", nodes...)
	list := content[strings.Index(content, `[`):strings.LastIndex(content, `,"merkleRoot"`)]
	return `{"merkleRoot":"` + rootOfNodes(t, nodes).Hex() + `","leafNodes":` + list[:len(list)-100]
}

func TestModeFindings(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // has no modes
	}
	for mode, want := range map[os.FileMode][]string{
		0o600: nil,
		0o644: {`signers.json: danger: mode 0644 lets others on this machine at the session keys; chmod 600, and take the keys for known to them (open-mode)`},
		0o620: {
			`sessions.json: warning: mode 0620 lets others on this machine change the sessions; chmod 600 (open-mode)`,
			`signers.json: danger: mode 0620 lets others on this machine at the session keys; chmod 600, and take the keys for known to them (open-mode)`,
		},
	} {
		t.Run(mode.String(), func(t *testing.T) {
			store := soundFiles(t).write(t)
			for _, kind := range []string{sessionsKind, signersKind} {
				require.NoError(t, os.Chmod(filepath.Join(store.dir, fileName(testRef.Account, kind)), mode))
			}
			report, err := store.Inspect(t.Context(), testRef)
			require.NoError(t, err)
			requireFindings(t, store, report, want...)
		})
	}
}

func TestTwoFilesOfOneAccount(t *testing.T) {
	f := soundFiles(t)
	store := f.write(t)
	for _, kind := range []string{sessionsKind, signersKind} {
		require.NoError(t, os.WriteFile(filepath.Join(store.dir, testRef.Account.Hex()+kind), []byte("{}"), 0o600))
	}
	report, err := store.Inspect(t.Context(), testRef)
	require.NoError(t, err)
	name := func(kind string) string {
		return testRef.Account.Hex() + kind + " and " + fileName(testRef.Account, kind)
	}
	requireFindings(t, store, report,
		`sessions.json: fatal: `+name(sessionsKind)+` are of the same account, and the SDK reads one of them only; keep that one (two-files)`,
		`signers.json: fatal: `+name(signersKind)+` are of the same account, and the SDK reads one of them only; keep that one (two-files)`)
	_, _, err = store.Export(t.Context(), testRef)
	require.ErrorIs(t, err, policy.ErrInvalid)
	require.NotErrorIs(t, err, session.ErrRootMismatch)
}

func TestInspectWithoutFiles(t *testing.T) {
	store := writeSessions(t, "")
	_, err := store.Inspect(t.Context(), testRef)
	require.ErrorIs(t, err, session.ErrNotFound, "an empty file is none")
	_, err = store.Inspect(t.Context(), session.Ref{ChainID: 1, Account: testRef.Account})
	require.ErrorIs(t, err, policy.ErrInvalid)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = store.Inspect(ctx, testRef)
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, os.Truncate(filepath.Join(store.dir, fileName(testRef.Account, sessionsKind)), maxFileSize+1))
	_, err = store.Inspect(t.Context(), testRef)
	require.ErrorContains(t, err, "larger than 128 MiB")
}

// What the SDK made of wrong values in a policy, by its own hand.
func TestFindsWhatTheSDKSpoilt(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "sdk-spoilt"))))
	store, err := OpenPlaintext(dir, testRef.ChainID)
	require.NoError(t, err)
	store.now = func() time.Time { return time.Unix(1_800_000_000, 0) } // before the sessions end
	run, err := abi.ParseFunction("run(bytes4 what)")
	require.NoError(t, err)
	report, err := store.Inspect(t.Context(), testRef, WithFunctions(run))
	require.NoError(t, err)
	require.NoError(t, report.Err(), "leaves on chain are taken over as they are, with what is wrong in them")
	found := make(map[int][]policy.FindingCode)
	for _, f := range report.Findings {
		switch f.Code {
		case FindingWeakID, FindingPendingInTree, FindingClearKeys, FindingOpenMode:
		default:
			found[f.Leaf] = append(found[f.Leaf], f.Code)
		}
	}
	require.Equal(t, map[int][]policy.FindingCode{
		0: {FindingDecimalAsHex},                  // referenceValue: "100"
		1: {FindingData},                          // referenceValue: {raw: "0x64"}
		2: {FindingPaddedRight},                   // referenceValue: an address with zeros behind it
		3: {FindingNumberText},                    // valueLimit: "1000000000000000"
		4: {FindingNumberText, FindingNumberText}, // offset: "32", condition: "1"
		5: {FindingPaddedLeft},                    // referenceValue: "0x40d097c3" for a bytes4
		7: {FindingCondition},                     // condition: 255; leaf 6 with referenceValue: 100n is fine
	}, found)
}

// What this package writes itself is inspected as it is loaded, and nothing is written.
func TestInspectsItsOwnFiles(t *testing.T) {
	store := soundFiles(t).write(t)
	state, err := store.Load(t.Context(), testRef)
	require.NoError(t, err)
	tombstone, waiting := state.Leaves[0].Clone(), state.Leaves[0].Clone()
	tombstone.ID, tombstone.ValidAfter, tombstone.Status, tombstone.InTree = "gone", 7, session.StatusRevoked, false
	waiting.ID, waiting.ValidAfter, waiting.Status, waiting.InTree = "waiting", 8, session.StatusPending, false
	root := merkle.New([]common.Hash{state.Leaves[1].Hash(), state.Leaves[0].Hash()}).Root()
	header := session.Header{Root: root, Order: []string{"s1", "s0"}, Pending: &session.PendingRoot{Root: otherRoot, Add: []string{"waiting"}}}
	_, err = store.Apply(t.Context(), testRef, state.Version, &session.Change{Header: header, Put: []session.Leaf{tombstone, waiting}})
	require.NoError(t, err)
	state, err = store.Load(t.Context(), testRef)
	require.NoError(t, err)
	require.NoError(t, os.RemoveAll(filepath.Join(store.dir, ".sesame")))

	report, err := store.Inspect(t.Context(), testRef)
	require.NoError(t, err)
	requireFindings(t, store, report)
	require.Equal(t, state.Leaves, report.Leaves)
	require.Equal(t, []int{1, 0}, report.Tree)
	require.NoDirExists(t, filepath.Join(store.dir, ".sesame"), "inspecting takes no lock")

	header.Pending = nil
	_, err = store.Apply(t.Context(), testRef, state.Version, &session.Change{Header: header})
	require.NoError(t, err)
	document, _, err := store.Export(t.Context(), testRef)
	require.NoError(t, err)
	require.Equal(t, root, document.Root)
	require.Equal(t, "s1", document.Leaves[0].ID, "in the order of the tree")
}

// A root that nobody knows ends the search, however many leaves were revoked.
func TestSearchForARootEnds(t *testing.T) {
	var nodes []*node
	for n := range 300 {
		parsed, bad := parseNode("", testNode(n, []string{revoked, pending}[n%2], nil), testTime)
		require.Nil(t, bad)
		nodes = append(nodes, parsed)
	}
	finder := newTreeFinder(nodes)
	finder.budget = 1 << 14
	_, ok := finder.repetition(otherRoot)
	require.False(t, ok)
	require.Negative(t, finder.budget)
}

// FuzzInspect looks for files that upset the inspection; see requireSane.
func FuzzInspect(f *testing.F) {
	for _, testdata := range []string{"sdk", "sdk-revoked", "sdk-spoilt"} {
		sessions, err := os.ReadFile(filepath.Join("testdata", testdata, fileName(testRef.Account, sessionsKind)))
		require.NoError(f, err)
		signers, err := os.ReadFile(filepath.Join("testdata", testdata, fileName(testRef.Account, signersKind)))
		require.NoError(f, err)
		f.Add(sessions, signers)
		f.Add(sessions[:len(sessions)/2], signers[:len(signers)/2])
	}
	f.Add([]byte(`{"leafNodes":[null,7,{"status":"DONE"}],"sesame":{"chainID":"0x13882","granted":["a"],"apart":[{"position":-1,"leaf":{}}]}}`), []byte(`{"0x":{}}`))
	f.Fuzz(requireSane)
}

// requireSane requires that files which are called sound can be loaded and taken over, that those which
// cannot be loaded are not called sound, and that what is said quotes no key.
func requireSane(t *testing.T, sessions, signers []byte) {
	in := newInspection(testRef, settings{}, testTime)
	in.path = "file"
	in.inspectSessions(sessions)
	sound := in.report.Err() == nil
	in.inspectSigners(signers)
	for _, f := range in.report.Findings {
		require.NotEmpty(t, f.Message)
		require.NotContains(t, f.String(), "4e4610bfcd43e19a373a02e3026aa4618e970879e643835234d89754dc0a5aa6")
		require.True(t, f.Leaf == NoLeaf || in.report.Leaves[f.Leaf].ID == f.Session)
	}
	for _, at := range in.report.Tree {
		require.True(t, in.report.Leaves[at].InTree)
	}
	loaded, err := parseSessions(testRef, "file", sessions, testTime)
	switch {
	case len(sessions) == 0:
		return
	case !sound:
		if err == nil && opens(t, loaded.state(0)) {
			for _, f := range in.report.Findings {
				ofKeys := []policy.FindingCode{policy.FindingKey, FindingBadSigner, FindingBroken}
				require.True(t, !f.Fatal || slices.Contains(ofKeys, f.Code), "%s", f)
			}
		}
		return
	}
	require.NoError(t, err)
	state := loaded.state(0)
	require.Len(t, in.report.Leaves, len(state.Leaves))
	for i := range state.Leaves {
		require.Equal(t, state.Leaves[i], in.report.Leaves[i])
	}
	if in.report.Err() == nil && state.Pending == nil && len(in.report.Tree) > 0 {
		document, err := in.document(t.Context())
		require.NoError(t, err)
		require.Len(t, document.Leaves, len(in.report.Tree))
	}
}

// opens reports whether a session with that state opens.
func opens(t *testing.T, state *session.State) bool {
	store := memstore.New()
	_, err := store.Apply(t.Context(), testRef, 0, &session.Change{Header: state.Header, Put: state.Leaves})
	require.NoError(t, err)
	_, err = session.Open(t.Context(), store, testRef)
	return err == nil
}

// Random changes of files that the SDK wrote.
func TestInspectsWhatever(t *testing.T) {
	read := func(testdata, kind string) []byte {
		content, err := os.ReadFile(filepath.Join("testdata", testdata, fileName(testRef.Account, kind)))
		require.NoError(t, err)
		return content
	}
	random := rand.New(rand.NewPCG(6, 0))
	values := []string{`null`, `7`, `-1`, `"0"`, `"0x"`, `"0x64"`, `"0x6"`, `""`, `"REVOKED"`, `"EXPIRED"`, `"ACTIVE"`, `1700000000`, `281474976710656`, `{}`, `[]`,
		`"0x2c0aba5df884cce250de15e643813e04219ea2ba"`, `{"chainID":"0x13882","granted":["b1973e1c20","948fa8de1f"]}`, `{"function":"f()"}`}
	fields := []string{"sessionID", "status", "validUntil", "validAfter", "sessionValidationModule", "sessionPublicKey", "sessionKeyData", extensionField}
	for range 300 {
		testdata := []string{"sdk", "sdk-revoked", "sdk-spoilt"}[random.IntN(3)]
		var top struct {
			Root  json.RawMessage `json:"merkleRoot"`
			Nodes []object        `json:"leafNodes"`
			Own   json.RawMessage `json:"sesame,omitempty"`
		}
		require.NoError(t, json.Unmarshal(read(testdata, sessionsKind), &top))
		for range random.IntN(4) {
			at := random.IntN(len(top.Nodes))
			switch value := json.RawMessage(values[random.IntN(len(values))]); random.IntN(6) {
			case 0:
				top.Root = value
			case 1:
				top.Nodes = append(top.Nodes, maps.Clone(top.Nodes[at]))
			case 2:
				top.Own = value
			case 3:
				top.Nodes[at], top.Nodes[0] = top.Nodes[0], top.Nodes[at]
			default:
				top.Nodes[at][fields[random.IntN(len(fields))]] = value
			}
		}
		content, err := encode(top)
		require.NoError(t, err)
		requireSane(t, content, read(testdata, signersKind))
	}
}
