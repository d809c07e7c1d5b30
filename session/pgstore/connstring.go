package pgstore

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/go-sesame/sesame/session/policy"
)

// parse reads a connection string. Its errors quote nothing of it.
func parse(connString string) (*pgxpool.Config, error) {
	switch strings.Trim(connString, " \t\r\n/") {
	case "", "postgres:", "postgresql:": // libpq would take what the environment names, or a server of this machine
		return nil, fmt.Errorf("%w: PostgreSQL connection string is empty; want postgres://user:password@host:5432/database or key=value pairs", policy.ErrInvalid)
	}
	if err := checkURL(connString); err != nil {
		return nil, err
	}
	config, err := pgxpool.ParseConfig(connString)
	if err != nil {
		return nil, fmt.Errorf("%w: PostgreSQL connection string: %s; want postgres://user:password@host:5432/database or key=value pairs", policy.ErrInvalid, parseReason(err))
	}
	return config, nil
}

// checkURL refuses a URL with a character in its password that ends the password, as a reader sees it: the
// rest would be taken for a host or a database, which errors name.
func checkURL(connString string) error {
	scheme, rest, _ := strings.Cut(connString, "://")
	if scheme != "postgres" && scheme != "postgresql" {
		return nil // key=value pairs, or something that pgx refuses
	}
	if at := strings.LastIndexByte(rest, '@'); at != strings.IndexByte(rest, '@') || at > strings.IndexAny(rest+"/", "/?#") {
		return fmt.Errorf("%w: PostgreSQL connection URL: more than one @, or one after / ? #; write these in a user name or password as %%40 %%2F %%3F %%23", policy.ErrInvalid)
	}
	return nil
}

// parseReasons are what pgx says of a string that it cannot read, without the value or the cause that it
// adds.
var parseReasons = []string{
	"failed to parse as URL",
	"failed to parse as keyword/value",
	"failed to read service",
	"failed to configure TLS",
	"could not match",
	"invalid port",
	"invalid connect_timeout",
	"invalid sslcertmode",
	"invalid require_auth",
	"invalid min_protocol_version",
	"invalid max_protocol_version",
	"min_protocol_version cannot be greater than max_protocol_version",
	"invalid default_query_exec_mode",
	"unknown target_session_attrs value",
	"unknown channel_binding value",
	"cannot parse statement_cache_capacity",
	"cannot parse description_cache_capacity",
	"cannot parse pool_max_conns",
	"pool_max_conns too small",
	"cannot parse pool_min_conns",
	"cannot parse pool_min_idle_conns",
	"cannot parse pool_max_conn_lifetime",
	"cannot parse pool_max_conn_idle_time",
	"cannot parse pool_health_check_period",
	"cannot parse pool_max_conn_lifetime_jitter",
	"cannot parse pool_ping_timeout",
}

// parseReason returns what pgx says of the string, in words that are known: its error quotes the string, with
// what it takes for the password blotted out, and where a string ends that is not one is anybody's guess.
func parseReason(err error) string {
	text, reason, last := err.Error(), "cannot be read", -1
	for _, known := range parseReasons {
		if at := strings.LastIndex(text, "`: "+known); at >= last && at >= 0 {
			reason, last = known, at // the longer one, where two begin alike
		}
	}
	if reason == "could not match" {
		return "as many ports as hosts are wanted"
	}
	return reason
}

// requirePrimary refuses a connection to a server that takes no writes, and lets pgx try the next host.
func requirePrimary(ctx context.Context, conn *pgconn.PgConn) error {
	err := pgconn.ValidateConnectTargetSessionAttrsReadWrite(ctx, conn)
	if err != nil {
		return fmt.Errorf("%w: a standby cannot say what is revoked, connect to the primary", err)
	}
	return nil
}
