"""Writes ``.env.example`` and ``docs/settings.md`` from the declaration of the settings.

``python -m mailman_stack.reference`` in the root of the repository; `make settings` does that.
"""

import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from mailman_stack.settings import REMOVED, SECTIONS, fields, secret

GENERATED = "Generated from src/mailman_stack/settings.py by `make settings`."


def default(field: FieldInfo) -> str:
    """The default as one writes it in `.env`; empty where there is none."""
    value = "" if field.is_required() or isinstance(field.default, SecretStr) else field.default
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def allowed(field: FieldInfo) -> str:
    """The choices or the range of a setting, in words; empty where any value will do."""
    if get_origin(field.annotation) is Literal:
        return "one of " + ", ".join(f"`{choice}`" for choice in get_args(field.annotation))
    bounds = {key: getattr(mark, key) for mark in field.metadata for key in ("ge", "le")
              if hasattr(mark, key)}  # fmt: skip
    return f"from {bounds['ge']} to {bounds['le']}" if bounds else ""


def doc(field: FieldInfo) -> str:
    return " ".join((field.description or "").split())


def env_example() -> str:
    """The text of `.env.example`: what is required filled in, the defaults as comments."""
    return "\n".join(_env_lines()) + "\n"


def _env_lines() -> Iterator[str]:
    yield f"# {GENERATED}"
    yield "# In a value, $ begins a variable, unless the value stands in single quotes: 'pa$$word'."
    for section in SECTIONS:
        yield f"\n# ---- {section.__doc__}"
        for name, field in fields(section).items():
            if not secret(field):
                limits = f" ({allowed(field)})".replace("`", "") if allowed(field) else ""
                lines = textwrap.wrap(doc(field) + limits, 96)
                yield "\n" + "\n".join(f"# {line}" for line in lines)
                example = field.examples[0] if field.examples else None
                yield f"{name}={example}" if example else f"#{name}={default(field)}"


def settings_md() -> str:
    """The text of `docs/settings.md`."""
    return "\n".join(_markdown_lines()) + "\n"


def _markdown_lines() -> Iterator[str]:
    yield "# Settings\n"
    yield f"{GENERATED}\n"
    yield textwrap.dedent("""\
        Settings are variables in `.env`, secrets are files in `secrets/`, named as in the table but
        in lower case. A secret may be a variable too, but not both. `make up` makes both once and
        never changes them. Every container checks all settings before its daemon starts, names
        every wrong one at once, and refuses a name that is none of these; names of your own begin
        with `LOCAL_`.

        In `.env`, Compose reads `$` as the beginning of a variable: put such a value in single
        quotes.

        What no setting covers goes, in the daemon's own language, into a file in `local/`, which
        the same check reads: `mailman.cfg`, `settings_local.py` (Django), and for the MTA `main.cf`
        (Postfix), `exim.conf` (Exim) or `sendmail.mc` (Sendmail). A certificate for the MTA is
        `local/tls/fullchain.pem` with `local/tls/privkey.pem`.""")
    for section in SECTIONS:
        yield f"\n## {section.__doc__}\n"
        yield "| name | default | allowed | meaning |"
        yield "|---|---|---|---|"
        for name, field in fields(section).items():
            yield f"| `{name}` | {_default_cell(field)} | {allowed(field)} | {doc(field)} |"
    yield "\n## Names of docker-mailman that are not needed here\n"
    yield "| name | what to do |"
    yield "|---|---|"
    yield from (f"| `{name}` | {advice} |" for name, advice in REMOVED.items())


def _default_cell(field: FieldInfo) -> str:
    if mark := secret(field):
        return "secret, made at random" if mark.generated else "secret, empty"
    if field.is_required():
        return "required"
    return f"`{default(field)}`" if default(field) else ""


def main() -> None:
    Path(".env.example").write_text(env_example(), encoding="utf-8")
    Path("docs/settings.md").write_text(settings_md(), encoding="utf-8")


if __name__ == "__main__":
    main()
