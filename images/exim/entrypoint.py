#!/opt/mailman-stack/bin/python
"""Exim: renders exim4.conf, waits for core's list of domains, becomes Exim's daemon."""

import re
import shutil
import sys
from collections import defaultdict
from itertools import batched
from pathlib import Path

from mailman_stack import mta, tls
from mailman_stack.entrypoint import Service, execute
from mailman_stack.settings import Settings

HINTS = Path("/var/spool/exim4/db")


def sections(text: str) -> dict[str, str]:
    """The parts of an Exim configuration by the names of its sections, the options as ``main``."""
    main, *others = re.split(r"^begin\s+(\w+)\s*$", text, flags=re.MULTILINE)
    parts = defaultdict(str, main=main)
    for name, lines in batched(others, 2, strict=True):
        parts[name.lower()] += lines
    return parts


def facts(settings: Settings) -> dict[str, object]:
    return {
        "sections": sections,
        "networks": mta.networks(),
        "certificate": tls.certificate(settings.hostname),
        "authorities": tls.authorities(),
    }


def start(settings: Settings) -> None:
    # Exim may lose them at any time (spec, chapter "Exim utilities"); one that was killed may have
    # damaged them, and after a start nothing shall wait for a remote that was down before.
    shutil.rmtree(HINTS, ignore_errors=True)
    mta.wait_for_maps(settings)
    execute(["exim4", "-bdf", "-qq10s"])(settings)


Service(
    name="mta",
    config="exim",
    facts=facts,
    checks=[["exim4", "-bP", "transport_list"]],
    start=start,
).run(sys.argv[1:])
