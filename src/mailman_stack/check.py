"""``python -m mailman_stack.check core``: what is wrong with the settings; starts nothing."""

import sys

from mailman_stack.failing import SettingsError, fail
from mailman_stack.settings import load


def main(service: str) -> None:
    """Exit with 78 (EX_CONFIG) and a line for each problem, if there is any."""
    try:
        load(service)
    except SettingsError as error:
        fail(service, error.problems)


if __name__ == "__main__":
    main(sys.argv[1])
