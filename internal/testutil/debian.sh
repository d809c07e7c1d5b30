#!/bin/sh
# debian.sh FOR PACKAGE INSTEAD: installs a Debian package that tests need. It says what it installs and how to do
# without, and asks for no password: where it would have to, it stops with the command to run.
set -eu
for=$1 package=$2 instead=$3

fail() {
	echo "$for: $1" >&2
	echo "$for: to do without, $instead" >&2
	exit 1
}

command -v apt-get >/dev/null || fail "there is none, and no apt-get to install $package with"
as_root=
if [ "$(id -u)" -ne 0 ]; then
	if ! { command -v sudo && sudo -n true; } >/dev/null 2>&1; then
		fail "there is none, and installing it needs a password; run: sudo apt-get install -y --no-install-recommends $package"
	fi
	as_root="sudo -n"
fi
echo "$for: there is none: installing Debian's package $package; to do without, stop this and $instead" >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { $as_root apt-get update && $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$package"; } >"$log" 2>&1; then
	tail -n 20 "$log" >&2
	fail "apt-get could not install $package"
fi
