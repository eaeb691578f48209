"""Several processes of tests use one stack at a time, and some test needs it for itself.

All by flock(2): the kernel drops the locks of a process that dies.
"""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def _locked(path: Path, kind: int) -> Iterator[IO[str]]:
    with path.open("a") as file:
        fcntl.flock(file, kind)
        yield file


def _only_user(users: IO[str]) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def shared(directory: Path, start: Callable[[], None], stop: Callable[[], None]) -> Iterator[None]:
    """Use what the first process to come starts, and the last one to go stops."""
    directory.mkdir(parents=True, exist_ok=True)
    door = directory / "door.lock"
    with (directory / "users.lock").open("a") as users:
        with _locked(door, fcntl.LOCK_EX):
            if _only_user(users):
                start()
            fcntl.flock(users, fcntl.LOCK_SH)
        yield
        with _locked(door, fcntl.LOCK_EX):
            if _only_user(users):
                stop()


@contextmanager
def turn(directory: Path, *, alone: bool) -> Iterator[None]:
    """Wait until no test runs that wants to be alone; for one that does, until no other runs."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "tests.lock").open("a") as tests:
        # Whoever waits at the gate lets nobody pass, or a test might wait for ever to be alone.
        with _locked(directory / "gate.lock", fcntl.LOCK_EX):
            fcntl.flock(tests, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield
