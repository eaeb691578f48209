"""How the scripts speak: one line before each step, one line for each failure."""

import sys
from collections.abc import Callable


class CommandError(Exception):
    """Ends a command; its text, one line for each thing that is wrong, is for the person."""


def announce(step: str) -> None:
    """Say what is about to be done."""
    print(f"==> {step}", flush=True)


def command(main: Callable[[], None]) -> None:
    """Run a command's main function; exit with 1 on a CommandError and 130 on Ctrl-C."""
    try:
        main()
    except CommandError as failure:
        sys.stdout.flush()
        for line in str(failure).splitlines():
            print(f"error: {line}" if not line.startswith(" ") else line, file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
