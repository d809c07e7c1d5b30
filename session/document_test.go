package session_test

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/merkle"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/session/seal"
	"github.com/go-sesame/sesame/userop"
)

func testAEAD(t *testing.T) seal.AEAD {
	t.Helper()
	aead, err := seal.NewKeyAEAD(make([]byte, 32))
	require.NoError(t, err)
	return aead
}

// handOver exports sessions with their keys and reads the document as the other side would.
func handOver(t *testing.T, sess *session.Sessions) *session.Document {
	t.Helper()
	document, err := sess.ExportWithKeys(t.Context(), testAEAD(t))
	require.NoError(t, err)
	text, err := json.Marshal(document)
	require.NoError(t, err)
	require.NotContains(t, strings.ToLower(string(text)), common.Bytes2Hex(crypto.FromECDSA(testKey)), "the key is sealed")
	read, err := session.ParseDocument(text)
	require.NoError(t, err)
	return read
}

func TestExportAndImport(t *testing.T) {
	chain := &ledger{}
	sess, _ := granted(t, chain, "a", "b", "c")
	document := handOver(t, sess)
	require.Len(t, document.Keys, 1)

	store := memstore.New()
	acting, err := session.Import(t.Context(), store, document,
		session.WithSealedKeys(testAEAD(t)), session.WithChain(chain))
	require.NoError(t, err)
	require.Equal(t, sess.Root(), acting.Root())
	require.ErrorIs(t, trySign(t, acting, "a"), session.ErrPending, "a document is not the chain's word")
	require.NoError(t, acting.Reconcile(t.Context()))
	require.NoError(t, trySign(t, acting, "a"))
	require.Equal(t, session.StatusActive, acting.Leaves()[2].Status)

	_, err = session.Import(t.Context(), store, document)
	require.NoError(t, err, "the same once more changes nothing")
	require.Equal(t, 3, acting.Len())
}

func TestImportWithoutKeysOrWithAnotherSeal(t *testing.T) {
	sess, _ := granted(t, &ledger{}, "a")
	document := handOver(t, sess)
	other, err := seal.NewKeyAEAD([]byte(strings.Repeat("k", 32)))
	require.NoError(t, err)
	store := memstore.New()
	_, err = session.Import(t.Context(), store, document, session.WithSealedKeys(other))
	require.ErrorIs(t, err, seal.ErrOpen)
	_, err = session.Open(t.Context(), store, testRef)
	require.ErrorIs(t, err, session.ErrNotFound, "nothing was stored")

	acting, err := session.Import(t.Context(), store, document)
	require.NoError(t, err)
	require.NoError(t, acting.Confirm(t.Context(), &ledger{root: document.Root}, 0))
	require.ErrorIs(t, trySign(t, acting, "a"), session.ErrNoKey)
}

func TestImportRefusesOtherSessions(t *testing.T) {
	sess, _ := granted(t, &ledger{}, "a")
	_, store := granted(t, &ledger{}, "b")
	_, err := session.Import(t.Context(), store, handOver(t, sess))
	require.ErrorIs(t, err, session.ErrConflict)
	require.ErrorContains(t, err, "adopt the document if the chain shows its root")
}

func TestExportWaitsForTheChain(t *testing.T) {
	sess, _ := opened(t, &ledger{})
	begun(t, sess, 1, "a")
	_, err := sess.Export()
	require.ErrorIs(t, err, session.ErrPending)
}

