#!/bin/sh
# Writes requirements/*.lock from requirements/*.in: exact versions with hashes, no address of any index.
set -eu
cd "$(dirname -- "$0")/.."
. scripts/say.sh
scripts/venv.sh runtime
workshop=$(mktemp -d)
trap 'rm -rf "$workshop"' EXIT
.venv/bin/python -m venv "$workshop"
"$workshop/bin/python" -m pip install --quiet --disable-pip-version-check pip-tools
for name in runtime test node bench; do
    say "requirements/$name.lock"
    "$workshop/bin/pip-compile" --quiet --upgrade --generate-hashes --strip-extras --allow-unsafe --no-header \
        --no-emit-index-url --no-emit-find-links --no-emit-trusted-host -o "requirements/$name.lock" "requirements/$name.in"
done
