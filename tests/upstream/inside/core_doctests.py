"""A plugin of nose2, named in nose2.cfg: flufl.testing's, with names for doctests."""

from pathlib import Path
from typing import Any

import mailman
from flufl.testing import nose

ROOT = Path(mailman.__file__).parents[1]


class Doctests(nose.NosePlugin):  # type: ignore[misc]
    """Names a doctest by its path; several files have the same name."""

    def handleFile(self, event: Any) -> None:  # noqa: N802 - nose2's
        """See `nose2.events.Plugin`."""
        known = len(event.extraTests)
        super().handleFile(event)
        name = ".".join(Path(event.path).relative_to(ROOT).parts)
        for test in event.extraTests[known:]:
            test.id = lambda: name
