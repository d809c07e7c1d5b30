#!/bin/sh
# Installs Debian's Chromium where the browser tests would find none. Does nothing if one is there.
set -eu

for name in chromium chromium-browser google-chrome google-chrome-stable; do
	! command -v "$name" >/dev/null || exit 0
done
exec "$(dirname "$0")/../../../internal/testutil/debian.sh" browser chromium \
	"put chromium or google-chrome into the PATH, or leave this test out"
