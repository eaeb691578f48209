"""Makes many lists, or a list of many members, by Mailman's own API, in one process.

`python fill.py lists NAME COUNT` makes NAME-0, NAME-1, …; `python fill.py members NAME COUNT` makes
the list NAME, with the members member-0@outside.example, …
"""

import sys
from itertools import batched

from mailman.app.lifecycle import create_list
from mailman.config import config
from mailman.core.initialize import initialize
from mailman.database.transaction import transaction
from mailman.interfaces.usermanager import IUserManager
from mailman.utilities.datetime import now
from mailman.utilities.modules import call_name
from zope.component import getUtility

DOMAIN = "lists.example.com"
BATCH = 500
NO_MAPS = "[mta]\nincoming: mailman.mta.null.NullMTA\n"


def make_lists(name: str, count: int) -> None:
    """The MTA's maps are written in the end, once."""
    config.push("fill", NO_MAPS)
    for batch in batched(range(count), BATCH, strict=False):
        with transaction():
            for number in batch:
                create_list(f"{name}-{number}@{DOMAIN}")
    config.pop("fill")
    call_name(config.mta.incoming).regenerate()


def make_members(name: str, count: int) -> None:
    """A list that tells nobody of its new members."""
    with transaction():
        mlist = create_list(f"{name}@{DOMAIN}")
        mlist.send_welcome_message = False
        mlist.admin_notify_mchanges = False
    users = getUtility(IUserManager)
    for batch in batched(range(count), BATCH, strict=False):
        with transaction():
            for number in batch:
                email = f"member-{number}@outside.example"
                users.make_user(email)
                address = users.get_address(email)
                address.verified_on = now()
                mlist.subscribe(address, send_welcome_message=False)


initialize()
{"lists": make_lists, "members": make_members}[sys.argv[1]](sys.argv[2], int(sys.argv[3]))