func TestParseDocumentRefusesBadInput(t *testing.T) {
	sess, _ := granted(t, &ledger{}, "a", "b")
	document, err := sess.Export()
	require.NoError(t, err)
	good, err := json.Marshal(document)
	require.NoError(t, err)
	tests := map[string]struct {
		change func(string) string
		text   string
	}{
		"not JSON":          {func(string) string { return "{" }, "session document: unexpected EOF"},
		"two values":        {func(s string) string { return s + "{}" }, "more than one JSON value"},
		"garbage behind":    {func(s string) string { return s + "}" }, "more than one JSON value"},
		"a letter behind":   {func(s string) string { return s + " \n]x" }, "more than one JSON value"},
		"other letter case": {func(s string) string { return strings.Replace(s, `"chainID"`, `"chainId"`, 1) }, `field "chainId" twice, or in other letter case`},
		"field twice":       {func(s string) string { return strings.Replace(s, `"sesame":1`, `"sesame":1,"sesame":1`, 1) }, `field "sesame" twice, or in other letter case`},
		"key in other case": {func(s string) string {
			return strings.Replace(s, `"sesame":1`, `"keys":[{"Sealed":"0x"}],"sesame":1`, 1)
		}, `keys: [0]: field "Sealed" twice, or in other letter case`},
		"leaf in other case": {func(s string) string { return strings.Replace(s, `"id":"b"`, `"ID":"b"`, 1) }, `field "ID" twice, or in other letter case`},
		"leaf field twice":   {func(s string) string { return strings.Replace(s, `"id":"b"`, `"id":"x","id":"b"`, 1) }, `field "id" twice, or in other letter case`},
		"control characters": {func(s string) string { return strings.Replace(s, `"id":"b"`, `"id":"b\u001b[2J"`, 1) }, `session ID "b\x1b[2J" is not one line of text; leave control characters out`},
		"unknown field":      {func(s string) string { return strings.Replace(s, `"sesame"`, `"x":1,"sesame"`, 1) }, `unknown field "x"`},
		"another form":       {func(s string) string { return strings.Replace(s, `"sesame":1`, `"sesame":2`, 1) }, "form 2, this library reads form 1"},
		"no chain":           {func(s string) string { return strings.Replace(s, `"chainID":80002`, `"chainID":0`, 1) }, "without a chain ID"},
		"changed leaf":       {func(s string) string { return strings.Replace(s, `"data":"0x61"`, `"data":"0x62"`, 1) }, "session root mismatch"},
		"ID twice":           {func(s string) string { return strings.Replace(s, `"id":"b"`, `"id":"a"`, 1) }, `leaf 1: ID "a" twice`},
		"unknown status":     {func(s string) string { return strings.Replace(s, `"active"`, `"alive"`, 1) }, `unknown session status "alive"`},
		"stored as expired":  {func(s string) string { return strings.Replace(s, `"active"`, `"expired"`, 1) }, "invalid input: session a is stored as expired; that is what time makes of an active or pending leaf, store it as one of these"},
		"odd hex":            {func(s string) string { return strings.Replace(s, `"0x61"`, `"0x6"`, 1) }, "odd length"},
		"no leaf ID":         {func(s string) string { return strings.Replace(s, `"id":"b"`, `"id":""`, 1) }, "leaf without an ID"},
		"field of a leaf":    {func(s string) string { return strings.Replace(s, `"id":"b"`, `"id":"b","key2":1`, 1) }, `unknown field "key2"`},
		"time beyond uint48": {func(s string) string { return strings.Replace(s, `"validUntil":0`, `"validUntil":281474976710656`, 1) }, "beyond uint48"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			changed := tt.change(string(good))
			require.NotEqual(t, string(good), changed)
			_, err := session.ParseDocument([]byte(changed))
			require.ErrorContains(t, err, tt.text)
		})
	}
}

