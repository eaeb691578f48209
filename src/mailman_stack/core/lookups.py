"""What upstream asks the database in several queries for each post, asked in one.

Who is banned, which domain is a list's, which addresses are known and which archivers a list has: a
post makes some forty such queries, and each takes core about a millisecond, and the database half
of one.
"""

import re
from collections.abc import Iterator
from functools import cache, lru_cache

from mailman.config import config
from mailman.config.config import Configuration
from mailman.database.transaction import dbconnection
from mailman.interfaces.address import ExistingAddressError
from mailman.interfaces.archiver import IArchiver
from mailman.interfaces.domain import IDomain
from mailman.interfaces.mailinglist import IMailingList
from mailman.model.address import Address
from mailman.model.bans import Ban, BanManager
from mailman.model.domain import Domain, DomainManager
from mailman.model.mailinglist import ListArchiver, ListArchiverSet
from mailman.model.usermanager import UserManager
from sqlalchemy import Select, bindparam, or_, select
from sqlalchemy.orm import Session

from mailman_stack.core.memo import remembered

_upstreams_archivers = Configuration.archivers.fget
_upstreams_create_address = UserManager.create_address


def install() -> None:
    """Take the place of upstream's methods, in this process and those it forks."""
    BanManager.is_banned = _is_banned
    DomainManager.get = _domain
    UserManager.create_address = _create_address
    ListArchiverSet.__init__ = _complete
    ListArchiverSet.archivers = property(_rows)
    ListArchiverSet.get = _archiver
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
def _create_address(
    manager: UserManager, store: Session, email: str, display_name: str | None = None
) -> Address:
    """As upstream, which counts first; of each sender, to know who it is that is no member."""

    def ask() -> Address | None:
        return store.query(Address).filter_by(email=email.lower()).one_or_none()

    found = remembered(ask, "address", email.lower())
    if found:
        raise ExistingAddressError(found.original_email)
    address: Address = _upstreams_create_address(manager, email, display_name)
    return address


@dbconnection
def _complete(archivers: ListArchiverSet, store: Session, mlist: IMailingList) -> None:
    """Make the rows that a list lacks, of the archivers that the configuration names."""
    archivers._mailing_list = mlist  # noqa: SLF001 - as upstream's
    known = {row.name for row in _rows(archivers)}
    for archiver in config.archivers:
        if archiver.name not in known:
            store.add(ListArchiver(mlist, archiver.name, archiver))


def _rows(archivers: ListArchiverSet) -> list[ListArchiver]:
    mlist = archivers._mailing_list  # noqa: SLF001 - as upstream's
    rows = config.db.store.query(ListArchiver).filter(ListArchiver.mailing_list == mlist)
    return remembered(rows.all, "archivers", mlist.list_id)


def _archiver(archivers: ListArchiverSet, name: str) -> ListArchiver | None:
    return next((row for row in _rows(archivers) if row.name == name), None)


def _archivers(configuration: Configuration) -> Iterator[IArchiver]:
    """As upstream, which makes new ones for each question; here they may remember something."""
    # Another is there when the configuration is changed.
    data = configuration._config.data  # noqa: SLF001 - as upstream's
    return iter(_made(configuration, data))


@lru_cache
def _made(configuration: Configuration, _data: object) -> list[IArchiver]:
    return list(_upstreams_archivers(configuration))
