"""Inside core's image: what Mailman's parsers read from the files that are made of some settings.

Each line of standard input is {"settings": {NAME: value}, "secrets": {file: text}} as JSON, each
line of output {"problems": [...]} or {"read": {...}, "others": everything else in mailman.cfg}.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

from mailman.config import config
from mailman.config.config import external_configuration
from mailman.core.initialize import initialize_1
from mailman.utilities.string import expand
from sqlalchemy.engine import make_url

from mailman_stack.failing import SettingsError
from mailman_stack.render import render
from mailman_stack.settings import load

MAILMAN = "/etc/mailman3/mailman.cfg"
HYPERKITTY = "/etc/mailman3/hyperkitty.cfg"
SECRETS = Path("/tmp/secrets")  # noqa: S108 - a tmpfs of this container
ENVIRONMENT = dict(os.environ)


def answer(given: dict[str, dict[str, str]]) -> dict[str, Any]:
    os.environ.clear()
    os.environ.update(ENVIRONMENT | given["settings"])
    for name, text in given["secrets"].items():
        (SECRETS / name).write_bytes(text.encode(errors="surrogatepass"))
    try:
        settings = load("core", SECRETS)
    except SettingsError as error:
        return {"problems": error.problems}
    list(render("core", settings))
    config.load(MAILMAN)
    return {"read": read(), "others": others()}


def read() -> dict[str, str | None]:
    url = make_url(expand(config.database.url, None, config.paths))
    return {
        "site_owner": config.mailman.site_owner,
        "rest_user": config.webservice.admin_user,
        "rest_password": config.webservice.admin_pass,
        "database_user": url.username,
        "database_password": url.password,
        "api_key": external_configuration(HYPERKITTY).get("general", "api_key"),
    }


def others() -> list[tuple[str, str, str]]:
    """Every other value, by section and key."""
    ours = {"site_owner", "admin_user", "admin_pass", "url"}
    return [
        (section.name, key, section[key])
        for section in config
        for key in section
        if key not in ours
    ]


if __name__ == "__main__":
    SECRETS.mkdir()
    list(render("core", load("core")))
    initialize_1(MAILMAN)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)
