#!/bin/sh
# Adds to every public image of docker-compose.yml and Dockerfile the digest that its registry names for that tag. All or nothing:
# when one image cannot be asked for, nothing is written, so that no digest stands there unchecked.
set -eu
cd "$(dirname -- "$0")/.."
. scripts/say.sh
command -v docker >/dev/null 2>&1 || die "docker is needed to ask the registries for digests. Nothing was changed."
files="docker-compose.yml Dockerfile"
images=$(sed -nE 's/^ *(image:|FROM) +([a-z0-9./-]+:[A-Za-z0-9._-]+)(@sha256:[0-9a-f]+)? *$/\2/p' $files | grep -v ':local$' | sort -u)
edits=$(mktemp)
trap 'rm -f "$edits"' EXIT
for image in $images; do
    digest=$(docker buildx imagetools inspect "$image" --format '{{.Manifest.Digest}}' 2>/dev/null || true)
    printf '%s' "$digest" | grep -qE '^sha256:[0-9a-f]{64}$' || die "$image: its registry gave no digest. Nothing was changed."
    say "$image@$digest"
    printf 's#(image:|FROM) +%s(@sha256:[0-9a-f]+)? *$#\\1 %s@%s#\n' "$(printf '%s' "$image" | sed 's/[.]/[.]/g')" "$image" "$digest" >>"$edits"
done
for file in $files; do
    sed -E -f "$edits" "$file" >"$file.new"
    mv "$file.new" "$file"
done
