#!/bin/bash
# build.sh TAG [MIRROR]: makes the image TAG (mysql:9.7) from the real MySQL that Debian carries in
# sid, for a machine that reaches no registry. Runs as root and needs mmdebstrap and docker.
set -euo pipefail

tag=$1
mirror=${2:-}
here=$(dirname "$(readlink -f "$0")")
work=$(mktemp --directory)
trap 'rm -rf "$work"' EXIT

# The hook refuses another series than the tag's.
export SERIES=${tag##*:} LC_ALL=C

bootstrap() {
    mmdebstrap --variant=essential --include=mysql-server-core,mysql-client-core,tzdata \
        --dpkgopt="$here/dpkg.cfg" --customize-hook="$here/customize.sh" \
        --skip=cleanup/run "$@" \
        sid "$work/root.tar" ${mirror:+"$mirror"} 2>&1 | tee "$work/log"
}

# A mirror's sid may be past its date; only then is the date not asked for.
bootstrap || {
    grep --quiet 'Release file .* is expired' "$work/log"
    bootstrap --aptopt='Acquire::Check-Valid-Until "false"'
}

docker import \
    --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin' \
    --change 'ENTRYPOINT ["docker-entrypoint.sh"]' \
    --change 'CMD ["mysqld"]' \
    --change 'VOLUME /var/lib/mysql' \
    --change 'EXPOSE 3306 33060' \
    "$work/root.tar" "$tag"
