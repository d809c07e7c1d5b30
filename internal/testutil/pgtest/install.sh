#!/bin/sh
# Installs PostgreSQL's server from Debian's package where tests would find none. Does nothing if one is
# there, or if SESAME_TEST_POSTGRES_URL names another.
set -eu

fail() {
	echo "$1" >&2
	echo "Install PostgreSQL 13 or newer (initdb, pg_ctl, postgres), or set SESAME_TEST_POSTGRES_URL." >&2
	exit 1
}

installed() {
	command -v initdb >/dev/null && return 0
	for initdb in /usr/lib/postgresql/*/bin/initdb; do
		[ -x "$initdb" ] && return 0
	done
	return 1
}

if [ -n "${SESAME_TEST_POSTGRES_URL:-}" ] || installed; then
	exit 0
fi
command -v apt-get >/dev/null || fail "PostgreSQL is missing, and there is no apt-get to install it with."

as_root=
if [ "$(id -u)" -ne 0 ]; then
	command -v sudo >/dev/null || fail "PostgreSQL is missing, and installing it needs root or sudo."
	as_root=sudo
fi
$as_root apt-get update || fail "PostgreSQL is missing, and apt-get update failed."
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y postgresql || fail "PostgreSQL is missing, and apt-get could not install it."
installed || fail "Debian's package postgresql is installed, but it has no initdb."
