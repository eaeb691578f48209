"""Who gets a post, a digest or a mail to the owners: asked in one query, however many they are.

Upstream asks six or seven times for each member: for the address, and for the preferences of the
member, of the address and of the address's user, of which the first that says something counts,
then the system's (``Member._lookup``). SQL says the same here.

Upstream fails where a user is a member but has no preferred address any more, and nobody gets the
post. Here only that user does not.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from itertools import batched
from typing import Any

from mailman.config import config
from mailman.core.constants import system_preferences
from mailman.email.message import Message
from mailman.handlers import member_recipients, owner_recipients
from mailman.interfaces.mailinglist import IMailingList
from mailman.interfaces.member import DeliveryMode, DeliveryStatus
from mailman.interfaces.roster import IRoster
from mailman.model.address import Address
from mailman.model.member import Member
from mailman.model.preferences import Preferences
from mailman.model.roster import AbstractRoster, DigestMemberRoster, RegularMemberRoster
from mailman.model.user import User
from sqlalchemy import ColumnElement, Select, bindparam, func, literal, select, union
from sqlalchemy.orm import Query, aliased, contains_eager

from mailman_stack.core.memo import remembered

REGULAR = (DeliveryMode.regular,)
DIGEST = (
    DeliveryMode.plaintext_digests,
    DeliveryMode.mime_digests,
    DeliveryMode.summary_digests,
)
AT_A_TIME = 1000
"""How many addresses a query names."""

AS_WRITTEN = "/*+ JOIN_FIXED_ORDER() NO_BNL() */"
"""MySQL's optimizer takes a table that has just grown for an empty one, and would read all of it.

NO_BNL means hash joins, too. See MySQL's manual, "Optimizer Hints".
"""

# Who has subscribed as a user, and whose an address is: not always the same.
Subscriber, Owner = aliased(User), aliased(User)
OfMember, OfAddress, OfOwner = (aliased(Preferences) for _ in range(3))
PREFERRED_ADDRESS = Subscriber._preferred_address_id  # noqa: SLF001 - there is no other name for it


def install() -> None:
    """Take the place of upstream's handlers and rosters, in this process and those it forks."""
    for handler in (MemberRecipients(), OwnerRecipients()):
        config.handlers[handler.name] = handler
    # They have taken their handlers as they were made.
    for name, pipeline in config.pipelines.items():
        config.pipelines[name] = type(pipeline)()
    AbstractRoster.members = property(_all)
    AbstractRoster._get_all_memberships = _memberships  # noqa: SLF001 - get_member's
    RegularMemberRoster.members = property(_regular)
    DigestMemberRoster.members = property(_digest)


class MemberRecipients(member_recipients.MemberRecipients):
    """Upstream's handler, but for how it finds who gets a post by itself."""

    def process(self, mlist: IMailingList, msg: Message, msgdata: dict[str, Any]) -> None:
        """See `IHandler`."""
        if "recipients" in msgdata:
            return
        recipients = _enabled(_with_mode(mlist.members, REGULAR))
        sender = mlist.members.get_member(msg.sender)
        if sender and not sender.receive_own_postings:
            recipients.discard(sender.address.email)
        msgdata["recipients"] = recipients


class OwnerRecipients(owner_recipients.OwnerRecipients):
    """Upstream's handler, but for how it finds who gets mail to the owners."""

    def process(self, mlist: IMailingList, _msg: Message, msgdata: dict[str, Any]) -> None:
        """See `IHandler`."""
        if "recipients" in msgdata:
            return
        recipients = _enabled(_joined(_query(mlist.administrators)))
        msgdata["recipients"] = recipients or {config.mailman.site_owner}
        msgdata["nodecorate"] = msgdata["verp"] = True


def preload(mlist: IMailingList, recipients: Iterable[str]) -> dict[str, Member]:
    """Give the members among recipients, each as ``mlist.members.get_member`` finds it.

    Until the transaction ends they know their addresses, users, preferences and languages without
    a query. Ask for no more of them than there is memory for: each takes about 8 kB.
    """
    members = {}
    for emails in batched(recipients, AT_A_TIME, strict=False):
        for member in _memberships(mlist.members, *emails):
            members[member.address.email] = member
    return members


def users(recipients: Iterable[str]) -> dict[str, User]:
    """Give the users among recipients, each as ``IUserManager.get_user`` finds it."""
    found: dict[str, User] = {}
    for emails in batched(recipients, AT_A_TIME, strict=False):
        rows = config.db.store.query(Address.email, User).join(Address.user)
        known = dict(rows.filter(Address.email.in_({email.lower() for email in emails})).tuples())
        found |= {email: known[email.lower()] for email in emails if email.lower() in known}
    return found


