"""Inside core's image, on MySQL: how many rows are read where the optimizer knows of none, or few.

Its argument says which: ``none`` or ``few``.
"""

import json
import sys
from collections.abc import Callable

from mailman.app.lifecycle import create_list
from mailman.config import config
from mailman.core.initialize import initialize
from mailman.database.transaction import transaction
from mailman.email.message import Message
from mailman.interfaces.domain import IDomainManager
from mailman.interfaces.mailinglist import IMailingList
from mailman.interfaces.usermanager import IUserManager
from mailman.utilities.datetime import now
from sqlalchemy import text
from zope.component import getUtility

from mailman_stack.render import render
from mailman_stack.settings import load

MEMBERS = 300
FEW = 3
"""Members of another list."""

TABLES = ("member", "address", "user", "preferences")


def rows_read() -> int:
    """As the connection has counted them (Handler_read_key and the like)."""
    counters = config.db.store.execute(text("SHOW SESSION STATUS LIKE 'Handler_read%'"))
    return sum(int(number) for _name, number in counters)


def reads(work: Callable[[], object]) -> int:
    before = rows_read()
    work()
    return rows_read() - before


def subscribe(mlist: IMailingList, numbers: range) -> None:
    """Every other as a user, all others as addresses."""
    with transaction():
        for number in numbers:
            user = getUtility(IUserManager).create_user(f"member-{number}@example.com")
            (address,) = user.addresses
            address.verified_on = now()
            user.preferred_address = address
            mlist.subscribe(user if number % 2 else address, send_welcome_message=False)


def main(known: str) -> None:
    list(render("core", load("core")))
    initialize("/etc/mailman3/mailman.cfg")
    with transaction():
        getUtility(IDomainManager).add("lists.example.com")
        mlist, other = (create_list(f"{name}@lists.example.com") for name in ("ant", "bee"))
    if known == "few":
        subscribe(other, range(MEMBERS, MEMBERS + FEW))
    for table in TABLES:
        config.db.store.execute(text(f"ALTER TABLE `{table}` STATS_AUTO_RECALC=0"))
        config.db.store.execute(text(f"ANALYZE TABLE `{table}`"))
    subscribe(mlist, range(MEMBERS))
    if known == "none":
        subscribe(other, range(MEMBERS, MEMBERS + FEW))
    for table in TABLES:  # reads again what was counted, as a server that begins does
        config.db.store.execute(text(f"ALTER TABLE `{table}` STATS_PERSISTENT=1"))
    mlist.members.get_member("member-0@example.com")  # reads what the tables are like, too
    message = Message()
    data: dict[str, set[str]] = {}
    few: dict[str, set[str]] = {}
    message["From"] = "member-1@example.com"
    handler = config.handlers["member-recipients"]
    print(
        json.dumps(
            {
                "a member": reads(lambda: mlist.members.get_member("member-7@example.com")),
                "recipients": reads(lambda: handler.process(mlist, message, data)),
                "few recipients": reads(lambda: handler.process(other, message, few)),
                "found": [len(data["recipients"]), len(few["recipients"])],
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1])
