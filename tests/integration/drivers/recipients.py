"""Inside core's image: who gets mail, by upstream's code and by ours, on the database it is given.

Each line of standard input is a world as JSON: users, addresses, members of two lists, and who
sends a post. Each line of output is what either way finds in it, and with how many queries;
"reachable" is what upstream's finds there without the members that have no address.
"""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from mailman.app.lifecycle import create_list
from mailman.config import config
from mailman.core.initialize import initialize_1, initialize_2, initialize_3
from mailman.email.message import Message
from mailman.interfaces.domain import IDomainManager
from mailman.interfaces.listmanager import IListManager
from mailman.interfaces.member import DeliveryMode, DeliveryStatus, MemberRole
from mailman.interfaces.usermanager import IUserManager
from mailman.model.address import Address
from mailman.model.member import Member
from mailman.model.preferences import Preferences
from mailman.model.roster import AbstractRoster, DigestMemberRoster, RegularMemberRoster
from mailman.model.user import User
from mailman.runners.digest import DigestRunner
from mailman.utilities.datetime import now
from mailman.utilities.mailbox import Mailbox
from sqlalchemy import event
from zope.component import getUtility

from mailman_stack.core import recipients
from mailman_stack.render import render
from mailman_stack.settings import load

LISTS = ("ant", "bee")
DOMAIN = "lists.example.com"
ROSTERS = (
    "members",
    "owners",
    "moderators",
    "administrators",
    "nonmembers",
    "subscribers",
    "regular_members",
    "digest_members",
)
ENUMS = {"delivery_mode": DeliveryMode, "delivery_status": DeliveryStatus}
DIGEST = Path("/tmp/digest.mmdf")  # noqa: S108 - a tmpfs of this container

type Json = Any


# -- The ways


class Way(NamedTuple):
    """What Mailman uses at the moment, and what finds the members and users among addresses."""

    pipelines: dict[str, Any]
    rosters: dict[tuple[Any, str], Any]
    members: Callable[[Any, list[str]], Any]
    users: Callable[[list[str]], Any]

    @classmethod
    def now(cls, members: Any, users: Any) -> "Way":
        rosters = (AbstractRoster, RegularMemberRoster, DigestMemberRoster)
        replaced = [(roster, "members") for roster in rosters]
        replaced.append((AbstractRoster, "_get_all_memberships"))
        return cls(
            dict(config.pipelines),
            {(roster, name): vars(roster)[name] for roster, name in replaced},
            members,
            users,
        )

    def take(self) -> None:
        config.pipelines.update(self.pipelines)
        for (roster, name), value in self.rosters.items():
            setattr(roster, name, value)


def upstreams_members(mlist: Any, emails: list[str]) -> dict[str, Any]:
    return {email: found for email in emails if (found := mlist.members.get_member(email))}


def upstreams_users(emails: list[str]) -> dict[str, Any]:
    manager = getUtility(IUserManager)
    return {email: user for email in emails if (user := manager.get_user(email))}


# -- What is asked


def questions(way: Way, world: Json) -> dict[str, Callable[[Any], Json]]:
    """What to ask about a list, by name."""
    sender = world["sender"]
    given = [address["email"] for address in world["addresses"]]
    # As they are kept, too; and as many that there are not.
    emails = [variant for email in given for variant in (email, email.lower(), f"x{email}")]
    return {
        "post": lambda mlist: handled(
            "default-posting-pipeline", "member-recipients", mlist, sender
        ),
        "to owners": lambda mlist: handled(
            "default-owner-pipeline", "owner-recipients", mlist, sender
        ),
        "digest": digest,
        **{name: roster(name) for name in ROSTERS},
        **{f"one of {name}": one_of(name, emails) for name in ROSTERS},
        "known": lambda mlist: {
            email: described(member) for email, member in way.members(mlist, emails).items()
        },
        "known users": lambda _: {
            email: user.display_name for email, user in way.users(given).items()
        },
    }


def handled(pipeline: str, name: str, mlist: Any, sender: str) -> Json:
    """What a handler notes about a message."""
    (handler,) = (handler for handler in config.pipelines[pipeline] if handler.name == name)
    message, data = Message(), dict[str, Any]()
    message["From"] = sender
    handler.process(mlist, message, data)
    return data | {"recipients": sorted(data["recipients"])}


def digest(mlist: Any) -> Json:
    """Who gets a digest, by its type."""
    DIGEST.unlink(missing_ok=True)
    with Mailbox(str(DIGEST), create=True) as mailbox:
        mailbox.add(Message())
    data = {"volume": 1, "digest_number": 1, "digest_path": str(DIGEST)}
    DigestRunner("digest")._dispose(mlist, Message(), data)
    return {message.get_content_type(): sorted(to) for message, to in sent()}


