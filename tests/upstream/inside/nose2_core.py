"""Runs core's own tests; after `ours`, with what the stack's mailman.cfg plugs into core.

By the nose2 in its name Mailman knows that it is tested, from its first import on.
"""

import os
import sys
from configparser import RawConfigParser
from pathlib import Path

import mailman
import nose2
from mailman.utilities.modules import find_name

from mailman_stack.render import TEMPLATES, environment
from mailman_stack.settings import load

ROOT = Path(mailman.__file__).parents[1]
CONFIG = Path("/upstream/testing.cfg")
WITH_OURS = Path("/tmp/ours.cfg")  # noqa: S108 - the container's own


def plugged_in() -> RawConfigParser:
    """The sections of mailman.cfg that name a class of ours, and how mail goes out.

    Not what is written for the MTA, since the tests have a MTA of their own, and not the archiver,
    whose HyperKitty is not there.
    """
    template = environment(TEMPLATES / "core").get_template("etc/mailman3/mailman.cfg.j2")
    written, ours = RawConfigParser(strict=False), RawConfigParser()
    written.read_string(template.render(settings=load("core")))
    for name, section in written.items():
        is_ours = section.get("class", "").startswith("mailman_stack.")
        if is_ours and not name.startswith("archiver."):
            ours[name] = section
    ours["mta"] = {"outgoing": written["mta"]["outgoing"], "configuration": "/upstream/mta.cfg"}
    return ours


def replace_upstreams(name: str) -> None:
    """Have a test of upstream's class take ours, if ours extends it under the same name."""
    ours = find_name(name)
    for base in ours.__mro__:
        if base.__module__.startswith("mailman.") and base.__name__ == ours.__name__:
            setattr(sys.modules[base.__module__], ours.__name__, ours)


def plug_in() -> None:
    """Do here and in the runners that the tests start as the stack does."""
    ours = plugged_in()
    with WITH_OURS.open("w") as file:
        file.write(CONFIG.read_text())
        ours.write(file)
    for section in ours.values():
        if "class" in section:
            replace_upstreams(section["class"])


if __name__ == "__main__":
    # No setting of the stack.
    del os.environ["MAILMAN_EXTRA_TESTING_CFG"]
    config = CONFIG
    if sys.argv[1:] == ["ours"]:
        plug_in()
        config = WITH_OURS
    os.environ["MAILMAN_EXTRA_TESTING_CFG"] = str(config)
    nose2.discover(argv=["nose2", "-v", "-c", "/upstream/nose2.cfg", "-t", str(ROOT)])