func FuzzParseDocument(f *testing.F) {
	f.Add([]byte(`{"sesame":1,"chainID":1,"account":"0x1111111111111111111111111111111111111111","root":"0x0000000000000000000000000000000000000000000000000000000000000000","leaves":[]}`))
	f.Add([]byte(`{"sesame":1,"leaves":[{"id":"a","status":"active","data":"0x"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		document, err := session.ParseDocument(text)
		if err != nil {
			return
		}
		again, err := json.Marshal(document)
		require.NoError(t, err)
		_, err = session.ParseDocument(again)
		require.NoError(t, err)
	})
}

// TestTwoBackendsMerge settles the conflict of two backends that granted without knowing of each other.
func TestTwoBackendsMerge(t *testing.T) {
	chain := &ledger{}
	ours, _ := granted(t, chain, "a", "b", "c")
	theirs, _ := granted(t, chain, "x", "y", "z") // its root replaced ours
	require.ErrorIs(t, ours.Confirm(t.Context(), chain, 0), session.ErrRootMismatch)

	require.NoError(t, ours.Adopt(t.Context(), handOver(t, theirs)))
	require.Equal(t, chain.root, ours.Root())
	require.ErrorIs(t, trySign(t, ours, "a"), session.ErrNoLeaf)
	proof, err := ours.Proof(3)
	require.NoError(t, err)
	require.True(t, merkle.Verify(chain.root, ours.Leaves()[3].Hash(), proof))

	restore, err := ours.PlanRestore()
	require.NoError(t, err)
	begin(t, restore, 3)
	chain.root = restore.Root()
	require.NoError(t, activate(t.Context(), ours, sent{hash: opOf(ours)}))
	require.NoError(t, trySign(t, ours, "a"))

	require.NoError(t, theirs.Adopt(t.Context(), handOver(t, ours)))
	require.Equal(t, chain.root, theirs.Root())
	for i := range 6 {
		proof, err := theirs.Proof(i)
		require.NoError(t, err)
		require.True(t, merkle.Verify(chain.root, theirs.Leaves()[i].Hash(), proof), "in the other store's order too")
	}
	require.Equal(t, []string{"x", "y", "z", "a", "b", "c"}, ids(theirs))
	again, err := session.ParseDocument(mustJSON(t, handOver(t, theirs)))
	require.NoError(t, err, "a tree with an order of its own is exported in it")
	require.Equal(t, chain.root, again.Root)
}

func TestAdoptWantsTheChainsWord(t *testing.T) {
	chain := &ledger{}
	ours, _ := granted(t, chain, "a")
	theirs, _ := granted(t, &ledger{}, "x")
	err := ours.Adopt(t.Context(), handOver(t, theirs))
	require.ErrorIs(t, err, session.ErrRootMismatch)
	require.NoError(t, trySign(t, ours, "a"), "nothing changed")

	_, err = ours.PlanRestore("a")
	require.ErrorContains(t, err, "session a is in the tree already; only a session in force that was left out can be restored")
	_, err = ours.PlanRestore("ghost")
	require.ErrorIs(t, err, session.ErrNoLeaf)
	_, err = ours.PlanRestore()
	require.ErrorContains(t, err, "no session of account 0x1111111111111111111111111111111111111111 on chain 80002 is left out of the tree")
}

// TestAdoptNoRootOfBefore has a document be one of before the last grant, and a node that lags behind, or a
// chain that took the grant back, show its root.
func TestAdoptNoRootOfBefore(t *testing.T) {
	chain := &ledger{next: 6}
	ours, _ := granted(t, chain, "a")
	old, stale := handOver(t, ours), chain.root
	change := begun(t, ours, 2, "b")
	chain.root, chain.next = change.Root(), 7
	require.NoError(t, activate(t.Context(), ours, sent{hash: opOf(ours)}))

	err := ours.On(lagging{chain, stale}).Adopt(t.Context(), old)
	require.ErrorIs(t, err, session.ErrRootMismatch, "the other nodes have the grant")
	takenBack := &ledger{root: stale, next: 6}
	err = ours.On(takenBack).Adopt(t.Context(), old)
	require.ErrorIs(t, err, session.ErrRootMismatch)
	require.ErrorContains(t, err, "Reconcile")
	err = ours.On(&ledger{root: stale, err: errors.New("no answer")}).Adopt(t.Context(), old)
	require.ErrorContains(t, err, "no answer")
	require.NoError(t, trySign(t, ours, "b"), "nothing changed")

	require.NoError(t, ours.On(&ledger{root: stale, next: 7}).Adopt(t.Context(), old), "something else set it again")
}

// TestWhatAnotherBackendRevokedIsNotRestored tells what another backend revoked from what it did not know.
func TestWhatAnotherBackendRevokedIsNotRestored(t *testing.T) {
	chain := &ledger{}
	ours, _ := granted(t, chain, "a", "b", "c")
	theirs, err := session.Import(t.Context(), memstore.New(), handOver(t, ours), session.WithChain(chain))
	require.NoError(t, err)
	require.NoError(t, theirs.Reconcile(t.Context()))
	more := begun(t, ours, 2, "d")
	chain.root, chain.next = more.Root(), 7
	require.NoError(t, activate(t.Context(), ours, sent{hash: opOf(ours)}))
	revoke, err := theirs.PlanRevoke("b") // it does not know of d
	require.NoError(t, err)
	begin(t, revoke, 3)
	chain.root, chain.next = revoke.Root(), 8
	require.NoError(t, activate(t.Context(), theirs, sent{hash: opOf(theirs)}))

	require.NoError(t, ours.Adopt(t.Context(), handOver(t, theirs)))
	require.ErrorIs(t, trySign(t, ours, "b"), session.ErrRevoked)
	_, err = ours.PlanRestore("b")
	require.ErrorContains(t, err, "session b is revoked; only a session in force that was left out can be restored")
	restore, err := ours.PlanRestore()
	require.NoError(t, err)
	require.Equal(t, []string{"d"}, restore.IDs())
}

// TestAdoptTellsLeavesOfOneHashApart has a leaf of a tree stand beside a revoked one that is the same on
// chain.
func TestAdoptTellsLeavesOfOneHashApart(t *testing.T) {
	chain := &ledger{}
	sess, _ := granted(t, chain, "a", "b")
	change, err := sess.PlanGrant(policy.Modules{}, session.Named("a again", rawPolicy("a")))
	require.NoError(t, err)
	begin(t, change, 2)
	chain.root = change.Root()
	require.NoError(t, activate(t.Context(), sess, sent{hash: opOf(sess)}))
	revoke, err := sess.PlanRevoke("a again")
	require.NoError(t, err)
	begin(t, revoke, 3)
	chain.root = revoke.Root()
	require.NoError(t, activate(t.Context(), sess, sent{hash: opOf(sess)}))

	document := handOver(t, sess)
	require.Empty(t, document.Revoked, "what is on chain is not revoked there")
	require.NoError(t, sess.Adopt(t.Context(), document))
	require.NoError(t, trySign(t, sess, "a"))
	require.ErrorIs(t, trySign(t, sess, "a again"), session.ErrRevoked)
}

func TestAdoptKeepsTombstones(t *testing.T) {
	chain := &ledger{}
	ours, _ := granted(t, chain, "a", "b")
	document := handOver(t, ours)
	revoke, err := ours.PlanRevoke("a")
	require.NoError(t, err)
	begin(t, revoke, 2)
	require.NoError(t, revoke.Rollback(t.Context()))
	require.NoError(t, ours.Adopt(t.Context(), document))
	require.ErrorIs(t, trySign(t, ours, "a"), session.ErrRevoked)
}

func ids(sess *session.Sessions) (ids []string) {
	for _, leaf := range sess.Leaves() {
		ids = append(ids, leaf.ID)
	}
	return ids
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	require.NoError(t, err)
	return text
}

// TestAdoptTakesTombstonesOfTheTreeOver has another backend suspend what still stands on chain.
func TestAdoptTakesTombstonesOfTheTreeOver(t *testing.T) {
	chain := &ledger{}
	ours, _ := granted(t, chain, "a", "b")
	theirs, err := session.Import(t.Context(), memstore.New(), handOver(t, ours), session.WithChain(chain))
	require.NoError(t, err)
	require.NoError(t, theirs.Reconcile(t.Context()))
	require.NoError(t, theirs.Suspend(t.Context(), "a"))
	require.NoError(t, ours.Adopt(t.Context(), handOver(t, theirs)))
	require.ErrorIs(t, trySign(t, ours, "a"), session.ErrRevoked)
	require.NoError(t, trySign(t, ours, "b"))
}

// TestADocumentOfTheFirstForm reads one that the program wrote which had no suspension yet.
func TestADocumentOfTheFirstForm(t *testing.T) {
	text, err := os.ReadFile("testdata/document1.json")
	require.NoError(t, err)
	document, err := session.ParseDocument(text)
	require.NoError(t, err)
	require.Len(t, document.Revoked, 1)
	chain := &ledger{root: document.Root}
	sess, err := session.Import(t.Context(), memstore.New(), document, session.WithSealedKeys(testAEAD(t)), session.WithChain(chain))
	require.NoError(t, err)
	require.NoError(t, sess.Reconcile(t.Context()))
	require.Equal(t, map[string]session.Status{
		"paying": session.StatusActive, "minting": session.StatusActive, "stopped": session.StatusRevoked,
	}, statuses(sess))
	for _, leaf := range sess.Leaves() {
		signer, err := session.NewSigner(policy.Modules{}, sess.ByID(leaf.ID))
		require.NoError(t, err)
		_, err = signer.Sign(t.Context(), &userop.Operation{Sender: document.Account}, common.Hash{1})
		require.Equal(t, leaf.ID == "stopped", errors.Is(err, session.ErrRevoked), "%s: %v", leaf.ID, err)
	}
}

// TestImportWaitsForTheChain has an account without sessions revoke all, as to close its router.
func TestImportWaitsForTheChain(t *testing.T) {
	from, _ := granted(t, &ledger{}, "a")
	sess, store := opened(t, &ledger{})
	change, err := sess.PlanRevokeAll()
	require.NoError(t, err)
	begin(t, change, 1)
	pending := sess.Pending()
	_, err = session.Import(t.Context(), store, handOver(t, from))
	require.ErrorIs(t, err, session.ErrPending)
	require.ErrorContains(t, err, "has a change that waits for operation "+pending.OpHash.Hex()+"; call Reconcile first")
	require.NoError(t, sess.Refresh(t.Context()))
	require.Equal(t, pending, sess.Pending())
}
