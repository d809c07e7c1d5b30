#!/bin/sh
# Installs PostgreSQL's server from Debian's package where tests would find none. Does nothing if one is
# there, or if SESAME_TEST_POSTGRES_URL names another.
set -eu

[ -z "${SESAME_TEST_POSTGRES_URL:-}" ] || exit 0
command -v initdb >/dev/null && exit 0
for initdb in /usr/lib/postgresql/*/bin/initdb; do
	[ ! -x "$initdb" ] || exit 0
done
exec "$(dirname "$0")/../debian.sh" postgres postgresql \
	"set SESAME_TEST_POSTGRES_URL to a server of PostgreSQL 13 or newer, or run a plain: go test ./..."
