"""What Mailman's digests lack: nothing of them gets lost.

Who turns digests off gets the one that is being collected: its posts have not come otherwise.
Upstream's digest runner sends it (``IMailingList.send_one_last_digest_to``), but Mailman 3.3.10
never asks for it. Here a change of any preferences that decide on a delivery mode does.

And one process at a time works on what a list collects. In upstream's way the daily job, REST or a
second pipeline runner takes the file away while a post is added to it, or under a name that is
taken already, since the number of the digest is another's too.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import zope.event
from mailman.app.digests import maybe_send_digest_now
from mailman.commands import cli_digests
from mailman.core.constants import system_preferences
from mailman.email.message import Message
from mailman.handlers import to_digest
from mailman.interfaces.listmanager import ListDeletingEvent
from mailman.interfaces.mailinglist import IMailingList
from mailman.interfaces.member import DeliveryMode, MemberRole, UnsubscriptionEvent
from mailman.model.digests import OneLastDigest
from mailman.model.member import Member
from mailman.model.preferences import Preferences
from mailman.rest import lists
from sqlalchemy import event, or_
from sqlalchemy.orm import Session, object_session

REGULAR = DeliveryMode.regular
NUMBERING = ("volume", "next_digest_number", "digest_last_sent_at")

Data = dict[str, Any]

_held: set[Path] = set()
_upstreams_add = to_digest.ToDigest.process


def install() -> None:
    """Watch the preferences in this process and those it forks."""
    event.listen(Preferences.delivery_mode, "set", _before_change)
    zope.event.subscribers.append(_forget)
    to_digest.ToDigest.process = _add
    for module in (to_digest, cli_digests, lists):
        module.maybe_send_digest_now = _maybe_send


@contextmanager
def collecting(mlist: IMailingList) -> Iterator[None]:
    """Have what a list collects for this process alone; it may be had already."""
    path = Path(mlist.data_path, "digest.lock")
    if path in _held:
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    store = object_session(mlist)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        _held.add(path)
        try:
            store.flush()  # or what has just been changed here would be read anew, too
            store.refresh(mlist, NUMBERING)
            yield
            store.flush()  # core reads uncommitted data
        finally:
            _held.discard(path)


def _add(handler: to_digest.ToDigest, mlist: IMailingList, msg: Message, msgdata: Data) -> None:
    if mlist.digests_enabled and not msgdata.get("isdigest"):
        with collecting(mlist):
            _upstreams_add(handler, mlist, msg, msgdata)


def _maybe_send(mlist: IMailingList, *, force: bool = False) -> None:
    with collecting(mlist):
        maybe_send_digest_now(mlist, force=force)


def _before_change(preferences: Preferences, new: Any, _old: Any, _initiator: object) -> None:
    store = object_session(preferences)
    if store is None or preferences.id is None:
        return  # new: nobody's digests depend on them yet
    with store.no_autoflush:
        for member in _members(store, preferences):
            before, after = member.delivery_mode, _mode(member, preferences, new)
            if before != after:
                _note(store, member, last=before if after is REGULAR else None)


def _members(store: Session, preferences: Preferences) -> list[Member]:
    """The members for whom they count: as their own, their address's or their user's."""
    if address := preferences.address:
        user, addresses = address.user, [address]
    elif user := preferences.user:
        addresses = list(user.addresses)
    else:
        return list(store.query(Member).filter_by(preferences=preferences, role=MemberRole.member))
    by_address = Member.address_id.in_([address.id for address in addresses])
    whose = or_(by_address, Member.user_id == user.id) if user else by_address
    return list(store.query(Member).filter_by(role=MemberRole.member).filter(whose))


def _mode(member: Member, changed: Preferences, new: DeliveryMode | None) -> DeliveryMode:
    """As ``Member.delivery_mode`` will be, once the new value has been set."""
    levels = [member.preferences, member.address.preferences]
    if member.address.user:
        levels.append(member.address.user.preferences)
    modes = (new if level is changed else level.delivery_mode for level in levels)
    return next(filter(None, modes), system_preferences.delivery_mode)


def _note(store: Session, member: Member, last: DeliveryMode | None) -> None:
    """Remember what a member shall get once more, or nothing."""
    mlist, address = member.mailing_list, member.address
    store.query(OneLastDigest).filter_by(mailing_list=mlist, address=address).delete()
    # None of a digest that begins only now.
    collected = Path(mlist.data_path).glob("digest*.mmdf")
    if last and any(file.stat().st_size for file in collected):
        mlist.send_one_last_digest_to(address, last)


def _forget(happened: object) -> None:
    """Who leaves gets nothing more; and the database keeps a list to which such notes refer."""
    if isinstance(happened, UnsubscriptionEvent) and happened.member.role is MemberRole.member:
        _note(object_session(happened.member), happened.member, last=None)
    elif isinstance(happened, ListDeletingEvent):
        happened.mailing_list.last_digest_recipients  # noqa: B018 - to read them removes them
