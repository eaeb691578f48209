"""Core, with its files rendered: checks them, waits for the database, becomes the master."""

import configparser
import os

from lazr.config.interfaces import ConfigErrors
from mailman.config import config
from mailman.core.initialize import initialize_1
from mailman.utilities.modules import call_name

from mailman_stack import database, tls
from mailman_stack.core import master, templates
from mailman_stack.failing import fail


def main() -> None:
    """Run until SIGTERM.

    :raises SystemExit: with 78 (EX_CONFIG) and a line for each problem of the files.
    """
    os.environ["SSL_CERT_FILE"] = str(tls.authorities())
    check(os.environ["MAILMAN_CONFIG_FILE"])
    database.wait_for(database.Database.from_url(config.database.url))
    master.run()


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
