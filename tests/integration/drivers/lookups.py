"""Inside core's image, on SQLite: what is asked in one query, beside upstream's several.

Prints a line for each answer that differs, and in the end how many were compared.
"""

from itertools import chain, combinations

from mailman.app.lifecycle import create_list
from mailman.config import config
from mailman.config.config import Configuration
from mailman.core.initialize import initialize_1, initialize_2, initialize_3
from mailman.database.transaction import transaction
from mailman.interfaces.bans import IBanManager
from mailman.interfaces.domain import IDomainManager
from mailman.model.bans import BanManager
from mailman.model.domain import DomainManager
from mailman.model.mailinglist import ListArchiver, ListArchiverSet
from zope.component import getUtility

from mailman_stack.render import render
from mailman_stack.settings import load

BANS = (
    ("ant.lists.example.com", "anne@example.com"),
    ("ant.lists.example.com", "^bart"),
    ("bee.lists.example.com", "^cris.*@EXAMPLE[.]net"),
    (None, "anne@example.com"),
    (None, "^.*@example[.]net$"),
    (None, "^literally@example.com"),
)
EMAILS = (
    "anne@example.com",
    "ANNE@example.com",
    "bart@example.com",
    "Bart@example.com",
    "cris@example.net",
    "not-bart@example.com",
    "^literally@example.com",
    "nobody@example.org",
)
HOSTS = ("lists.example.com", "LISTS.example.com", "example.com", "")
REPLACED = (
    (BanManager, "is_banned"),
    (DomainManager, "get"),
    (ListArchiverSet, "__init__"),
    (Configuration, "archivers"),
)


def answers() -> list[object]:
    """What core is told of bans, domains and archivers."""
    found: list[object] = []
    lists = [create_list(f"{name}@lists.example.com") for name in ("ant", "bee")]
    for some in chain.from_iterable(combinations(BANS, number) for number in range(len(BANS) + 1)):
        managers = {None: IBanManager(None)} | {one.list_id: IBanManager(one) for one in lists}
        for list_id, email in some:
            managers[list_id].ban(email)
        for list_id, manager in managers.items():
            found += [(some, list_id, email, manager.is_banned(email)) for email in EMAILS]
        for list_id, email in some:
            managers[list_id].unban(email)
    domains = getUtility(IDomainManager)
    for host in HOSTS:
        known = domains.get(host, "another")
        found.append((host, getattr(known, "mail_host", known), domains.get(host) is None))
    for mlist in lists:
        config.db.store.query(ListArchiver).filter_by(mailing_list=mlist, name="prototype").delete()
        for _again in range(2):
            rows = [(one.name, one.is_enabled) for one in ListArchiverSet(mlist).archivers]
            found.append((mlist.list_id, sorted(rows)))
    found += [(one.name, one.is_enabled) for one in config.archivers]
    config.db.abort()
    return found


def main() -> None:
    list(render("core", load("core")))
    initialize_1("/etc/mailman3/mailman.cfg")
    initialize_2()
    upstream = [(of, name, vars(of)[name]) for of, name in REPLACED]
    initialize_3()
    with transaction():
        getUtility(IDomainManager).add("lists.example.com")
    ours = answers()
    for of, name, value in upstream:
        setattr(of, name, value)
    theirs = answers()
    for one, another in zip(ours, theirs, strict=True):
        if one != another:
            print("ours:", one, "upstream's:", another)
    print(len(ours))


if __name__ == "__main__":
    main()
