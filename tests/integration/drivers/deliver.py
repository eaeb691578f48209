"""Inside core's image: sends a post by an MTA, as core's runner does.

    deliver.py ADDRESS MESSAGE-ID RECIPIENT...

Prints as JSON who is to be tried again, and who is not and why.
"""

import json
import sys
from email import message_from_string
from pathlib import Path

from mailman.app.lifecycle import create_list
from mailman.config import config
from mailman.core.initialize import initialize
from mailman.email.message import Message
from mailman.interfaces.domain import IDomainManager
from mailman.interfaces.listmanager import IListManager
from mailman.interfaces.mailinglist import IMailingList
from mailman.interfaces.mta import SomeRecipientsFailed
from zope.component import getUtility

from mailman_stack.core.outgoing import deliver
from mailman_stack.render import render
from mailman_stack.settings import load

CONFIG = Path("/etc/mailman3/mailman.cfg")
LIST = "ant@lists.example.com"
OWN = """
[database]
class: mailman.database.sqlite.SQLiteDatabase
url: sqlite:////tmp/mailman.db
[mta]
incoming: mailman.mta.null.NullMTA
smtp_host: {}
[archiver.hyperkitty]
enable: no
"""
POST = "From: anne@outside.example\nTo: {}\nSubject: Hello\nMessage-ID: {}\n\nHello.\n"


def ant() -> IMailingList:
    """The list, which the first call makes."""
    found = getUtility(IListManager).get(LIST)
    if not found:
        getUtility(IDomainManager).add("lists.example.com")
        found = create_list(LIST)
        config.db.commit()
    return found


def main(address: str, message_id: str, *recipients: str) -> None:
    list(render("core", load("core")))
    with CONFIG.open("a") as file:
        file.write(OWN.format(address))
    initialize(str(CONFIG))
    message = message_from_string(POST.format(LIST, message_id), Message)
    data = {"recipients": set(recipients), "to_list": True, "verp": True}
    answer: dict[str, object] = {"again": [], "lost": {}}
    try:
        deliver(ant(), message, data)
    except SomeRecipientsFailed as error:
        lost = {recipient: code for recipient, code, _text in error.permanent_failures}
        answer = {"again": error.temporary_failures, "lost": lost}
    print(json.dumps(answer))


if __name__ == "__main__":
    main(*sys.argv[1:])
