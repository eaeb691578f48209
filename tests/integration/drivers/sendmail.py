"""Inside Sendmail's image: what m4 and Sendmail make of the files that are made of some settings.

Each line of standard input is {"settings": {NAME: value}, "secrets": {file: text}} as JSON, each
line of output {"problems": [...]} or {"read": {...}, "others": all the rest of sendmail.cf}.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from mailman_stack.failing import SettingsError
from mailman_stack.render import render
from mailman_stack.settings import load
from mailman_stack.tls import Certificate

ENVIRONMENT = dict(os.environ)
FACTS: dict[str, Any] = {
    "networks": [],
    "family": "inet",
    "certificate": Certificate(Path("/key.pem"), Path("/chain.pem")),
    "authorities": "/authorities.pem",
    "relayhost": "/relayhost",
}
CONFIGURATION = Path("/etc/mail/sendmail.cf")


def answer(given: dict[str, dict[str, str]]) -> dict[str, Any]:
    os.environ.clear()
    os.environ.update(ENVIRONMENT | given["settings"])
    try:
        settings = load("mta")
    except SettingsError as error:
        return {"problems": error.problems}
    list(render("sendmail", settings, **FACTS))
    text = output("m4", "/etc/mail/sendmail.mc")
    CONFIGURATION.write_text(text)
    domain, name = settings.domains[0].name, settings.hostname
    read = {
        "owner": resolved(f"postmaster@{domain}"),
        "hostname": "".join(re.findall(r"^Dj(.*)", text, re.MULTILINE)),
        "domains": "".join(re.findall(r"^C\{SiteDomain\}(.*)", text, re.MULTILINE)).split(),
    }
    return {"read": read, "others": text.replace(name, "").replace(domain, "")}


def resolved(address: str) -> str:
    """Who gets mail to an address in the end."""
    tested = output("sendmail", "-bt", stdin=f"3,0 {address}\n")
    *_, last = re.findall(r"parse +returns: \$# \w+ \$@ .* \$: (.*)", tested)
    # Its tokens, as `user < @ host . >`; no address has a space in it.
    return str(last).replace(" ", "").replace("<@", "@").removesuffix(".>")


def output(*command: str, stdin: str = "") -> str:
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)
