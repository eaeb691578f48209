"""What upstream asks the database in several queries for each post, asked in one.

Who is banned, which domain is a list's, and which archivers a list has: a post makes some forty
such queries, and each takes core about a millisecond, and the database half of one.
"""

import re
from collections.abc import Iterator
from functools import cache, lru_cache

from mailman.config import config
from mailman.config.config import Configuration
from mailman.database.transaction import dbconnection
from mailman.interfaces.archiver import IArchiver
from mailman.interfaces.domain import IDomain
from mailman.interfaces.mailinglist import IMailingList
from mailman.model.bans import Ban, BanManager
from mailman.model.domain import Domain, DomainManager
from mailman.model.mailinglist import ListArchiver, ListArchiverSet
from sqlalchemy import Select, bindparam, or_, select
from sqlalchemy.orm import Session

from mailman_stack.core.memo import remembered

_upstreams_archivers = Configuration.archivers.fget


def install() -> None:
    """Take the place of upstream's methods, in this process and those it forks."""
    BanManager.is_banned = _is_banned
    DomainManager.get = _domain
    ListArchiverSet.__init__ = _complete
    Configuration.archivers = property(_archivers)


def _is_banned(manager: BanManager, email: str) -> bool:
    list_id = manager._list_id  # noqa: SLF001 - as upstream's
    return remembered(lambda: _has_ban(list_id, email), "banned", list_id, email)


def _has_ban(list_id: str | None, email: str) -> bool:
    wanted = {"list_id": list_id, "email": email}
    entries = set(config.db.store.scalars(_bans(), wanted))
    return email in entries or any(re.match(entry, email, re.IGNORECASE) for entry in entries)


@cache
def _bans() -> Select[tuple[str]]:
    """Make the statement, once: that takes longer than to have it answered."""
    return select(Ban.email).where(
        or_(Ban.list_id.is_(None), Ban.list_id == bindparam("list_id")),
        or_(Ban.email == bindparam("email"), Ban.email.startswith("^")),
    )


@dbconnection
def _domain(
    _manager: DomainManager, store: Session, mail_host: str, default: IDomain | None = None
) -> IDomain | None:
    return store.query(Domain).filter_by(mail_host=mail_host).one_or_none() or default


@dbconnection
def _complete(archivers: ListArchiverSet, store: Session, mlist: IMailingList) -> None:
    """Make the rows that a list lacks, of the archivers that the configuration names."""
    archivers._mailing_list = mlist  # noqa: SLF001 - as upstream's
    rows = store.query(ListArchiver.name).filter(ListArchiver.mailing_list == mlist)
    known = {name for (name,) in rows}
    for archiver in config.archivers:
        if archiver.name not in known:
            store.add(ListArchiver(mlist, archiver.name, archiver))


def _archivers(configuration: Configuration) -> Iterator[IArchiver]:
    """As upstream, which makes new ones for each question; here they may remember something."""
    # Another is there when the configuration is changed.
    data = configuration._config.data  # noqa: SLF001 - as upstream's
    return iter(_made(configuration, data))


@lru_cache
def _made(configuration: Configuration, _data: object) -> list[IArchiver]:
    return list(_upstreams_archivers(configuration))
