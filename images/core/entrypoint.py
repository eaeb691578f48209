#!/opt/mailman-stack/bin/python
"""Mailman core: renders mailman.cfg, waits for the database, becomes the master of the runners."""

import configparser
import shutil
import sys
from pathlib import Path

from lazr.config.interfaces import ConfigErrors
from mailman.config import config
from mailman.core.initialize import initialize_1
from mailman.utilities.modules import call_name

from mailman_stack import database
from mailman_stack.core import master, templates
from mailman_stack.entrypoint import Service, fail
from mailman_stack.settings import Settings

CONFIG = "/etc/mailman3/mailman.cfg"


def check() -> None:
    """Load the files with Mailman's own parser, which knows every section, key and template."""
    try:
        initialize_1(CONFIG)
        config.validate()
    except configparser.Error as error:
        fail("core", str(error).splitlines())
    except ConfigErrors as error:
        # lazr.config still asks for ASCII; Mailman reads UTF-8.
        errors = [problem for problem in error.errors if not isinstance(problem, UnicodeError)]
        if errors:
            fail("core", [f"{CONFIG}: {problem}" for problem in errors])
    call_name(config.mta.incoming)
    list(config.archivers)
    if problems := templates.install():
        fail("core", problems)


def move_list_data() -> None:
    """Take the lists' directories along from where version 0.1 had them."""
    old, new = Path("/var/lib/mailman/lists"), Path("/var/lib/mailman/data/lists")
    if old.is_dir() and not new.exists():
        unfinished = new.with_suffix(".new")
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.copytree(old, unfinished)
        unfinished.rename(new)
        shutil.rmtree(old)


def run(settings: Settings) -> None:
    move_list_data()
    check()
    database.wait_for(settings.core_database)
    master.run(
        {
            domain.name: f"{settings.web_scheme}://{domain.web_host}/mailman3"
            for domain in settings.domains
        }
    )


Service(name="core", config="core", start=run).run(sys.argv[1:])
