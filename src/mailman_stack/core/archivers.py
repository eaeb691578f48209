"""A list gets its rows for the archivers when it is made.

Upstream makes them when the first runner asks for them, at the first post. Two that ask at once
make them twice, and from then on every post is shunted; one that asks while the list is being
removed makes the removal fail.
"""

import zope.event
from mailman.interfaces.listmanager import ListCreatedEvent
from mailman.interfaces.mailinglist import IListArchiverSet


def install() -> None:
    """Watch for new lists in this process and those it forks."""
    zope.event.subscribers.append(_complete)


def _complete(event: object) -> None:
    if isinstance(event, ListCreatedEvent):
        IListArchiverSet(event.mailing_list)
