"""Templates: ``config/<service>/<path>.j2`` becomes ``/<path>`` in the service's container."""

import os
import re
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import SecretStr

from mailman_stack import LOCAL
from mailman_stack.mta import prefixes
from mailman_stack.settings import Settings

TEMPLATES = Path("/usr/share/mailman-stack/config")


def _plain(value: object) -> object:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def _local(name: str) -> str:
    """The operator's own lines for a daemon's file; nothing where there are none."""
    path = LOCAL / name
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _last_wins(text: str) -> str:
    """A main.cf without what a later line sets again: every process of Postfix would warn of it."""
    entries = re.split(r"^(?=[^\s#])", text, flags=re.MULTILINE)
    names = [entry.partition("=")[0].strip() for entry in entries]
    last = {name: number for number, name in enumerate(names)}
    return "".join(entries[number] for number in sorted(last.values()))


def environment(directory: Path) -> Environment:
    """Strict: a name that the settings do not have is an error, never an empty string."""
    env = Environment(
        loader=FileSystemLoader(directory),
        undefined=StrictUndefined,
        finalize=_plain,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # noqa: S701 - these are daemons' files; each has an escape of its own
    )
    env.globals["local"] = _local
    env.filters["last_wins"] = _last_wins
    env.filters["prefixes"] = prefixes
    env.filters["base64"] = lambda value: b64encode(value.encode()).decode()
    env.filters["configparser"] = lambda value: str(_plain(value)).replace("%", "%%")
    return env


def render(
    service: str,
    settings: Settings,
    *,
    templates: Path = TEMPLATES,
    root: Path = Path("/"),
    **facts: Any,
) -> Iterator[Path]:
    """Write every file of one service, readable by its own user only, and yield the paths."""
    directory = templates / service
    env = environment(directory)
    for template in sorted(directory.rglob("*.j2")):
        name = template.relative_to(directory)
        path = root / name.with_suffix("")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        text = env.get_template(str(name)).render(settings=settings, **facts)
        path.write_text(text, encoding="utf-8")
        os.utime(path, (0, 0))  # Postfix pauses until what it reads is two seconds old
        yield path
