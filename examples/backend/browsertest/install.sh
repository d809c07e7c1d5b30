#!/bin/sh
# Installs Debian's Chromium where the browser tests would find none. Does nothing if one is there.
set -eu

fail() {
	echo "$1" >&2
	echo "Install Chromium or Chrome, so that chromium or google-chrome is in the PATH." >&2
	exit 1
}

installed() {
	for name in chromium chromium-browser google-chrome google-chrome-stable; do
		command -v "$name" >/dev/null && return 0
	done
	return 1
}

if installed; then
	exit 0
fi
command -v apt-get >/dev/null || fail "There is no browser, and no apt-get to install one with."
as_root=
if [ "$(id -u)" -ne 0 ]; then
	command -v sudo >/dev/null || fail "There is no browser, and installing one needs root or sudo."
	as_root=sudo
fi
$as_root apt-get update || fail "There is no browser, and apt-get update failed."
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends chromium || fail "There is no browser, and apt-get could not install one."
installed || fail "Debian's package chromium is installed, but there is no chromium."
