package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/testutil/pgtest"
)

// TestDay lives through a day of a second.
func TestDay(t *testing.T) {
	var out bytes.Buffer
	err := run(t.Context(), &options{accounts: 100, users: 3, connections: 4, peak: 20, day: time.Second, block: 100 * time.Millisecond}, &out, io.Discard)
	if errors.Is(err, pgtest.ErrNoServer) && os.Getenv("SESAME_REQUIRE_POSTGRES") != "1" {
		t.Skip(err)
	}
	require.NoError(t, err)
	require.Regexp(t, `sesame_sessions\s+103 `, out.String())
	require.NotContains(t, out.String(), "failed")
	require.Regexp(t, `(?s)A send, of \d+.*requests .* to the node.*write-ahead log.*MB resident`, out.String())
}

func TestFlags(t *testing.T) {
	for _, args := range [][]string{{"now"}, {"-users", "0"}, {"-day", "0s"}} {
		_, err := parse(args, io.Discard)
		require.Error(t, err, args)
	}
	o, err := parse(nil, io.Discard)
	require.NoError(t, err)
	require.InDelta(t, night*o.peak, o.rate(0), 1e-9)
	require.InDelta(t, o.peak, o.rate(o.day/2), 1e-9)
}
