"""`make lint`: every linter over the whole project, inside the tests image."""

import shlex
from collections.abc import Iterator
from pathlib import Path

from scripts import process
from scripts.console import CommandError, announce, command

FOLDERS = (".ci", "benchmarks", "config", "images", "requirements")
SHEBANGS = (b"#!/bin/bash", b"#!/bin/sh")


def commands() -> Iterator[list[str]]:
    """The linters, each with what it checks."""
    yield ["ruff", "check", "."]
    yield ["ruff", "format", "--check", "."]
    yield ["mypy"]
    yield ["hadolint", "images/Dockerfile", "benchmarks/Dockerfile"]
    yield ["shellcheck", *shell_scripts()]
    yield ["yamllint", "--strict", "."]


def shell_scripts() -> list[str]:
    """Every file that begins as a shell script does, whatever its name."""
    files = [path for folder in FOLDERS for path in Path(folder).rglob("*") if path.is_file()]
    return sorted(str(path) for path in files if path.read_bytes().startswith(SHEBANGS))


def main() -> None:
    """Run all of them, and fail in the end if any found something."""
    failed = []
    for argv in commands():
        announce(shlex.join(argv))
        if process.status(argv):
            failed.append(argv[0])
    if failed:
        raise CommandError(f"not clean: {', '.join(failed)}")


if __name__ == "__main__":
    command(main)
