"""A list has its rows for the archivers from when it is made until it is removed.

Upstream makes them when the first runner asks for them, at the first post. Two that ask at once
make them twice, and from then on every post is shunted. One that asks while the list is being
removed sees none, as core reads uncommitted data: it makes them anew, and the removal fails.
"""

import zope.event
from mailman.config import config
from mailman.database.transaction import dbconnection, transaction
from mailman.interfaces.listmanager import ListCreatedEvent, ListDeletingEvent
from mailman.interfaces.mailinglist import IListArchiverSet, IMailingList
from mailman.model.mailinglist import ListArchiver, MailingList
from sqlalchemy import func
from sqlalchemy.orm import Session


def install() -> None:
    """Watch lists in this process and those it forks."""
    zope.event.subscribers.append(_follow)


def complete() -> None:
    """Make the rows of lists that have been made by a Mailman without this."""
    with transaction():
        for mlist in _incomplete():
            IListArchiverSet(mlist)


@dbconnection
def _incomplete(store: Session) -> list[IMailingList]:
    names = [archiver.name for archiver in config.archivers]
    rows = store.query(ListArchiver.mailing_list_id).filter(ListArchiver.name.in_(names))
    whole = rows.group_by(ListArchiver.mailing_list_id).having(func.count() >= len(names))
    return list(store.query(MailingList).filter(MailingList.id.not_in(whole)))


def _follow(event: object) -> None:
    if isinstance(event, ListCreatedEvent):
        IListArchiverSet(event.mailing_list)
    elif isinstance(event, ListDeletingEvent):
        _lock(event.mailing_list)


@dbconnection
def _lock(mlist: IMailingList, store: Session) -> None:
    """Keep others from making rows that refer to the list, until it is gone."""
    store.query(MailingList.id).filter_by(id=mlist.id).with_for_update().one()
