#!/bin/sh
# Installs query-exporter, which `make bench` measures beside ours, into var/bench/peer. Does nothing when it is there as the lock says.
set -eu
cd "$(dirname -- "$0")/.."
. scripts/say.sh
place=var/bench/peer
stamp=$({ .venv/bin/python --version; pwd; cat requirements/bench.lock; } | cksum)
[ "$(cat "$place/.stamp" 2>/dev/null || true)" != "$stamp" ] || exit 0
mkdir -p var/log
rm -rf "$place"
say "Installing query-exporter into $place (once)"
step "virtual environment" var/log/peer-venv.log .venv/bin/python -m venv --without-pip "$place"
step "packages" var/log/peer.log .venv/bin/python -m pip --python "$place/bin/python" install --no-compile --disable-pip-version-check --no-input --no-cache-dir --require-hashes -r requirements/bench.lock ||
    die "query-exporter could not be installed; the whole log is in var/log/peer.log"
step "their modules" var/log/peer-compile.log compiled "$place"
printf '%s\n' "$stamp" >"$place/.stamp"
