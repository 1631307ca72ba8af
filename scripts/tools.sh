#!/bin/sh
# Puts Prometheus and Alertmanager into .tools (ignored by git) by unpacking Debian's packages: needs no root, starts no service.
# Binaries on PATH, or named by OBSERVATORY_PROMETHEUS, _PROMTOOL, _ALERTMANAGER and _AMTOOL, are used instead. Where nothing can
# be had it says what to install and ends well: the rest works without.
set -eu
cd "$(dirname -- "$0")/.."
. scripts/say.sh
bin=.tools/usr/bin

have() { # VARIABLE name…
    variable=$1
    shift
    eval "named=\${$variable:-}"
    [ -z "$named" ] || { [ -x "$named" ] && return 0; say "$variable=$named is not a program" >&2; }
    for name in "$@"; do
        [ -x "$bin/$name" ] && return 0
        command -v "$name" >/dev/null 2>&1 && return 0
    done
    return 1
}
wanted=""
have OBSERVATORY_PROMETHEUS prometheus && have OBSERVATORY_PROMTOOL promtool || wanted="prometheus"
have OBSERVATORY_ALERTMANAGER prometheus-alertmanager alertmanager && have OBSERVATORY_AMTOOL amtool || wanted="$wanted prometheus-alertmanager"
[ -n "$wanted" ] || exit 0
# What the pages of Debian's Prometheus load ("Query" of an alert leads there); without them only its API works.
pages=""
case "$wanted" in "prometheus"*)
    pages="libjs-jquery libjs-bootstrap4 libjs-mustache libjs-moment libjs-moment-timezone libjs-jquery-hotkeys libjs-rickshaw libjs-d3
        libjs-popper.js libjs-eonasdan-bootstrap-datetimepicker fonts-glyphicons-halflings"
esac

missing() {
    say "Missing:$(printf ' %s' $wanted). $1"
    say "Install Prometheus and Alertmanager with their promtool and amtool (Debian: apt install prometheus prometheus-alertmanager;"
    say "elsewhere: prometheus.io/download) so that they are on PATH, or name them with OBSERVATORY_PROMETHEUS, OBSERVATORY_PROMTOOL,"
    say "OBSERVATORY_ALERTMANAGER and OBSERVATORY_AMTOOL. Going on without."
    exit 0
}
command -v apt-get >/dev/null 2>&1 && command -v dpkg >/dev/null 2>&1 || missing "This machine has no apt-get and dpkg to fetch them with."

mkdir -p .tools/packages var/log
log=$PWD/var/log/tools.log
say "Fetching Debian's$(printf ' %s' $wanted) into .tools (once)"
fetch() {
    (cd .tools/packages && apt-get "$@" download $wanted && { [ -z "$pages" ] || apt-get "$@" download $pages || true; })
}
# Package lists of our own where the machine has none (a fresh container) or stale ones.
own=$PWD/.tools/apt
own_lists() {
    mkdir -p "$own/lists/partial" "$own/cache/archives/partial"
    apt-get -o Dir::State::Lists="$own/lists" -o Dir::Cache="$own/cache" -o APT::Sandbox::User= update || true
    fetch -o Dir::State::Lists="$own/lists" -o Dir::Cache="$own/cache" -o APT::Sandbox::User=
}
step "packages" "$log" fetch -o APT::Sandbox::User= 2>/dev/null || step "packages, with package lists of our own" "$log" own_lists ||
    missing "They could not be fetched; the log is in var/log/tools.log."
for package in .tools/packages/*.deb; do dpkg -x "$package" .tools || missing "$package could not be unpacked."; done
rm -rf .tools/packages .tools/apt .tools/usr/share/javascript/moment-timezone/data # its sources: 200 MB
for program in prometheus promtool prometheus-alertmanager amtool; do
    case "$wanted" in *alertmanager*) ;; *) case $program in *alertmanager | amtool) continue ;; esac ;; esac
    command -v "$program" >/dev/null 2>&1 || [ ! -e "$bin/$program" ] || "$bin/$program" --version >/dev/null 2>&1 || missing "$bin/$program does not run here."
done
