// Package pgtest gives tests a PostgreSQL server of their own: a private cluster, started on first use from
// the binaries on the machine, in a temporary directory, listening on a socket in there and nowhere else, and
// removed at the end, also when the tests are killed.
//
//	var server pgtest.Server
//
//	func TestMain(m *testing.M) {
//		code := m.Run()
//		server.Close()
//		os.Exit(code)
//	}
//
//	func TestStore(t *testing.T) {
//		pool, err := pgxpool.New(t.Context(), server.URL(t)) // in a schema for this test alone
//		…
//	}
//
// SESAME_TEST_POSTGRES_URL names another server to use, as a superuser. Where there is neither that nor
// initdb, tests that need a server are skipped, or fail if SESAME_REQUIRE_POSTGRES=1. install.sh installs
// Debian's package where the binaries are missing.
//
// The cluster runs without fsync: tests kill its clients, never the server itself. PostgreSQL does not run as
// root, so root's tests run it as the user postgres or nobody.
package pgtest
