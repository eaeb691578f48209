#!/opt/mailman-stack/bin/python
"""Mailman core: renders mailman.cfg, becomes the master of the runners."""

import json
import shutil
import signal
import sys
from pathlib import Path

from mailman_stack.entrypoint import Service, execute
from mailman_stack.settings import Settings


def move_list_data() -> None:
    """Take the lists' directories along from where version 0.1 had them."""
    old, new = Path("/var/lib/mailman/lists"), Path("/var/lib/mailman/data/lists")
    if old.is_dir() and not new.exists():
        unfinished = new.with_suffix(".new")
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.copytree(old, unfinished)
        unfinished.rename(new)
        shutil.rmtree(old)


def start(settings: Settings) -> None:
    """Leave all that has read the settings behind: the runners would keep 10 MB of it."""
    move_list_data()
    pages = {
        domain.name: f"{settings.web_scheme}://{domain.web_host}/mailman3"
        for domain in settings.domains
    }
    # Until the master hears it.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    execute([sys.executable, "-m", "mailman_stack.core", json.dumps(pages)])(settings)


Service(name="core", config="core", start=start).run(sys.argv[1:])
