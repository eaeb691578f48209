"""Texts of mails that are not Mailman's own: the operator's files, and those behind URIs."""

import difflib
import logging
import time
from pathlib import Path

from mailman.config import config
from mailman.interfaces.cache import ICacheManager
from mailman.interfaces.languages import ILanguageManager
from mailman.interfaces.template import ALL_TEMPLATES, ALT_TEMPLATE_NAMES
from mailman.model.template import TemplateManager
from zope.component import getUtility

from mailman_stack import templates
from mailman_stack.core.memo import remembered

log = logging.getLogger("mailman.error")

COPIES = Path("/etc/mailman3/templates")
PASSED_OVER_SECONDS = 60
NAMES = {*ALL_TEMPLATES.values(), *ALT_TEMPLATE_NAMES.values()}


def install() -> list[str]:
    """Put the operator's files where Mailman looks for texts, and say what is wrong with them.

    There they are links to copies, beside what ``mailman import21`` has written. Mailman reads a
    file for each mail, and a mail whose text it cannot read goes nowhere: so it reads none that has
    not been looked at.
    """
    _remove_links()
    return templates.problems(templates.MAIL, _install)


def _remove_links() -> None:
    for path in Path(config.TEMPLATE_DIR).rglob("*"):
        if path.is_symlink() and COPIES in path.readlink().parents:
            path.unlink()


def _install(path: Path) -> None:
    _check(path)
    # Some editors mark a file as UTF-8 by its first character.
    text = Path(templates.MAIL, path).read_text(encoding="utf-8-sig")
    copy, link = COPIES / path, Path(config.TEMPLATE_DIR, path)
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_text(text, encoding="utf-8")
    if link.exists():
        raise ValueError(f"in its place there is {link} already; remove one of them")
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(copy)


def _check(path: Path) -> None:
    """:raises ValueError: when Mailman would never look for it."""
    match path.parts:
        case ("site", language, name) | ("domains" | "lists", _, language, name):
            pass
        case _:
            raise ValueError(
                "must be in site/LANGUAGE, domains/DOMAIN/LANGUAGE or lists/LIST-ID/LANGUAGE"
            )
    if language not in getUtility(ILanguageManager).codes:
        raise ValueError(f"Mailman has no language {language}")
    if name not in NAMES:
        near = difflib.get_close_matches(name, NAMES, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"Mailman has no such template{hint}")


class Templates(TemplateManager):
    """Texts behind URIs, as Postorius sets them."""

    def __init__(self) -> None:
        self._passed_over: dict[tuple[str, str | None], float] = {}

    def get(self, name: str, context: str | None, **substitutions: str) -> str | None:
        """As upstream's, but a text that cannot be had is passed over for the next best one.

        Upstream does so when a server answers with an error. When there is no answer, or when a
        file is missing or is not in UTF-8, its exception puts the mail aside. A server that hangs
        holds up a runner for seconds: so nobody asks it again at once.
        """
        if time.monotonic() < self._passed_over.get((name, context), 0):
            return None
        may_be_there = remembered(lambda: True, "text", name, context)
        if not may_be_there:
            return None
        try:
            text: str | None = super().get(name, context, **substitutions)
        except (OSError, ValueError) as error:
            log.warning("%s of %s is passed over: %s", name, context or "the site", error)
            self._passed_over[name, context] = time.monotonic() + PASSED_OVER_SECONDS
            return None
        return text

    def set(
        self,
        name: str,
        context: str | None,
        uri: str,
        username: str | None = None,
        password: str = "",
    ) -> None:
        """As upstream's, but nothing that was fetched before is remembered.

        Upstream forgets what it fetched from this URI, but not where placeholders were filled in.
        """
        self._passed_over.clear()
        getUtility(ICacheManager).clear()
        super().set(name, context, uri, username, password)
