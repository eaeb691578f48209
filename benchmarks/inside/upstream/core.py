"""Mailman core as upstream starts it: its own settings, master and runners; see docker-mailman."""

import os
import subprocess
from pathlib import Path

from mailman_stack import database
from mailman_stack.render import render
from mailman_stack.settings import load

DATA = Path("/var/lib/mailman/data")

settings = load("core")
recipients = os.environ["LOCAL_MAX_RECIPIENTS"]
list(render("core", settings))  # what the archiver and postmap read stays; the rest is written over
list(render("config", settings, templates=Path(__file__).parent, max_recipients=recipients))
database.wait_for(settings.core_database)
subprocess.run(["mailman", "aliases"], check=True)
# Our Postfix wants a table of alias domains, be it empty, and to be told that all are there.
aliases = DATA / "postfix_vmap"
aliases.touch()
subprocess.run(["postmap", "-c", "/etc/mailman3", aliases], check=True)
(DATA / settings.written_mark).touch()
os.execvp("master", ["master", "--force"])