def sent() -> Iterator[tuple[Message, set[str]]]:
    queue = config.switchboards["virgin"]
    for file in queue.files:
        message, data = queue.dequeue(file)
        queue.finish(file)
        yield message, data["recipients"]


def one_of(name: str, emails: list[str]) -> Callable[[Any], Json]:
    """Whom a roster has under each address, if anyone."""
    return lambda mlist: {
        email: where(member)
        for email in emails
        if (member := getattr(mlist, name).get_member(email))
    }


def roster(name: str) -> Callable[[Any], Json]:
    return lambda mlist: sorted(where(member) for member in getattr(mlist, name).members)


def where(member: Any) -> list[str]:
    return [member.member_id.hex, member.address.original_email if member.address else ""]


def described(member: Any) -> list[str]:
    """Everything about a member that personal delivery wants to know."""
    return [
        *where(member),
        member.address.display_name,
        member.display_name,
        member.preferred_language.code,
        *(getattr(member, name).name for name in ENUMS),
        str(member.user and member.user.display_name),
    ]


# -- The world


def make(world: Json) -> None:
    users = [User(display_name=f"User {n}") for n, _ in enumerate(world["users"])]
    known = [address(of, users) for of in world["addresses"]]
    for user, of in zip(users, world["users"], strict=True):
        user.preferences = preferences(of)
        # Mailman's own setter does not let all be that can become so later.
        if of["preferred"] is not None:
            user._preferred_address = known[of["preferred"]]
    for of in world["members"]:
        kind, number = of["subscriber"]
        subscriber = (users if kind == "user" else known)[number]
        member = Member(MemberRole[of["role"]], f"{of['list']}.{DOMAIN}", subscriber)
        member.preferences = preferences(of)
        config.db.store.add(member)


def address(of: Json, users: list[Any]) -> Any:
    made = Address(of["email"], of["email"].partition("@")[0])
    made.preferences = preferences(of)
    made._verified_on = now() if of["verified"] else None
    made.user = None if of["user"] is None else users[of["user"]]
    config.db.store.add(made)
    return made


def preferences(of: Json) -> Any:
    made = Preferences()
    for name, value in of["preferences"].items():
        setattr(made, name, ENUMS[name][value] if value and name in ENUMS else value)
    return made


def remove_unreachable() -> bool:
    """Remove the members without an address, if there are any."""
    unreachable = [member for member in config.db.store.query(Member) if member.address is None]
    for member in unreachable:
        config.db.store.delete(member)
    return bool(unreachable)


# -- The answers


class Counter:
    """Counts queries."""

    def __init__(self) -> None:
        self.count = 0
        event.listen(config.db.engine, "before_cursor_execute", self._note)

    def _note(self, *_arguments: object) -> None:
        self.count += 1


def answers(way: Way, world: Json, counter: Counter) -> Json:
    way.take()
    return {name: answer(ask, counter) for name, ask in questions(way, world).items()}


def answer(ask: Callable[[Any], Json], counter: Counter) -> Json:
    """What is found, or how the search failed; and the number of queries."""
    config.db.store.flush()
    config.db.store.expunge_all()
    mlist = getUtility(IListManager).get_by_list_id(f"ant.{DOMAIN}")
    counter.count = 0
    try:
        found = ask(mlist)
    except AttributeError as error:
        found = type(error).__name__
    return {"found": found, "queries": counter.count}


def compare(world: Json, upstream: Way, ours: Way, counter: Counter) -> Json:
    make(world)
    found = {
        "upstream": answers(upstream, world, counter),
        "ours": answers(ours, world, counter),
    }
    reachable = answers(upstream, world, counter) if remove_unreachable() else found["upstream"]
    config.db.abort()
    return found | {"reachable": reachable}


def main() -> None:
    list(render("core", load("core")))
    initialize_1("/etc/mailman3/mailman.cfg")
    initialize_2()
    upstream = Way.now(upstreams_members, upstreams_users)
    initialize_3()
    ours = Way.now(recipients.preload, recipients.users)
    counter = Counter()
    getUtility(IDomainManager).add(DOMAIN)
    for name in LISTS:
        create_list(f"{name}@{DOMAIN}")
    config.db.commit()
    for line in sys.stdin:
        print(json.dumps(compare(json.loads(line), upstream, ours, counter)), flush=True)


if __name__ == "__main__":
    main()
