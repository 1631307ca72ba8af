#!/bin/sh
# Makes .venv from the locked dependencies, each checked against its hash. `venv.sh runtime` or `venv.sh test`. Does nothing when
# .venv already holds what the lock files say.
set -eu
cd "$(dirname -- "$0")/.."
. scripts/say.sh
locks="-r requirements/runtime.lock"
[ "${1:-runtime}" = runtime ] || locks="$locks -r requirements/test.lock"

python=""
for candidate in "${PYTHON:-}" python3 python3.14 python3.13 python3.12 python3.11; do
    [ -n "$candidate" ] && command -v "$candidate" >/dev/null 2>&1 || continue
    "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && python=$candidate && break
done
[ -n "$python" ] || die "Python 3.11 or newer is needed and was not found. Install it (Debian: apt install python3 python3-venv) or name it: make PYTHON=/path/to/python3"
"$python" -c 'import ensurepip, venv' 2>/dev/null || die "$python has no venv module. Debian: apt install python3-venv"

# A stamp per set of locks: the test set contains the runtime set. The interpreter's version is part of it, for .venv is bound to it.
stamp() { { "$python" --version; pwd; for lock in "$@"; do cat "requirements/$lock.lock"; done; cat pyproject.toml; } | cksum; }
runtime_stamp=$(stamp runtime)
test_stamp=$(stamp runtime test)
have=$(cat .venv/.stamp 2>/dev/null || true)
[ "$have" != "$test_stamp" ] || exit 0
[ "$have" != "$runtime_stamp" ] || [ "${1:-runtime}" != runtime ] || exit 0

mkdir -p var/log
say "Installing the Python packages of requirements/ into .venv (once)"
if [ -z "$have" ] || ! .venv/bin/python -c '' 2>/dev/null; then
    rm -rf .venv
    step "virtual environment" var/log/venv.log "$python" -m venv .venv
fi
rm -f .venv/.stamp
# shellcheck disable=SC2086
step "packages" var/log/pip.log .venv/bin/python -m pip install --no-compile --disable-pip-version-check --no-input --no-cache-dir --require-hashes $locks ||
    die "The packages could not be installed; the whole log is in var/log/pip.log"
step "their modules" var/log/compile.log compiled .venv
step "the command observatory" var/log/pip-self.log .venv/bin/python -m pip install --disable-pip-version-check --no-input --no-cache-dir --no-deps --no-build-isolation -e . ||
    die "The command could not be installed; the whole log is in var/log/pip-self.log"
rm -rf agent_observatory.egg-info
if [ "${1:-runtime}" = runtime ]; then printf '%s\n' "$runtime_stamp" >.venv/.stamp; else printf '%s\n' "$test_stamp" >.venv/.stamp; fi
