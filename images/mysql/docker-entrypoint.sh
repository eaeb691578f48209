#!/bin/bash
# Keeps the contract of the official mysql image's entrypoint (https://hub.docker.com/_/mysql), so
# that a Compose file, its options and its init scripts work with either image.
set -euo pipefail
shopt -s nullglob

readonly PASSWORD_OPTIONS='You need to specify one of the following as an environment variable:
    - MYSQL_ROOT_PASSWORD
    - MYSQL_ALLOW_EMPTY_PASSWORD
    - MYSQL_RANDOM_ROOT_PASSWORD'

log() {
    printf '%s [%s] [Entrypoint]: %s\n' "$(date --rfc-3339=seconds)" "$1" "$2"
}

note() {
    log Note "$1"
}

warn() {
    log Warn "$1" >&2
}

fail() {
    log ERROR "$1" >&2
    exit 1
}

# file_env NAME [DEFAULT]: exports NAME as given, or as read from the file NAME_FILE, or DEFAULT.
file_env() {
    local name=$1 file=$1_FILE value=${2:-}
    if [[ -n ${!name:-} && -n ${!file:-} ]]; then
        fail "Both $name and $file are set (but are exclusive)"
    fi
    if [[ -n ${!name:-} ]]; then
        value=${!name}
    elif [[ -n ${!file:-} ]]; then
        value=$(<"${!file}")
    fi
    export "$name=$value"
    unset "$file"
}

read_environment() {
    file_env MYSQL_ROOT_HOST %
    file_env MYSQL_ROOT_PASSWORD
    file_env MYSQL_DATABASE
    file_env MYSQL_USER
    file_env MYSQL_PASSWORD
    if [[ -z $MYSQL_ROOT_PASSWORD && -n ${MYSQL_RANDOM_ROOT_PASSWORD:-} ]]; then
        MYSQL_ROOT_PASSWORD=$(head -c 24 /dev/urandom | base64)
        note "GENERATED ROOT PASSWORD: $MYSQL_ROOT_PASSWORD"
    fi
    if [[ -z $MYSQL_ROOT_PASSWORD && -z ${MYSQL_ALLOW_EMPTY_PASSWORD:-} ]]; then
        fail "Database is uninitialized and password option is not specified
    $PASSWORD_OPTIONS"
    fi
    if [[ $MYSQL_USER == root ]]; then
        fail "MYSQL_USER cannot be root: remove it. $PASSWORD_OPTIONS"
    fi
    if [[ -n $MYSQL_USER && -z $MYSQL_PASSWORD ]]; then
        warn 'MYSQL_USER specified, but missing MYSQL_PASSWORD; MYSQL_USER will not be created'
    fi
}

# Asks the server itself for the two paths that are needed here.
read_configuration() {
    local settings
    settings=$("$@" --verbose --help 2>/dev/null)
    DATADIR=$(sed --quiet 's/^datadir  *//p' <<<"$settings")
    SOCKET=$(sed --quiet 's/^socket  *//p' <<<"$settings")
}

become_mysql() {
    find "$DATADIR" "${SOCKET%/*}" ! -user mysql -exec chown --no-dereference mysql {} +
    exec setpriv --reuid=mysql --regid=mysql --clear-groups "${BASH_SOURCE[0]}" "$@"
}

