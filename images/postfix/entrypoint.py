#!/opt/mailman-stack/bin/python
"""Postfix: renders main.cf and master.cf, waits for core's maps, becomes Postfix's master."""

import sys

from mailman_stack import postfix
from mailman_stack.entrypoint import Service, execute
from mailman_stack.settings import Settings


def facts(settings: Settings) -> dict[str, object]:
    return {"networks": postfix.networks(), "certificate": postfix.certificate(settings)}


def start(settings: Settings) -> None:
    postfix.wait_for_maps()
    execute(["postfix", "start-fg"])(settings)


Service(
    name="mta",
    config="postfix",
    facts=facts,
    # postconf warns of an unknown name, or of a line it cannot read, and exits 0.
    checks=[["sh", "-c", "! { postconf; postconf -M; } 2>&1 >/dev/null | grep ."]],
    start=start,
).run(sys.argv[1:])
