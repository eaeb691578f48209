"""The transport maps, written by core for the MTA: ``[mta] incoming:`` of mailman.cfg."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from mailman.mta import postfix


@contextmanager
def readable_by_the_mta() -> Iterator[None]:
    """Mailman's umask hides what it writes from everyone else, so from the MTA's user too."""
    umask = os.umask(0o022)
    try:
        yield
    finally:
        os.umask(umask)


class PostfixMaps(postfix.LMTP):
    """Mailman's own maps for Postfix, in a form that another container can rely on."""

    def regenerate(self, directory: str | None = None) -> None:
        """Write and index all maps before a list's creation or removal is answered."""
        with readable_by_the_mta():
            super().regenerate(directory)

    def _generate_vmap_file(self, fp: TextIO) -> bool:
        """Keep the map of alias domains when it is empty: Postfix fails without a named table."""
        super()._generate_vmap_file(fp)
        return True
