package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/filestore"
	"github.com/go-sesame/sesame/session/seal"
	"github.com/go-sesame/sesame/session/tsstore"
)

// keys are those that the store has of an account.
func (w *world) keys(ref session.Ref) (n int) {
	w.with(func(ctx context.Context, store *filestore.Store) {
		found, err := store.Keys(ctx, ref)
		require.NoError(w.t, err)
		n = len(found)
	})
	return n
}

func TestExportAndImport(t *testing.T) {
	w := newWorld(t)
	w.story()
	carol := w.owner("carol").Ref()
	from := []string{"export", "-store", w.store, "-account", carol.Account.Hex()}
	w.golden("export", w.ok(exitOK, from...))
	transit := "key:" + w.file("transit.key", strings.Repeat("t", seal.KeySize))
	path := filepath.Join(w.dir, "carol.json")
	require.Equal(t, path+": 1 session of "+carol.String()+", 1 sealed key\n", w.ok(exitOK, append(from, "-keys", "-seal-for", transit, "-o", path)...))
	require.Contains(t, w.fails(exitFailed, append(from, "-o", path)...), "is there already, and is left as it is")
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.EqualValues(t, 0o600, info.Mode().Perm())

	w.store = filepath.Join(w.dir, "second")
	to := []string{"import", "-store", w.store}
	require.Contains(t, w.fails(exitUsage, append(to, path)...), "-yes does it without asking")
	require.NoDirExists(t, w.store, "what was not confirmed was not done")
	code, out, note := w.run(append(to, "-yes", "-sealed-by", transit, path)...)
	require.Equal(t, exitOK, code, note)
	w.golden("import", note+"--\n"+out)
	require.Equal(t, 1, w.keys(carol))
	require.Equal(t, session.StatusPending, w.statuses(carol)["minting"])
	require.Contains(t, w.ok(exitOK, append(to, "-yes", "-node", "http://node.example", path)...), "1 session of "+carol.String())
	require.Equal(t, session.StatusActive, w.statuses(carol)["minting"], "the chain has its root")

	// Without the keys, by standard input.
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	w.store, w.stdin = filepath.Join(w.dir, "third"), string(text)
	require.Contains(t, w.fails(exitUsage, "import", "-store", w.store, "-"), "the document comes by standard input, where nobody can confirm")
	_, _, note = w.run("import", "-store", w.store, "-yes", "-")
	require.Contains(t, note, "without the 1 sealed key in it, which -sealed-by would open")
	require.Zero(t, w.keys(carol))
}

func TestAdopt(t *testing.T) {
	w := newWorld(t)
	w.story()
	carol := w.owner("carol")
	// Another backend, which has what this one had, grants one more session.
	first, path := w.store, filepath.Join(w.dir, "first.json")
	w.ok(exitOK, "export", "-store", w.store, "-account", carol.Address().Hex(), "-o", path)
	w.store = filepath.Join(w.dir, "other")
	w.ok(exitOK, "import", "-yes", "-store", w.store, "-node", "http://node.example", path)
	w.model.Bundler.Resume()
	w.with(func(ctx context.Context, store *filestore.Store) {
		w.grant(ctx, store, carol, session.Named("more", minting(w.key(store, carol.Ref(), "more"), accounttest.Address("x"))))
	})
	path = filepath.Join(w.dir, "second.json")
	w.ok(exitOK, "export", "-store", w.store, "-account", carol.Address().Hex(), "-o", path)

	w.store = first
	inspect := []string{"inspect", "-store", w.store, "-account", carol.Address().Hex(), "-node", "http://node.example"}
	require.Contains(t, w.ok(exitAction, inspect...), "which the store does not know: adopt the other backend's document (sesame import -adopt)")
	require.Contains(t, w.fails(exitUsage, "import", "-yes", "-store", w.store, "-adopt", path), "missing -node")
	require.Contains(t, w.ok(exitOK, "import", "-yes", "-store", w.store, "-adopt", "-node", "http://node.example", path), "2 sessions of")
	w.ok(exitOK, inspect...)
}

