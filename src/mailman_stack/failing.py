"""How a container says why it cannot work."""

import sys
from collections.abc import Sequence
from typing import NoReturn

EX_CONFIG = 78  # sysexits.h


def fail(service: str, problems: Sequence[str]) -> NoReturn:
    """Say why this container cannot work, a line for each problem, and exit."""
    for problem in problems:
        print(f"{service}: {problem}", file=sys.stderr, flush=True)
    sys.exit(EX_CONFIG)
