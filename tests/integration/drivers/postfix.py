"""Inside Postfix's image: what its parsers read from the files that are made of some settings.

Each line of standard input is {"settings": {NAME: value}, "secrets": {file: text}} as JSON, each
line of output {"problems": [...]} or {"read": {...}, "others": everything else in Postfix's files}.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from mailman_stack.failing import SettingsError
from mailman_stack.render import render
from mailman_stack.settings import load
from mailman_stack.tls import Certificate

SECRETS = Path("/tmp/secrets")  # noqa: S108 - a tmpfs of this container
ENVIRONMENT = dict(os.environ)
FACTS: dict[str, Any] = {
    "networks": [],
    "certificate": Certificate(Path("/key.pem"), Path("/chain.pem")),
    "authorities": Path("/ca.pem"),
}


def answer(given: dict[str, dict[str, str]]) -> dict[str, Any]:
    os.environ.clear()
    os.environ.update(ENVIRONMENT | given["settings"])
    for name, text in given["secrets"].items():
        (SECRETS / name).write_bytes(text.encode(errors="surrogatepass"))
    try:
        settings = load("mta", SECRETS)
    except SettingsError as error:
        return {"problems": error.problems}
    list(render("postfix", settings, **FACTS))
    parameters = "".join(output("postconf", option) for option in ("-n", "-M", "-P"))
    login, persons = table("sasl_passwd"), table("virtual")
    read = {
        "relayhost": output("postconf", "-h", "relayhost").strip(),
        "login": login.pop(f"[{settings.smtp_host}]:{settings.smtp_port}", ""),
        "owner": persons.pop("postmaster@lists.example.com"),
    }
    del persons["abuse@lists.example.com"]
    return {"read": read, "others": [parameters, login, persons]}


def table(name: str) -> dict[str, str]:
    """All entries of a texthash table, as Postfix gives them."""
    path = f"texthash:/etc/postfix/{name}"
    keys = [line.split("\t")[0] for line in output("postmap", "-s", path).splitlines()]
    return {key: output("postmap", "-q", key, path).removesuffix("\n") for key in keys}


def output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert not done.stderr, done.stderr
    return done.stdout


if __name__ == "__main__":
    SECRETS.mkdir()
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)
