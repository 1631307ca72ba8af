#!/bin/sh
# Chromium for pictures and browser tests. As root it installs Debian's package; otherwise it says what to install.
set -eu
cd "$(dirname -- "$0")/.."
. scripts/say.sh
for name in "${CHROMIUM:-}" chromium chromium-browser google-chrome; do
    [ -z "$name" ] || ! command -v "$name" >/dev/null 2>&1 || exit 0
done
command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ] || die "Chromium is needed for pictures and browser tests (Debian: apt install chromium), or name one: CHROMIUM=/path/to/chromium"
mkdir -p var/log
install_it() { apt-get update || true; DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends chromium; }
say "Installing Debian's chromium (once)"
step "chromium" var/log/chromium.log install_it || die "Chromium could not be installed; the log is in var/log/chromium.log"
