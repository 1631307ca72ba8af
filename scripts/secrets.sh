#!/bin/sh
# Random passwords for docker-compose.yml in secrets/ (ignored by git). What is there already is kept, so that a running database
# keeps its password. The folder is closed to others; the files are readable, for containers run under other users.
set -eu
cd "$(dirname -- "$0")/.."
. scripts/say.sh
umask 077
mkdir -p secrets
chmod 700 secrets
random() { .venv/bin/python -c 'import secrets; print(secrets.token_urlsafe(24), end="")'; }
made=0
keep() { # NAME TEXT
    [ -s "secrets/$1" ] && return 0
    printf '%s' "$2" >"secrets/$1"
    made=$((made + 1))
}
keep postgres_password "$(random)"
keep postgres_reader_password "$(random)"
keep grafana_admin_password "$(random)"
keep langfuse_public_key "pk-lf-$(random)"
keep langfuse_secret_key "sk-lf-$(random)"
keep slack_webhook_url "http://sinks:8025/slack"
# Connection strings follow the passwords above.
printf 'postgresql://postgres:%s@postgres:5432/platform' "$(cat secrets/postgres_password)" >secrets/postgres_owner_dsn
printf 'postgresql://observatory_reader:%s@postgres:5432/platform' "$(cat secrets/postgres_reader_password)" >secrets/postgres_reader_dsn
chmod 644 secrets/*
say "secrets/: $made made, $((6 - made)) kept. Grafana's user is admin; its password is in secrets/grafana_admin_password."
