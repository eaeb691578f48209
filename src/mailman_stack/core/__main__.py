"""``python -m mailman_stack.core '{"DOMAIN": "URL", ...}'``: core, with its files rendered.

It is given the domains, and the URLs of their lists' pages.
"""

import configparser
import gc
import json
import os
import signal
import sys

gc.disable()  # what is loaded until the fork stays: to look for garbage is a tenth of the start

from lazr.config.interfaces import ConfigErrors  # noqa: E402
from mailman.config import config  # noqa: E402
from mailman.core.initialize import initialize_1  # noqa: E402
from mailman.utilities.modules import call_name  # noqa: E402

from mailman_stack import database  # noqa: E402
from mailman_stack.core import master, templates  # noqa: E402
from mailman_stack.failing import fail  # noqa: E402


def main(pages: str) -> None:
    """Run until SIGTERM.

    :raises SystemExit: with 78 (EX_CONFIG) and a line for each problem of the files.
    """
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    check(os.environ["MAILMAN_CONFIG_FILE"])
    database.wait_for(database.Database.from_url(config.database.url))
    master.run(json.loads(pages))


def check(path: str) -> None:
    """Load the files with Mailman's own parser, which knows every section, key and template."""
    try:
        initialize_1(path)
        config.validate()
    except configparser.Error as error:
        fail("core", str(error).splitlines())
    except ConfigErrors as error:
        # lazr.config still asks for ASCII; Mailman reads UTF-8.
        errors = [problem for problem in error.errors if not isinstance(problem, UnicodeError)]
        if errors:
            fail("core", [f"{path}: {problem}" for problem in errors])
    call_name(config.mta.incoming)
    list(config.archivers)
    if problems := templates.install():
        fail("core", problems)


if __name__ == "__main__":
    main(sys.argv[1])
