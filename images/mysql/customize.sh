#!/bin/bash
# mmdebstrap's hook, called with the new root directory: gives it the official image's layout.
# SERIES is the only series of MySQL that it accepts.
set -euo pipefail

root=$1
here=$(dirname "$(readlink -f "$0")")

if ! chroot "$root" mysqld --version | grep --fixed-strings "Ver $SERIES."; then
    echo "Debian sid has no MySQL $SERIES any more; mysql:$SERIES has to come from a registry" >&2
    exit 1
fi
echo 'mysql:x:999:' >>"$root/etc/group"
echo 'mysql:x:999:999::/var/lib/mysql:/usr/sbin/nologin' >>"$root/etc/passwd"

mkdir --parents "$root/docker-entrypoint-initdb.d" "$root/etc/mysql/conf.d"
install --directory --owner=999 --group=999 --mode=1777 "$root/var/lib/mysql" "$root/run/mysqld"
install --directory --owner=999 --group=999 --mode=0750 "$root/var/lib/mysql-files"
install --mode=0644 "$here/my.cnf" "$root/etc/mysql/my.cnf"
install --mode=0755 "$here/docker-entrypoint.sh" "$root/usr/local/bin/"

# The packages' maintainer scripts were the last to need these.
rm --recursive "$root"/usr/bin/perl* "$root"/usr/lib/*/perl-base "$root"/var/cache/debconf/*