sql_string() {
    local text=${1//\\/\\\\}
    printf "'%s'" "${text//\'/\'\'}"
}

sql_name() {
    # shellcheck disable=SC2016
    printf '`%s`' "${1//\`/\`\`}"
}

setup_sql() {
    local user
    # Where the configuration says NO_BACKSLASH_ESCAPES, these literals would be other ones.
    echo "SET sql_mode = '';"
    echo "ALTER USER root@localhost IDENTIFIED BY $(sql_string "$MYSQL_ROOT_PASSWORD");"
    if [[ $MYSQL_ROOT_HOST != localhost ]]; then
        user="root@$(sql_string "$MYSQL_ROOT_HOST")"
        echo "CREATE USER $user IDENTIFIED BY $(sql_string "$MYSQL_ROOT_PASSWORD");"
        echo "GRANT ALL ON *.* TO $user WITH GRANT OPTION;"
    fi
    if [[ -n $MYSQL_DATABASE ]]; then
        echo "CREATE DATABASE $(sql_name "$MYSQL_DATABASE");"
    fi
    if [[ -n $MYSQL_USER && -n $MYSQL_PASSWORD ]]; then
        user="$(sql_string "$MYSQL_USER")@'%'"
        echo "CREATE USER $user IDENTIFIED BY $(sql_string "$MYSQL_PASSWORD");"
        if [[ -n $MYSQL_DATABASE ]]; then
            echo "GRANT ALL ON $(sql_name "${MYSQL_DATABASE//_/\\_}").* TO $user;"
        fi
    fi
    if [[ -z ${MYSQL_INITDB_SKIP_TZINFO:-} ]]; then
        echo 'USE mysql;'
        mysql_tzinfo_to_sql /usr/share/zoneinfo 2>/dev/null
    fi
}

# docker_process_sql [CLIENT OPTION...]: runs the statements on standard input as root; init scripts
# that are sourced call it too.
# shellcheck disable=SC2120
docker_process_sql() {
    local password=${MYSQL_ROOT_PASSWORD//\\/\\\\}
    mysql --defaults-extra-file=<(printf '[client]\npassword="%s"\n' "${password//\"/\\\"}") \
        --protocol=socket --socket="$SOCKET" --user=root --comments \
        ${MYSQL_DATABASE:+--database="$MYSQL_DATABASE"} "$@"
}

# shellcheck disable=SC2119
process_init_file() {
    note "running $1"
    case $1 in
        *.sh)
            if [[ -x $1 ]]; then
                "$1"
            else
                # Scripts are written for the official entrypoint, which allows unset variables.
                set +u
                # shellcheck source=/dev/null
                source "$1"
                set -u
            fi
            ;;
        *.sql) docker_process_sql <"$1" ;;
        *.sql.gz) gunzip -c "$1" | docker_process_sql ;;
        *) warn "ignoring $1" ;;
    esac
}

process_init_files() {
    local files=(/docker-entrypoint-initdb.d/*) file pid
    ((${#files[@]})) || return 0
    note 'Starting temporary server'
    "$@" --daemonize --skip-networking --pid-file="$SOCKET.pid" || fail 'Unable to start server.'
    for file in "${files[@]}"; do
        process_init_file "$file"
    done
    note 'Stopping temporary server'
    pid=$(<"$SOCKET.pid")
    kill "$pid"
    tail --pid="$pid" --sleep-interval=0.05 --follow /dev/null
}

# The marker (a name that --initialize overlooks) makes the next start begin anew after a failure.
is_initialised() {
    [[ -d $DATADIR/mysql && ! -e $DATADIR/.initialising ]]
}

initialise() {
    read_environment
    if [[ -e $DATADIR/.initialising ]]; then
        find "$DATADIR" -mindepth 1 ! -name .initialising -delete
    fi
    touch "$DATADIR/.initialising"
    note 'Initializing database files'
    "$@" --initialize-insecure --init-file=<(setup_sql)
    process_init_files "$@"
    rm "$DATADIR/.initialising"
    note 'MySQL init process done. Ready for start up.'
}

stops_by_itself() {
    [[ " $* " =~ \ (-\?|--help|--print-defaults|-V|--version|--validate-config)\  ]]
}

if [[ ${1:-} == -* ]]; then
    set -- mysqld "$@"
fi
if [[ ${1:-} == mysqld ]] && ! stops_by_itself "$@"; then
    read_configuration "$@"
    mkdir -p "$DATADIR" "${SOCKET%/*}"
    if ((EUID == 0)); then
        become_mysql "$@"
    fi
    "$@" --validate-config || fail 'mysqld refuses its configuration'
    is_initialised || initialise "$@"
fi
exec "$@"
