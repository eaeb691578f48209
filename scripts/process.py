"""Run other programs, from the project's folder, and turn what goes wrong into a CommandError."""

import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from scripts.console import CommandError

ROOT = Path(__file__).resolve().parent.parent


def run(argv: Sequence[str], env: Mapping[str, str] | None = None) -> None:
    """Run a program that shows its own progress."""
    if returncode := status(argv, env):
        raise CommandError(f"`{shlex.join(argv)}` ended with exit code {returncode}")


def status(argv: Sequence[str], env: Mapping[str, str] | None = None) -> int:
    """Run a program that shows its own progress; return its exit code."""
    try:
        return subprocess.run(argv, env=env, cwd=ROOT, check=False).returncode
    except FileNotFoundError:
        raise CommandError(f"`{argv[0]}` is not installed") from None


def capture(
    argv: Sequence[str],
    env: Mapping[str, str] | None = None,
    cwd: Path = ROOT,
    seconds: float | None = None,
) -> str:
    """Run a program silently and return its output; an error carries the last line it wrote."""
    try:
        done = subprocess.run(
            argv,
            env=env,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except FileNotFoundError:
        raise CommandError(f"`{argv[0]}` is not installed") from None
    except subprocess.TimeoutExpired:
        raise CommandError(f"`{shlex.join(argv)}` gave no answer in {seconds:g} s") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        reason = said[-1] if said else f"exit code {done.returncode}"
        raise CommandError(f"`{shlex.join(argv)}`: {reason}")
    return done.stdout
