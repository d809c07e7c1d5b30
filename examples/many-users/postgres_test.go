package main

import (
	"testing"

	"github.com/go-sesame/sesame/internal/testutil/pgtest"
)

// In the library's own tree there is a private PostgreSQL for tests. A copy of this program elsewhere goes
// without this file, and names a database of its own instead.
func init() {
	server := new(pgtest.Server)
	privateDatabase = func(t *testing.T) string { return server.URL(t) }
	closePrivateDatabase = server.Close
}
