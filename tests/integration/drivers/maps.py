"""Inside core's image, on SQLite: maps to which lists were added, and the same written anew.

Prints as JSON, for each step, what an index and its text have, before and after `regenerate`.
"""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

from mailman.app.lifecycle import create_list, remove_list
from mailman.config import config
from mailman.core.initialize import initialize
from mailman.database.transaction import transaction
from mailman.interfaces.domain import IDomainManager
from mailman.interfaces.listmanager import IListManager
from mailman.utilities.modules import call_name
from zope.component import getUtility

from mailman_stack.render import render
from mailman_stack.settings import load

MAPS = ("postfix_lmtp", "postfix_domains", "postfix_vmap")


def lines(text: str) -> list[str]:
    """The entries of a map, in whatever order and columns they are."""
    entries = (line for line in text.splitlines() if line.strip() and not line.startswith("#"))
    return sorted(" ".join(line.split()) for line in entries)


def state() -> dict[str, tuple[list[str], list[str]]]:
    index = ["postmap", "-c", "/etc/mailman3", "-s"]
    found = {}
    for name in MAPS:
        path = Path(config.DATA_DIR, name)
        dump = subprocess.run([*index, path], capture_output=True, check=True, text=True).stdout
        found[name] = (lines(path.read_text()), lines(dump))
    return found


def steps() -> Iterator[str]:
    domains = getUtility(IDomainManager)
    domains.add("lists.example.com")
    domains.add("aliased.example.com", alias_domain="alias.example.com")
    for address in (
        "ant@lists.example.com", "bee@lists.example.com", "bee.hive@lists.example.com",
        "ant@aliased.example.com", "bee@aliased.example.com",
    ):  # fmt: skip
        with transaction():
            create_list(address)
        yield f"with {address}"
    with transaction():
        remove_list(getUtility(IListManager).get("bee@lists.example.com"))
    yield "without bee@lists.example.com"


if __name__ == "__main__":
    list(render("core", load("core")))
    initialize("/etc/mailman3/mailman.cfg")
    maps = call_name(config.mta.incoming)
    maps.regenerate()
    outcome = {}
    for step in steps():
        added = state()
        maps.regenerate()
        outcome[step] = (added, state())
    print(json.dumps(outcome))
