#!/bin/sh
# Puts PgBouncer, through which tests go to PostgreSQL, into .tools/pgbouncer by unpacking Debian's package and the libraries that
# it loads: needs no root, starts no service. One on PATH, or named by OBSERVATORY_PGBOUNCER, is used instead. Where none can be
# had it says what to install and ends well: only the tests that need it fail then.
set -eu
cd "$(dirname -- "$0")/.."
. scripts/say.sh
place=.tools/pgbouncer

if [ -n "${OBSERVATORY_PGBOUNCER:-}" ]; then
    [ -x "$OBSERVATORY_PGBOUNCER" ] || die "OBSERVATORY_PGBOUNCER=$OBSERVATORY_PGBOUNCER is not a program"
    exit 0
fi
PATH=$PATH:/usr/sbin:/usr/local/sbin command -v pgbouncer >/dev/null 2>&1 && exit 0
[ ! -e "$place/.complete" ] || exit 0

missing() {
    say "Missing: PgBouncer. $1"
    say "Install it (Debian: apt install pgbouncer; elsewhere: pgbouncer.org) so that it is on PATH, or name it with"
    say "OBSERVATORY_PGBOUNCER. Going on without: the tests that go through a pooler will fail."
    exit 0
}
command -v apt-get >/dev/null 2>&1 && command -v dpkg >/dev/null 2>&1 || missing "This machine has no apt-get and dpkg to fetch it with."

rm -rf "$place"
mkdir -p "$place/packages" var/log
log=$PWD/var/log/pooler.log
say "Fetching Debian's pgbouncer into $place (once)"
# What its libraries are called differs between releases.
fetch() {
    libraries=$(apt-cache "$@" depends pgbouncer | sed -nE 's/^ *Depends: (libevent|libc-ares)(.*)/\1\2/p')
    (cd "$place/packages" && apt-get -o APT::Sandbox::User= "$@" download pgbouncer $libraries)
}
# Package lists of our own where the machine has none (a fresh container) or stale ones.
own=$PWD/$place/apt
own_lists() {
    mkdir -p "$own/lists/partial" "$own/cache/archives/partial"
    set -- -o Dir::State::Lists="$own/lists" -o Dir::Cache="$own/cache"
    apt-get "$@" -o APT::Sandbox::User= update || true
    fetch "$@"
}
step "packages" "$log" fetch 2>/dev/null || step "packages, with package lists of our own" "$log" own_lists ||
    missing "It could not be fetched; the log is in var/log/pooler.log."
for package in "$place"/packages/*.deb; do dpkg -x "$package" "$place" || missing "$package could not be unpacked."; done
rm -rf "$place/packages" "$own"
libraries=$(dirname "$(find "$place/usr/lib" -name 'libcares.so.2')")
LD_LIBRARY_PATH=$libraries "$place/usr/sbin/pgbouncer" --version >"$log" 2>&1 || missing "$place/usr/sbin/pgbouncer does not run here; what it said is in var/log/pooler.log."
: >"$place/.complete"
