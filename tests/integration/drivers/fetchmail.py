"""Inside fetchmail's image: what its own parser reads from the file that is made of some settings.

Each line of standard input is {"settings": {NAME: value}, "secrets": {file: text}} as JSON, each
line of output a list of what is read for each mailbox.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from mailman_stack.fetchmail.account import accounts, folder, quoted
from mailman_stack.render import render
from mailman_stack.settings import load

SECRETS = Path("/tmp/secrets")  # noqa: S108 - a tmpfs of this container
ENVIRONMENT = dict(os.environ)


def answer(given: dict[str, dict[str, str]]) -> list[dict[str, Any]]:
    os.environ.clear()
    os.environ.update(ENVIRONMENT | given["settings"])
    for name, text in given["secrets"].items():
        (SECRETS / name).write_text(text)
    settings = load("fetchmail", SECRETS)
    facts: dict[str, Any] = {
        "accounts": accounts(settings),
        "authorities": Path("/ca.pem"),
        "folder": folder,
        "quoted": quoted,
    }
    (file,) = render("fetchmail", settings, **facts)
    command = ["fetchmail", "--fetchmailrc", str(file), "--configdump"]
    dump = subprocess.run(command, capture_output=True, check=True).stdout
    read: dict[str, Any] = {}
    exec(dump, read)  # noqa: S102 - it is a module of Python, see fetchmail(1)
    return [
        {
            "host": server["via"],
            "user": user["remote"],
            "password": user["password"],
            "folder": user["mailboxes"],
        }
        for server in read["fetchmailrc"]["servers"]
        for user in server["users"]
    ]


SECRETS.mkdir(exist_ok=True)
for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)
