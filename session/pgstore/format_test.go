package pgstore_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/testutil/pgtest"
	"github.com/go-sesame/sesame/internal/testutil/storefixture"
	"github.com/go-sesame/sesame/session/pgstore"
)

// writeFixture has [TestWriteFixture] keep what the store of today writes: go test ./session/pgstore -run
// WriteFixture -fixture testdata/schema2.sql. It takes pg_dump.
var writeFixture = flag.String("fixture", "", "file to write a dump of today's schema to")

// The holders of the fixture's lanes; the second released its own.
const (
	laneHolder   = "worker 1"
	laneReleaser = "worker 2"
)

// psqlOnly are the lines of a dump that a server does not take.
var psqlOnly = regexp.MustCompile(`(?m)^(\\|SET |SELECT pg_catalog\.set_config|CREATE SCHEMA).*\n`)

func TestWriteFixture(t *testing.T) {
	if *writeFixture == "" {
		t.Log("writes nothing unless it is told where")
		return
	}
	url := server.URL(t)
	schema := query(t, url, `select current_schema()`)
	aead, err := storefixture.Sealer()
	require.NoError(t, err)
	store, err := pgstore.Open(t.Context(), url, pgstore.Config{Sealer: aead})
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Close()) }()
	require.NoError(t, storefixture.Write(t.Context(), store, 0))
	ref := storefixture.Ref(storefixture.Chain, 1)
	held, err := store.LeaseLane(t.Context(), ref, laneHolder, time.Hour)
	require.NoError(t, err)
	free, err := store.LeaseLane(t.Context(), ref, laneReleaser, time.Hour)
	require.NoError(t, err)
	require.NoError(t, store.ReleaseLane(t.Context(), ref, free, laneReleaser))

	dump, err := exec.Command("pg_dump", "--no-owner", "--no-privileges", "--inserts", "--schema", schema, server.Root(t)).Output()
	require.NoError(t, err)
	text := psqlOnly.ReplaceAllString(strings.ReplaceAll(string(dump), schema+".", ""), "")
	text = fmt.Sprintf("-- lanes: %s %s\n%s", held.Hex(), free.Hex(), text)
	require.NoError(t, os.MkdirAll(filepath.Dir(*writeFixture), 0o755))
	require.NoError(t, os.WriteFile(*writeFixture, []byte(text), 0o644))
}

// fixture restores a dump in a schema of its own, and returns the lanes in it: one that is held, and one that
// is free.
func fixture(t *testing.T, name string) (url string, held, free uint256.Int) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	var first, second string
	_, err = fmt.Sscanf(string(text), "-- lanes: %s %s\n", &first, &second)
	require.NoError(t, err)
	url = server.URL(t)
	pgtest.Exec(t, url, string(text))
	return url, *uint256.MustFromHex(first), *uint256.MustFromHex(second)
}

// TestFixtures opens what the stores of all schemas wrote.
func TestFixtures(t *testing.T) {
	for _, name := range []string{"schema1.sql"} {
		t.Run(name, func(t *testing.T) {
			url, held, free := fixture(t, name)
			aead, err := storefixture.Sealer()
			require.NoError(t, err)
			store, err := pgstore.Open(t.Context(), url, pgstore.Config{Sealer: aead})
			require.NoError(t, err)
			defer func() { require.NoError(t, store.Close()) }()
			require.NoError(t, storefixture.Require(t.Context(), store, 0))
			ref := storefixture.Ref(storefixture.Chain, 1)
			leased, err := store.LeaseLane(t.Context(), ref, laneReleaser, time.Hour)
			require.NoError(t, err)
			require.Equal(t, free, leased, "the one that was released")
			require.NoError(t, store.RenewLane(t.Context(), ref, held, laneHolder, time.Hour))
		})
	}
}
