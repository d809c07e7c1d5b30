package pgstore_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/testutil/pgtest"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/pgstore"
	"github.com/go-sesame/sesame/session/policy"
)

const password = "hunter-2-pw"

// requireSecret searches an error, in every form that a log might give it, for the password.
func requireSecret(t *testing.T, err error) {
	t.Helper()
	require.Error(t, err)
	encoded, _ := json.Marshal(map[string]any{"error": err})
	for e := err; e != nil; e = errors.Unwrap(e) {
		require.NotContains(t, fmt.Sprintf("%v %+v %#v", e, e, e), password)
		value, _ := json.Marshal(e)
		encoded = append(encoded, value...)
	}
	require.NotContains(t, string(encoded), password)
	var parsing *pgconn.ParseConfigError
	require.False(t, errors.As(err, &parsing), "which carries the string")
	var connecting *pgconn.ConnectError
	require.False(t, errors.As(err, &connecting), "which carries the configuration")
}

// TestConnectionStringsThatFail has no server to connect to.
func TestConnectionStringsThatFail(t *testing.T) {
	const ambiguous = "invalid input: PostgreSQL connection URL: more than one @, or one after / ? #; write these in a user name or password as %40 %2F %3F %23"
	const form = "; want postgres://user:password@host:5432/database or key=value pairs"
	for connString, want := range map[string]string{
		"postgres://u:" + password + "@%zz/d":                                  "invalid input: PostgreSQL connection string: failed to parse as URL" + form,
		"postgres://u:p@" + password + "@127.0.0.1/d":                          ambiguous,
		"postgresql://u:12/" + password + "@127.0.0.1/d":                       ambiguous,
		"postgres://u:12?" + password + "@127.0.0.1/d":                         ambiguous,
		"postgres://u:12#" + password + "@127.0.0.1/d":                         ambiguous,
		"postgres://u:" + password + "@127.0.0.1:x/d":                          "invalid input: PostgreSQL connection string: invalid port" + form,
		"postgres://u:" + password + "@127.0.0.1/d?sslmode=maybe":              "invalid input: PostgreSQL connection string: failed to configure TLS" + form,
		"postgres://u:" + password + "@127.0.0.1/d?pool_max_conns=many":        "invalid input: PostgreSQL connection string: cannot parse pool_max_conns" + form,
		"postgres://u:" + password + "@127.0.0.1/d?target_session_attrs=maybe": "invalid input: PostgreSQL connection string: unknown target_session_attrs value" + form,
		"postgres://u:" + password + "@h1:1,h2:2,h3/d?port=1,2":                "invalid input: PostgreSQL connection string: as many ports as hosts are wanted" + form,
		"postgres://u:" + password + "@h/d?pool_max_conn_lifetime_jitter=x":    "invalid input: PostgreSQL connection string: cannot parse pool_max_conn_lifetime_jitter" + form,
		"postgres://u:`: " + password + "Uh?sslmode=U: x":                      "invalid input: PostgreSQL connection string: failed to parse as URL" + form,
		"host=127.0.0.1 password='" + password:                                 "invalid input: PostgreSQL connection string: failed to parse as keyword/value" + form,
		password:                                                               "invalid input: PostgreSQL connection string: failed to parse as keyword/value" + form,
		"http://u:" + password + "@127.0.0.1/d":                                "invalid input: PostgreSQL connection string: failed to parse as keyword/value" + form,
	} {
		t.Run(want, func(t *testing.T) {
			_, err := pgstore.Open(t.Context(), connString, pgstore.Config{})
			require.EqualError(t, err, want)
			require.ErrorIs(t, err, policy.ErrInvalid)
			requireSecret(t, err)
		})
	}
}

// An empty string is no server: neither libpq's environment variables nor its defaults stand in for it.
func TestAnEmptyConnectionString(t *testing.T) {
	const want = "invalid input: PostgreSQL connection string is empty; want postgres://user:password@host:5432/database or key=value pairs"
	for name, value := range map[string]string{"PGHOST": "127.0.0.1", "PGPORT": "1", "PGUSER": "someone", "PGDATABASE": "sessions", "PGPASSWORD": password} {
		t.Setenv(name, value)
	}
	for _, connString := range []string{"", " \n", "postgres://", "postgresql:///", " postgres:// "} {
		_, err := pgstore.Open(t.Context(), connString, pgstore.Config{})
		require.EqualError(t, err, want)
		require.ErrorIs(t, err, policy.ErrInvalid)
	}
}

