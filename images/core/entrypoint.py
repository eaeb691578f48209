#!/opt/mailman-stack/bin/python
"""Mailman core: renders mailman.cfg and what belongs to it, for `mailman_stack.core`."""

import shutil
import sys
from pathlib import Path

from mailman_stack.entrypoint import Service
from mailman_stack.settings import Settings


def move_list_data(_settings: Settings) -> None:
    """Take the lists' directories along from where version 0.1 had them."""
    old, new = Path("/var/lib/mailman/lists"), Path("/var/lib/mailman/data/lists")
    if old.is_dir() and not new.exists():
        unfinished = new.with_suffix(".new")
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.copytree(old, unfinished)
        unfinished.rename(new)
        shutil.rmtree(old)


Service(name="core", config="core", start=move_list_data).run(sys.argv[1:])
