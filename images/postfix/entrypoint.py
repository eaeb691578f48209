#!/opt/mailman-stack/bin/python
"""Postfix: renders main.cf and master.cf, waits for core's maps, becomes Postfix's master."""

import sys

from mailman_stack import mta, tls
from mailman_stack.entrypoint import Service, execute
from mailman_stack.settings import Settings

# Postfix's tools warn of an unknown name, or of a line they cannot read, and exit 0.
READ_ALL = """
    postconf; postconf -M
    postmap -s texthash:/etc/postfix/virtual texthash:/etc/postfix/sasl_passwd
    postmap -q . regexp:/etc/postfix/lmtp_status_filter
"""


def facts(settings: Settings) -> dict[str, object]:
    return {
        "networks": mta.networks(),
        "certificate": tls.certificate(settings.hostname),
        "authorities": tls.authorities(),
    }


def start(settings: Settings) -> None:
    mta.wait_for_maps(settings)
    execute(["postfix", "start-fg"])(settings)


Service(
    name="mta",
    config="postfix",
    facts=facts,
    checks=[["sh", "-c", f"! {{ {READ_ALL} }} 2>&1 >/dev/null | grep ."]],
    start=start,
).run(sys.argv[1:])
