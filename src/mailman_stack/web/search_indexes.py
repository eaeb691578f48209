"""What the full-text search knows of a message, and where."""

import re
import shutil
from pathlib import Path
from typing import Any

import xapian
from django.conf import settings
from django.db.models import QuerySet
from django.db.models.functions import Length
from hyperkitty import search_indexes as upstream
from hyperkitty.models import Email

PATH = Path(settings.HAYSTACK_CONNECTIONS["default"]["PATH"])
OLD = PATH.with_name("search_index")
"""Version 0.1's, made by Whoosh."""

LONGEST_WORD = 150
"""In bytes: Xapian takes no term of more than 245, with a field's name; in lower case some grow."""

LONGEST_NAME = 230
"""Of a list, which is never cut: by it searches leave out private lists."""

PERHAPS_LONG = re.compile(rf"\S{{{LONGEST_WORD // 4},}}")  # of four bytes each


class EmailIndex(upstream.EmailIndex):
    """HyperKitty's, of mails with words of any length, as are long URLs."""

    def index_queryset(self, using: str | None = None) -> QuerySet:
        """See Haystack; without lists whose names Xapian does not take."""
        mails = super().index_queryset(using).annotate(name_length=Length("mailinglist__name"))
        return mails.filter(name_length__lte=LONGEST_NAME)

    def prepare(self, obj: Email) -> dict[str, Any]:
        """See Haystack."""
        fields: dict[str, Any] = super().prepare(obj)
        return {
            name: shortened(value) if isinstance(value, str) and name != "mailinglist" else value
            for name, value in fields.items()
        }


def shortened(text: str) -> str:
    """Cut long words; a NUL would count twice."""
    return PERHAPS_LONG.sub(_cut, text.replace("\0", " "))


def _cut(word: re.Match[str]) -> str:
    return word[0].encode()[:LONGEST_WORD].decode(errors="ignore")


def create() -> None:
    """Make an empty index where there is none, or a search would fail before the first mail."""
    shutil.rmtree(OLD, ignore_errors=True)
    PATH.mkdir(exist_ok=True)
    try:
        xapian.Database(str(PATH)).close()
    except xapian.DatabaseOpeningError:
        xapian.WritableDatabase(str(PATH), xapian.DB_CREATE_OR_OPEN).close()
