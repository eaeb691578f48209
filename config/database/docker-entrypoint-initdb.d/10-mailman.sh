#!/bin/bash
# Runs once, on an empty volume: a schema each for core and web, and a user each that has only the
# rights that its migrations and its run time need, on its own schema.
set -eo pipefail

mailman_schema() {
    local name=$1 password
    password=$(<"/run/secrets/$1_database_password")
    # Under NO_BACKSLASH_ESCAPES a quote is the only character that has a meaning inside a literal.
    cat <<SQL
SET sql_mode = 'NO_BACKSLASH_ESCAPES';
CREATE DATABASE $name CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_as_ci;
CREATE USER $name@'%' IDENTIFIED BY '${password//\'/\'\'}';
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES ON $name.* TO $name@'%';
SQL
}

{
    mailman_schema core
    mailman_schema web
} | MYSQL_PWD=$MYSQL_ROOT_PASSWORD mysql --protocol=socket --user=root --default-character-set=utf8mb4
