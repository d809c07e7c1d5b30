package pgstore

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/go-sesame/sesame/session"
)

// parse reads a connection string. Its errors quote nothing of it.
func parse(connString string) (*pgxpool.Config, error) {
	if err := checkURL(connString); err != nil {
		return nil, err
	}
	config, err := pgxpool.ParseConfig(connString)
	if err != nil {
		return nil, fmt.Errorf("%w: PostgreSQL connection string: %s; want postgres://user:password@host:5432/database or key=value pairs", session.ErrInvalid, parseReason(err))
	}
	return config, nil
}

// checkURL refuses a URL with a character in its password that ends the password, as a reader sees it:
// the rest would be taken for a host or a database, which errors name.
func checkURL(connString string) error {
	scheme, rest, _ := strings.Cut(connString, "://")
	if scheme != "postgres" && scheme != "postgresql" {
		return nil // key=value pairs, or something that pgx refuses
	}
	if at := strings.LastIndexByte(rest, '@'); at != strings.IndexByte(rest, '@') || at > strings.IndexAny(rest+"/", "/?#") {
		return fmt.Errorf("%w: PostgreSQL connection URL: more than one @, or one after / ? #; write these in a user name or password as %%40 %%2F %%3F %%23", session.ErrInvalid)
	}
	return nil
}

// parseReason returns what pgx says of the string without quoting from it. pgx puts the string, with
// what it finds to be the password blotted out, in front, and a value or a cause at the end.
func parseReason(err error) string {
	text := err.Error()
	at := strings.LastIndex(text, "`: ")
	if at < 0 {
		return "cannot be read"
	}
	reason, _, _ := strings.Cut(text[at+len("`: "):], " (")
	reason, _, _ = strings.Cut(reason, ":")
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