# -- Rosters


def _all(roster: IRoster) -> Iterator[Member]:
    return _complete(_joined(_query(roster)))


def _regular(roster: IRoster) -> Iterator[Member]:
    return _complete(_with_mode(roster, REGULAR))


def _digest(roster: IRoster) -> Iterator[Member]:
    return _complete(_with_mode(roster, DIGEST))


def _memberships(roster: IRoster, *emails: str) -> list[Member]:
    """Give a roster's members with these addresses; a subscribed address after its user."""
    mlist = roster._mlist  # noqa: SLF001 - there is no other name for it
    wanted = {"list_id": mlist.list_id, "role": roster.role, "emails": emails}

    def ask() -> list[Member]:
        return list(_linked(config.db.store.execute(_addressed(), wanted)))

    members = [*remembered(ask, "members", mlist.list_id, roster.role, emails)]
    for member in members:
        member._mailing_list = mlist  # noqa: SLF001 - or it asks for it, to know its language
    return members


# -- Queries


def _query(roster: IRoster) -> Query[Any]:
    members: Query[Any] = roster._query()  # noqa: SLF001 - what says which members these are
    return members


@cache
def _addressed() -> Select[Any]:
    """Make the statement for `_memberships`, once: that takes longer than to have it answered."""
    emails = Address.email.in_(bindparam("emails", expanding=True))
    ids = select(Member.id).select_from(Address).where(emails)
    ids = ids.prefix_with(AS_WRITTEN, dialect="mysql")
    by_address = ids.join(Member, Member.address_id == Address.id)
    by_user = ids.join(Subscriber, Address.id == PREFERRED_ADDRESS)
    by_user = by_user.join(Member, Member.user_id == Subscriber.id)
    found = union(by_address, by_user).subquery()
    members = select(Member, Address, Subscriber).select_from(found)
    members = _joined(members.join(Member, Member.id == found.c.id))
    # Of one address there are few members; of the list there may be many.
    members = members.where(
        Member.list_id == bindparam("list_id"), Member.role == bindparam("role")
    )
    return members.options(*_eager()).order_by(Member.address_id.is_not(None), Member.id)


def _joined[T: (Query[Any], Select[Any])](members: T) -> T:
    """Join to members what decides on their mail; a user gets it at the preferred address."""
    address_id = func.coalesce(Member.address_id, PREFERRED_ADDRESS)
    return (
        members.outerjoin(Subscriber, Subscriber.id == Member.user_id)
        .outerjoin(Address, Address.id == address_id)
        .outerjoin(Address.user.of_type(Owner))
        .outerjoin(Member.preferences.of_type(OfMember))
        .outerjoin(Address.preferences.of_type(OfAddress))
        .outerjoin(Owner.preferences.of_type(OfOwner))
        .prefix_with(AS_WRITTEN, dialect="mysql")
    )


def _preference(name: str) -> ColumnElement[Any]:
    """The value that counts; see ``Member._lookup``."""
    levels = [getattr(preferences, name) for preferences in (OfMember, OfAddress, OfOwner)]
    default = literal(getattr(system_preferences, name), levels[0].type)
    return func.coalesce(*levels, default)


def _with_mode(roster: IRoster, modes: tuple[DeliveryMode, ...]) -> Query[Any]:
    members = _joined(_query(roster)).filter(Address.id.is_not(None))
    return members.filter(_preference("delivery_mode").in_(modes))


def _enabled(members: Query[Any]) -> set[str]:
    """The addresses of the members who get mail."""
    enabled = members.filter(_preference("delivery_status") == DeliveryStatus.enabled)
    emails = enabled.filter(Address.id.is_not(None)).with_entities(Address.email)
    return {email for (email,) in emails}


def _complete(members: Query[Any]) -> Iterator[Member]:
    """Yield members with all that is joined to them, so that nothing of it is asked for again."""
    return _linked(members.add_entity(Address).add_entity(Subscriber).options(*_eager()))


def _linked(rows: Iterable[Any]) -> Iterator[Member]:
    """Have members refer to what comes with them: what nothing refers to is forgotten."""
    for member, _address, _subscriber in rows:
        member.address  # noqa: B018
        yield member


def _eager() -> tuple[Any, ...]:
    owner = contains_eager(Address.user.of_type(Owner))
    return (
        contains_eager(Member.preferences.of_type(OfMember)),
        contains_eager(Address.preferences.of_type(OfAddress)),
        owner.contains_eager(Owner.preferences.of_type(OfOwner)),
    )
