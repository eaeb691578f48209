#!/opt/mailman-stack/bin/python
"""fetchmail: renders fetchmailrc, stays to run a fetchmail for each mailbox."""

import sys

from mailman_stack import tls
from mailman_stack.entrypoint import Service
from mailman_stack.fetchmail.account import accounts, folder, quoted
from mailman_stack.fetchmail.main import start
from mailman_stack.settings import Settings

# What it prints holds the passwords.
READ_ALL = "fetchmail --fetchmailrc /run/fetchmail/fetchmailrc --configdump >/dev/null"


def facts(settings: Settings) -> dict[str, object]:
    return {
        "accounts": accounts(settings),
        "authorities": tls.authorities(),
        "folder": folder,
        "quoted": quoted,
    }


Service(
    name="fetchmail",
    config="fetchmail",
    facts=facts,
    checks=[["sh", "-c", READ_ALL]],
    start=start,
).run(sys.argv[1:])
