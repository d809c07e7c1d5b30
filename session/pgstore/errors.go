package pgstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/go-sesame/sesame/session"
)

// ErrSchema means that the database's schema is of a newer version than this package knows. Nothing is signed
// or changed with it.
var ErrSchema = errors.New("session schema is newer than the program")

// damagedData is the SQLSTATE with which the schema's functions refuse rows that do not fit their checksums.
const damagedData = "SES02"

// damaged says what of an account's data is not as it was written.
func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s; restore the database from a backup", session.ErrDamaged, fmt.Sprintf(format, args...))
}

// damagedRow is damaged for a row that does not fit its checksum.
func damagedRow(row string) error {
	return damaged("%s was changed by something else than this program", row)
}

// refusedProgram is the SQLSTATE with which the schema's functions refuse a program that is behind it.
const refusedProgram = "SES01"

// waysOut says what to do about an SQLSTATE of the server's.
var waysOut = map[string]string{
	"0A000": "this is a standby: connect to the primary",
	"25006": "this is a standby or a read-only database: connect to the primary",
	"28000": "check user and database in the connection string and the server's pg_hba.conf",
	"28P01": "check the password in the connection string",
	"3D000": "create the database or name another in the connection string",
	"3F000": "create the schema that search_path names",
	"42501": "grant the role SELECT, INSERT, UPDATE and DELETE on the sesame_ tables, or let one that may create tables open the store once",
	"42P01": "the schema was changed by hand or search_path names another: open the store again to have it made",
	"53100": "free space on the server's disk; nothing was changed",
	"53200": "the server is out of memory; nothing was changed",
	"53300": "lower pool_max_conns or raise the server's max_connections",
	"57P03": "the server is starting or stopping; try again",
}

// explain says what failed and, where it is known, what to do. Neither the text nor the wrapped errors hold
// the connection's password; pgx's error that carries a whole configuration is left out.
func explain(doing string, config *pgx.ConnConfig, err error) error {
	text, cause := err.Error(), err
	var refused *pgconn.ConnectError
	if errors.As(err, &refused) {
		text, cause = connecting(refused), refused.Unwrap()
	}
	if config.Password != "" {
		text = strings.ReplaceAll(text, config.Password, "xxxxx")
	}
	if late := errors.Is(err, errSlow); text != err.Error() || refused != nil {
		err = &redacted{text, cause}
		if late && refused != nil {
			err = fmt.Errorf("%w: %w", errSlow, err)
		}
	}
	if answer, ok := errors.AsType[*pgconn.PgError](err); ok && answer.Code == damagedData {
		return fmt.Errorf("%s: %w", doing, damagedRow(answer.Message))
	}
	if code(err) == refusedProgram {
		return fmt.Errorf("%s: %w: %w", doing, ErrSchema, err)
	}
	if way := wayOut(err); way != "" && !strings.HasSuffix(text, way) {
		return fmt.Errorf("%s: %w; %s", doing, err, way)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// wayOut is what to do about err, empty where that is not known.
func wayOut(err error) string {
	var (
		name *net.DNSError
		dial *net.OpError
	)
	switch way, ok := waysOut[code(err)]; {
	case ok:
		return way
	case errors.As(err, &name):
		return "check the host in the connection string"
	case errors.As(err, &dial) && dial.Op == "dial":
		return "check that the server runs, and the host and port in the connection string"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection to the database broke; see whether the server runs"
	}
	return ""
}

// connecting says in one line why there is no connection. pgx tries an address with and without TLS, and says
// so of each: what is the same is told once.
func connecting(refused *pgconn.ConnectError) string {
	lines := strings.Split(refused.Error(), "\n\t")
	for i, line := range lines {
		lines[i] = dialing.ReplaceAllString(line, "")
	}
	var tries []string
	for _, line := range lines[1:] {
		if !slices.Contains(tries, line) {
			tries = append(tries, line)
		}
	}
	return strings.TrimSpace(lines[0] + " " + strings.Join(tries, ", "))
}

// dialing repeats the address that pgx put before it.
var dialing = regexp.MustCompile(`\bdial error: dial (tcp|unix) \S+: `)

// redacted stands for an error whose own text, or value, is not for everybody.
type redacted struct {
	text  string
	cause error
}

func (e *redacted) Error() string { return e.text }

func (e *redacted) Unwrap() error { return e.cause }

// fail is [explain] for what s did while ctx bounded it.
func (s *Store) fail(ctx context.Context, doing string, err error) error {
	if s.closed.Load() {
		return fmt.Errorf("%s: %w", doing, session.ErrClosed)
	}
	err = explain(doing, s.pool.Config().ConnConfig, err)
	if ended := ctx.Err(); ended != nil && !errors.Is(err, ended) {
		return fmt.Errorf("%w: %w", err, ended)
	}
	return err
}
