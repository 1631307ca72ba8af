#!/bin/sh
# Random passwords for docker-compose.yml in secrets/ (ignored by git). What is there already is kept, so that a running database
# keeps its password. The folder is closed to others; the files are readable, for containers run under other users. Langfuse reads
# its passwords from variables only: they are in the files that end in .env, which the engine reads and no container mounts.
set -eu
cd "$(dirname -- "$0")/.."
. scripts/say.sh
umask 077
mkdir -p secrets
chmod 700 secrets
random() { .venv/bin/python -c 'import secrets; print(secrets.token_urlsafe(24), end="")'; }
hexadecimal() { .venv/bin/python -c 'import secrets; print(secrets.token_hex(32), end="")'; }
made=0
kept=0
keep() { # NAME TEXT
    if [ -s "secrets/$1" ]; then
        kept=$((kept + 1))
    else
        printf '%s' "$2" >"secrets/$1"
        made=$((made + 1))
    fi
}
of() { cat "secrets/$1"; }
keep postgres_password "$(random)"
for role in advance read grafana_admin grafana_business self_service; do
    keep "observatory_${role}_password" "$(random)"
done
keep user_key "$(hexadecimal)"
keep grafana_admin_password "$(random)"
keep langfuse_public_key "pk-lf-$(random)"
keep langfuse_secret_key "sk-lf-$(random)"
for name in database_password clickhouse_password redis_password minio_password web_secret salt user_password; do
    keep "langfuse_$name" "$(random)"
done
keep langfuse_encryption_key "$(hexadecimal)"
keep slack_webhook_url "http://sinks:8025/slack"
# Connection strings follow the passwords above.
printf 'postgresql://postgres:%s@postgres:5432/platform' "$(of postgres_password)" >secrets/postgres_owner_dsn
for role in advance read grafana_admin grafana_business self_service; do
    printf 'postgresql://observatory_%s:%s@postgres:5432/platform' "$role" "$(of "observatory_${role}_password")" >"secrets/postgres_${role}_dsn"
done
cat >secrets/langfuse.env <<END
DATABASE_URL=postgresql://langfuse:$(of langfuse_database_password)@langfuse-postgres:5432/langfuse
CLICKHOUSE_PASSWORD=$(of langfuse_clickhouse_password)
REDIS_AUTH=$(of langfuse_redis_password)
LANGFUSE_S3_EVENT_UPLOAD_SECRET_ACCESS_KEY=$(of langfuse_minio_password)
LANGFUSE_S3_MEDIA_UPLOAD_SECRET_ACCESS_KEY=$(of langfuse_minio_password)
SALT=$(of langfuse_salt)
ENCRYPTION_KEY=$(of langfuse_encryption_key)
END
cat >secrets/langfuse_web.env <<END
NEXTAUTH_SECRET=$(of langfuse_web_secret)
LANGFUSE_INIT_PROJECT_PUBLIC_KEY=$(of langfuse_public_key)
LANGFUSE_INIT_PROJECT_SECRET_KEY=$(of langfuse_secret_key)
LANGFUSE_INIT_USER_PASSWORD=$(of langfuse_user_password)
END
printf 'CLICKHOUSE_PASSWORD=%s\n' "$(of langfuse_clickhouse_password)" >secrets/langfuse_clickhouse.env
printf 'MINIO_ROOT_PASSWORD=%s\n' "$(of langfuse_minio_password)" >secrets/langfuse_minio.env
chmod 644 secrets/*
chmod 600 secrets/*.env
say "secrets/: $made made, $kept kept. Grafana's user is admin, Langfuse's demo@example.com; their passwords are in"
say "secrets/grafana_admin_password and secrets/langfuse_user_password."
