#!/opt/mailman-stack/bin/python
"""Sendmail: renders sendmail.mc, makes sendmail.cf of it, waits for core's maps, becomes it."""

import asyncio
import os
import shutil
import socket
import sys
from pathlib import Path

from mailman_stack import mta, tls
from mailman_stack.entrypoint import Service, execute
from mailman_stack.relayhost import Relayhost
from mailman_stack.settings import Settings

RUN = Path("/run/sendmail")
RELAYHOST = RUN / "relayhost"


def private_key(certificate: tls.Certificate) -> Path:
    """A copy that belongs to Sendmail's user and to no one else, as Sendmail demands."""
    copy = RUN / "privkey.pem"
    copy.touch(mode=0o600)
    shutil.copyfile(certificate.key, copy)
    return copy


def facts(settings: Settings) -> dict[str, object]:
    certificate = tls.certificate(settings.hostname)
    return {
        "networks": mta.networks(),
        # A socket of IPv6's serves both.
        "family": "inet6" if socket.has_dualstack_ipv6() else "inet",
        "certificate": certificate._replace(key=private_key(certificate)),
        "authorities": tls.authorities(),
        "relayhost": RELAYHOST,
    }


def start_relayhost(settings: Settings) -> None:
    """Have a process of its own do it; the healthcheck looks after it."""
    if process := os.fork():
        RELAYHOST.with_suffix(".pid").write_text(str(process))
    else:
        asyncio.run(Relayhost(settings, tls.authorities()).listen(RELAYHOST))


def start(settings: Settings) -> None:
    if settings.smtp_secure_mode != "smtp":
        start_relayhost(settings)
    mta.wait_for_maps(settings)
    execute(["/usr/sbin/sendmail", "-bD", "-q2s"])(settings)


Service(
    name="mta",
    config="sendmail",
    facts=facts,
    # The first makes what the second, a look at the queue, reads.
    checks=[
        ["sh", "-c", "m4 --fatal-warnings /etc/mail/sendmail.mc >/etc/mail/sendmail.cf"],
        ["sendmail", "-bP"],
    ],
    start=start,
).run(sys.argv[1:])