// The host, the cause once, and the way out.
func TestAServerThatIsDown(t *testing.T) {
	for connString, want := range map[string]string{
		"postgres://u:" + password + "@127.0.0.1:1/d":                    "check session schema: failed to connect to `user=u database=d`: 127.0.0.1:1 (127.0.0.1): connect: connection refused; check that the server runs, and the host and port in the connection string",
		"postgres://u:" + password + "@127.0.0.1:1/d?sslmode=disable":    "check session schema: failed to connect to `user=u database=d`: 127.0.0.1:1 (127.0.0.1): connect: connection refused; check that the server runs, and the host and port in the connection string",
		"postgres://u:" + password + "@127.0.0.1:1,127.0.0.1:2/d":        "check session schema: failed to connect to `user=u database=d`: 127.0.0.1:1 (127.0.0.1): connect: connection refused, 127.0.0.1:2 (127.0.0.1): connect: connection refused; check that the server runs, and the host and port in the connection string",
		"postgres://u:" + password + "@/d?host=/nowhere&sslmode=disable": "check session schema: failed to connect to `user=u database=d`: /nowhere/.s.PGSQL.5432 (/nowhere): connect: no such file or directory; check that the server runs, and the host and port in the connection string",
	} {
		_, err := pgstore.Open(t.Context(), connString, pgstore.Config{})
		require.EqualError(t, err, want)
		requireSecret(t, err)
	}
}

func TestServerOutOfReach(t *testing.T) {
	for _, connString := range []string{
		"postgres://someone:" + password + "@127.0.0.1:1/sessions?sslmode=disable",
		"postgres://someone:hunter%2D2-pw@127.0.0.1:1/sessions?sslmode=disable",
		"host=127.0.0.1 port=1 user=someone password=" + password + " dbname=sessions sslmode=disable",
		"postgres://" + password + ":" + password + "@127.0.0.1:1/" + password + "?sslmode=disable",
	} {
		_, err := pgstore.Open(t.Context(), connString, pgstore.Config{})
		require.ErrorContains(t, err, "check session schema: failed to connect to `user=")
		require.ErrorContains(t, err, "connection refused")
		requireSecret(t, err)
	}
}

// TestServerRefuses is told by a real server that it does not want us.
func TestServerRefuses(t *testing.T) {
	url := pgtest.With(server.URL(t), "password", password)
	for name, test := range map[string]struct{ url, want string }{
		"no database": {pgtest.With(url, "dbname", "sesame_nowhere"), `database "sesame_nowhere" does not exist (SQLSTATE 3D000); create the database or name another in the connection string`},
		"no setting":  {pgtest.With(url, "sesame_unknown", "x"), `unrecognized configuration parameter "sesame_unknown"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := pgstore.Open(t.Context(), test.url, pgstore.Config{})
			require.ErrorContains(t, err, test.want)
			requireSecret(t, err)
		})
	}
}

func TestPrintsNoConnectionString(t *testing.T) {
	store := open(t, pgtest.With(server.URL(t), "password", password))
	_, err := store.Load(t.Context(), testRef)
	require.ErrorIs(t, err, session.ErrNotFound)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		require.Equal(t, "pgstore.Store", fmt.Sprintf(verb, store))
	}
	require.Equal(t, "pgstore.Store", store.LogValue().String())
}

// FuzzParse writes a password into URLs that may be wrong in any way: no error quotes it, and it is not taken
// for a part of the URL that errors name.
func FuzzParse(f *testing.F) {
	for _, seed := range [][2]string{{"", "@h/d"}, {"a@", "@h/d"}, {"a/", "@h/d"}, {"a", "?@h/d"}, {"", "/d"}, {"", "@h:x/d"}, {"%zz", "@h"}, {"`: ", "@h?sslmode=`: x"}, {"", "@h/d?sslmode=no"}, {"`: ", "Uh?sslmode=U: x"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, before, after string) {
		if strings.ContainsAny(before, "@/?#") && !strings.Contains(after, "@") {
			return // ends the password as anybody reads it
		}
		config, err := pgstore.Parse("postgres://user:" + before + password + after)
		if err != nil {
			require.NotContains(t, err.Error(), password)
			require.ErrorIs(t, err, policy.ErrInvalid)
			return
		}
		conn := config.ConnConfig
		require.NotContains(t, fmt.Sprint(conn.Host, conn.Port, conn.User, conn.Database), password)
	})
}
