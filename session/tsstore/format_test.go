package tsstore_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/testutil/storefixture"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/tsstore"
)

// writeFixture has [TestWriteFixture] keep what the store of today writes: go test ./session/tsstore -run
// WriteFixture -fixture testdata/format3.
var writeFixture = flag.String("fixture", "", "directory to write a fixture of today's format to")

func TestWriteFixture(t *testing.T) {
	if *writeFixture == "" {
		t.Log("writes nothing unless it is told where")
		return
	}
	dir := t.TempDir()
	store, err := tsstore.OpenPlaintext(dir, storefixture.Chain)
	require.NoError(t, err)
	require.NoError(t, storefixture.Write(t.Context(), store, storefixture.Chain))
	require.NoError(t, os.MkdirAll(*writeFixture, 0o755))
	copyFiles(t, dir, *writeFixture)
}

// copyFiles copies the files in a directory, but no directories.
func copyFiles(t *testing.T, from, to string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(from, "0x*.json"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(to, filepath.Base(file)), content, 0o600))
	}
}

// TestFixtures opens what the stores of all formats wrote.
func TestFixtures(t *testing.T) {
	for name, form := range map[string]int{"format1": 1, "format2": 2} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			copyFiles(t, filepath.Join("testdata", name), dir)
			store, err := tsstore.OpenPlaintext(dir, storefixture.Chain)
			require.NoError(t, err)
			require.NoError(t, storefixture.Require(t.Context(), store, form, storefixture.Chain))
		})
	}
}

// extensionOf1 is the extension as programs of form 1 read it.
type extensionOf1 struct {
	ChainID hexutil.Uint64 `json:"chainID"`
	Writes  uint64         `json:"writes"`
}

// readBy1 reads a file's extension as a program of form 1 does before it signs with what is new in the file.
func readBy1(t *testing.T, dir string) error {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*acc0001_sessions.json"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	content, err := os.ReadFile(files[0])
	require.NoError(t, err)
	var top map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(content, &top))
	return json.Unmarshal(top["sesame"], new(extensionOf1))
}

// TestAProgramOfTheFirstFormStops has one work on files in which another suspends a session.
func TestAProgramOfTheFirstFormStops(t *testing.T) {
	dir := t.TempDir()
	copyFiles(t, filepath.Join("testdata", "format1"), dir)
	store, err := tsstore.OpenPlaintext(dir, storefixture.Chain)
	require.NoError(t, err)
	ref := storefixture.Ref(storefixture.Chain, 1)
	sess, err := session.Open(t.Context(), store, ref)
	require.NoError(t, err)
	require.NoError(t, readBy1(t, dir), "reading changes nothing")

	pending := sess.Pending()
	require.NoError(t, sess.Suspend(t.Context(), "minting", "next"))
	require.ErrorContains(t, readBy1(t, dir), "cannot unmarshal non-string into Go struct field")
	state, err := store.Load(t.Context(), ref)
	require.NoError(t, err)
	require.Equal(t, pending, state.Pending)
	for _, leaf := range state.Leaves {
		if leaf.ID != "ended" {
			require.Equal(t, session.StatusRevoked, leaf.Status, leaf.ID)
		}
	}
}

func TestANewerFormIsRefused(t *testing.T) {
	dir := t.TempDir()
	store, err := tsstore.OpenPlaintext(dir, storefixture.Chain)
	require.NoError(t, err)
	ref := storefixture.Ref(storefixture.Chain, 1)
	path := filepath.Join(dir, "0x000000000000000000000000000000000acc0001_sessions.json")
	require.NoError(t, os.WriteFile(path, []byte(`{"merkleRoot": "", "leafNodes": [], "sesame": {"format": 4, "chainID": {"id": 80002}}}`), 0o600))
	_, err = store.Load(t.Context(), ref)
	require.ErrorContains(t, err, "sesame: has form 4, this program knows up to 3; update the program")
}