func TestTypeScriptFilesAndBack(t *testing.T) {
	w := newWorld(t)
	w.story()
	carol := w.owner("carol").Ref()
	files := filepath.Join(w.dir, "ts")
	back := []string{"export", "-store", w.store, "-account", carol.Account.Hex(), "-ts", files}
	require.Contains(t, w.fails(exitUsage, back...), "-yes does it without asking")
	require.NoDirExists(t, files)
	code, _, note := w.run(append(back, "-yes")...)
	require.Equal(t, exitOK, code, note)
	require.Contains(t, note, "their keys in clear: whoever reads the files can sign with them")
	ts, err := tsstore.OpenPlaintext(files, carol.ChainID)
	require.NoError(t, err)
	keys, err := ts.Keys(t.Context(), carol)
	require.NoError(t, err)
	require.Equal(t, accounttest.Address("carol's session key"), keys[0])

	var document session.Document
	out := w.ok(exitOK, "export", "-store", "ts:"+files, "-chain", "80002", "-account", carol.Account.Hex())
	require.NoError(t, json.Unmarshal([]byte(out), &document))
	require.Len(t, document.Leaves, 1)

	w.store = filepath.Join(w.dir, "moved")
	args := []string{"import", "-store", w.store, "-ts", files, "-chain", "80002", "-account", carol.Account.Hex(), "-node", "http://node.example"}
	require.Contains(t, w.fails(exitUsage, args...), "-yes does it without asking")
	w.ok(exitOK, append(args, "-yes")...)
	require.Equal(t, 1, w.keys(carol))
	require.Equal(t, session.StatusActive, w.statuses(carol)["minting"])

	spoilt := filepath.Join(w.dir, "spoilt")
	copyDir(t, spoilt, "../../session/tsstore/testdata/sdk-revoked")
	const user = "0x9F0685Bd516F66Fd00dC05a7aC9D5B89c2CC31f9"
	spoiltArgs := []string{"export", "-store", "ts:" + spoilt, "-chain", "80002", "-account", user}
	require.Contains(t, w.fails(exitFailed, spoiltArgs...), "what says RepeatLeaves and RootOfLeaves is -repeat-leaves")
	w.ok(exitOK, append(spoiltArgs, "-repeat-leaves")...)
}

func TestDocumentsThatAreWrong(t *testing.T) {
	w := newWorld(t)
	w.story()
	const someone = "0x000000000000000000000000000000000000dEaD"
	carol := w.owner("carol").Address().Hex()
	path := w.file("carol.json", w.ok(exitOK, "export", "-store", w.store, "-account", carol))
	for want, args := range map[string][]string{
		"which document? Give one file":                         {"import"},
		"-ts and a document: which of both?":                    {"import", "-ts", w.dir, path},
		"-adopt and -sealed-by are for a document":              {"import", "-ts", w.dir, "-adopt"},
		"the document is of account " + carol:                   {"import", "-account", someone, path},
		"-keys and -seal-for belong together":                   {"export", "-account", carol, "-keys"},
		"-ts writes files of the TypeScript SDK, with keys; -o": {"export", "-account", carol, "-ts", w.dir, "-o", "x"},
		"missing -account: whose sessions?":                     {"export"},
	} {
		require.Contains(t, w.fails(exitUsage, append(args, "-store", w.store, "-yes")...), want)
	}
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Contains(t, w.fails(exitFailed, "import", "-store", w.store, "-yes", w.file("altered.json", strings.Replace(string(text), "minting", "mint\\u001b[31m", 1))), "invalid input")
	require.Contains(t, w.fails(exitFailed, "import", "-store", w.store, "-yes", path+"x"), "no such file")
	require.Contains(t, w.fails(exitFailed, "export", "-store", w.store, "-account", w.owner("bob").Address().Hex()), "sesame reconcile settles what waits for the chain")
}
