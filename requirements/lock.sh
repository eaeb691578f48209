#!/bin/sh
# Pins every dependency of pyproject.toml with hashes: one file for each image. Run by `make lock`.
set -eu
cd "$(dirname "$0")/.."

lock() { # file, then what to add to the base dependencies
    file=$1
    shift
    uv pip compile pyproject.toml "$@" --override requirements/overrides.txt \
        --python-version 3.13 --generate-hashes --no-header --no-emit-index-url \
        --quiet --output-file "requirements/$file.txt"
}

lock base
for group in core web tests; do
    lock "$group" --group "$group"
done
# Added to images that have the packages of core and web.
lock upstream --group upstream --constraint requirements/core.txt --constraint requirements/web.txt
