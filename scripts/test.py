"""`make test`: every check of the project, or the named parts of it, each in the tests image."""

import os
import shlex
import sys
import time
from typing import NamedTuple

from scripts import toolbox
from scripts.console import CommandError, announce, command

NEED_NO_STACK = ("lint", "unit", "upstream")
# What a list does is the same behind each MTA: one run has all of it, the others the MTA's part.
FOLDERS = {"e2e": ("e2e", "lists", "browser"), "e2e-exim": ("e2e",), "e2e-sendmail": ("e2e",)}
PARTS = ("lint", "unit", "integration", *FOLDERS, "host", "uberspace")
# Parts of e2e, which only a person asks for.
PIECES = ("lists", "browser")
ONE_STACK = (*FOLDERS, *PIECES)
# As are the tests of Mailman's own parts, which take long.
KNOWN = (*PARTS, *PIECES, "upstream")


class Result(NamedTuple):
    """How one part went."""

    part: str
    seconds: float
    passed: bool


def main() -> None:
    """Run the parts that the arguments name, or all, and end with a table of how each went."""
    parts = sys.argv[1:] or PARTS
    if unknown := set(parts) - set(KNOWN):
        raise CommandError(f"no part {', '.join(sorted(unknown))}; there are {', '.join(KNOWN)}")
    start = time.monotonic()
    toolbox.ensure()
    if set(parts) - set(NEED_NO_STACK):
        toolbox.ensure_stack()
    if "upstream" in parts:
        toolbox.ensure_upstream()
    results = [Result("images", time.monotonic() - start, passed=True)]
    results += [run(part) for part in parts]
    print(table(results))
    if not all(result.passed for result in results):
        raise CommandError("not everything passed")


def run(part: str) -> Result:
    """Run one part."""
    announce(f"Tests: {part}")
    start = time.monotonic()
    code = toolbox.run(argv(part), **variables(part))
    return Result(part, time.monotonic() - start, code == 0)


def argv(part: str) -> list[str]:
    """The command of a part; ARGS are the person's own for pytest."""
    if part == "lint":
        return ["python", "-m", "scripts.lint"]
    folders = [f"tests/{folder}" for folder in FOLDERS.get(part, (part,))]
    return ["pytest", *folders, *side_by_side(part), *shlex.split(os.environ.get("ARGS", ""))]


def side_by_side(part: str) -> list[str]:
    """How many tests run at a time; most wait more than they work."""
    if part == "integration":  # each file has containers of its own
        return ["--numprocesses=4", "--dist=loadfile"]
    if part in ONE_STACK:  # in their order: those that need the stack for themselves come last
        return ["--numprocesses=8", "--maxschedchunk=1"]
    if part == "upstream":  # each suite is busy on its own
        return ["--numprocesses=2", "--maxschedchunk=1"]
    return []


def variables(part: str) -> dict[str, str]:
    """The environment of a part: the MTA of its stack is in its name, or a person's own choice."""
    if part not in ONE_STACK:
        return {}
    return {"MTA": part.partition("-")[2] or os.environ.get("MTA", "postfix")}


def table(results: list[Result]) -> str:
    """One line for each part, and the sum."""
    rows = [(r.part, r.seconds, "ok" if r.passed else "FAILED") for r in results]
    rows.append(("total", sum(r.seconds for r in results), ""))
    lines = [f"{part:<12}{seconds:>8.1f} s  {verdict}" for part, seconds, verdict in rows]
    return "\n".join(map(str.rstrip, lines))


if __name__ == "__main__":
    command(main)
