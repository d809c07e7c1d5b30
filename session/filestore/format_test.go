package filestore_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/testutil/storefixture"
	"github.com/go-sesame/sesame/session/filestore"
)

// writeFixture has [TestWriteFixture] keep what the store of today writes: go test ./session/filestore -run
// WriteFixture -fixture testdata/format4.
var writeFixture = flag.String("fixture", "", "directory to write a fixture of today's format to")

// The holders of the fixture's lanes; the second released its own.
const (
	laneHolder   = "worker 1"
	laneReleaser = "worker 2"
)

func TestWriteFixture(t *testing.T) {
	if *writeFixture == "" {
		t.Log("writes nothing unless it is told where")
		return
	}
	dir := filepath.Join(t.TempDir(), "store")
	aead, err := storefixture.Sealer()
	require.NoError(t, err)
	store, err := filestore.Open(dir, filestore.Config{Sealer: aead})
	require.NoError(t, err)
	require.NoError(t, storefixture.Write(t.Context(), store, 0))
	ref := storefixture.Ref(storefixture.Chain, 1)
	held, err := store.LeaseLane(t.Context(), ref, laneHolder, time.Hour)
	require.NoError(t, err)
	free, err := store.LeaseLane(t.Context(), ref, laneReleaser, time.Hour)
	require.NoError(t, err)
	require.NoError(t, store.ReleaseLane(t.Context(), ref, free, laneReleaser))
	require.NoError(t, store.Close())

	require.NoError(t, os.MkdirAll(*writeFixture, 0o755))
	data, err := os.ReadFile(filepath.Join(dir, "sessions.db"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(*writeFixture, "sessions.db"), data, 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(*writeFixture, "lanes.txt"), []byte(held.Hex()+"\n"+free.Hex()+"\n"), 0o644))
}

// fixture copies a fixture to where a store may be opened, and returns the lanes in it: one that is held, and
// one that is free.
func fixture(t *testing.T, name string) (dir string, held, free uint256.Int) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "store")
	require.NoError(t, os.Mkdir(dir, 0o700))
	data, err := os.ReadFile(filepath.Join("testdata", name, "sessions.db"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "sessions.db"), data, 0o600))
	text, err := os.ReadFile(filepath.Join("testdata", name, "lanes.txt"))
	require.NoError(t, err)
	lanes := strings.Fields(string(text))
	require.Len(t, lanes, 2)
	return dir, *uint256.MustFromHex(lanes[0]), *uint256.MustFromHex(lanes[1])
}

// TestFixtures opens what the stores of all formats wrote.
func TestFixtures(t *testing.T) {
	for name, form := range map[string]int{"format1": 1, "format2": 2, "format3": 3} {
		t.Run(name, func(t *testing.T) {
			dir, held, free := fixture(t, name)
			aead, err := storefixture.Sealer()
			require.NoError(t, err)
			store, err := filestore.Open(dir, filestore.Config{Sealer: aead})
			require.NoError(t, err)
			defer func() { require.NoError(t, store.Close()) }()
			require.NoError(t, storefixture.Require(t.Context(), store, form, 0))
			ref := storefixture.Ref(storefixture.Chain, 1)
			leased, err := store.LeaseLane(t.Context(), ref, laneReleaser, time.Hour)
			require.NoError(t, err)
			require.Equal(t, free, leased, "the one that was released")
			require.NoError(t, store.RenewLane(t.Context(), ref, held, laneHolder, time.Hour))
		})
	}
}
