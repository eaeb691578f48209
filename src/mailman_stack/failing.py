"""How a container says why it cannot work."""

import sys
from collections.abc import Iterable, Sequence
from typing import NoReturn

EX_CONFIG = 78  # sysexits.h


class SettingsError(Exception):
    """Wrong settings; ``problems`` holds one line for each, naming the setting."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


def fail(service: str, problems: Sequence[str]) -> NoReturn:
    """Say why this container cannot work, a line for each problem, and exit."""
    for problem in problems:
        print(f"{service}: {problem}", file=sys.stderr, flush=True)
    sys.exit(EX_CONFIG)
