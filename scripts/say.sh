# Shared by the scripts of this folder: plain progress for steps that take a while. Sourced, not run.

say() { printf '%s\n' "$*"; }

die() {
    printf '%s\n' "$*" >&2
    exit 3
}

# step "what it does" LOGFILE command… : runs the command with its output in LOGFILE, shows that it lives, and on failure the end of the log.
step() {
    what=$1
    log=$2
    shift 2
    started=$(date +%s)
    printf '  %s …' "$what"
    "$@" >"$log" 2>&1 &
    child=$!
    trap 'kill "$child" 2>/dev/null; exit 130' INT TERM
    beat=0
    while kill -0 "$child" 2>/dev/null; do
        sleep 0.2
        beat=$((beat + 1))
        [ $((beat % 10)) -ne 0 ] || printf '.'
    done
    trap - INT TERM
    if wait "$child"; then
        printf ' %s s\n' "$(($(date +%s) - started))"
        return 0
    fi
    printf ' failed\n'
    tail -n 15 "$log" | sed 's/^/    /' >&2
    return 1
}

# compiled VENV: compiles what pip has installed there, on all cores; pip would do it on one, and the tests of libraries, too. What
# cannot be compiled would not run either, or is for another Python. `timeout` makes them a group, which ends as one.
compiled() {
    timeout 0 "$1/bin/python" -m compileall -q -j 0 -x /tests/ "$1/lib" &
    trap 'kill "$!"' TERM
    wait "$!" || true
}
