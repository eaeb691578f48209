"""Inside core's image, on SQLite: what is left to load and to compile after the fork."""

import sys
from email import message_from_bytes

from mailman.app.lifecycle import create_list
from mailman.config import config
from mailman.core.chains import process as check
from mailman.core.initialize import initialize
from mailman.core.pipelines import process as prepare
from mailman.database.transaction import transaction
from mailman.email.message import Message
from mailman.interfaces.domain import IDomainManager
from mailman.interfaces.listmanager import IListManager
from mailman.interfaces.usermanager import IUserManager
from mailman.utilities.modules import call_name
from zope.component import getUtility

from mailman_stack.core.master import load_runners
from mailman_stack.core.rehearsal import rehearse
from mailman_stack.render import render
from mailman_stack.settings import load

POST = """\
From: Anne <anne@example.com>
To: ant@lists.example.com
Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=
Message-ID: <1@example.com>
Content-Type: multipart/alternative; boundary=x

--x
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: base64

R3LDvMOfZQo=
--x
Content-Type: text/html

<p>Hi
--x--
"""


def statements() -> int:
    """How many SQLAlchemy has compiled (its engine's query_cache_size)."""
    return len(config.db.engine._compiled_cache)


if __name__ == "__main__":
    list(render("core", load("core")))
    initialize("/etc/mailman3/mailman.cfg")
    load_runners()
    rehearse()
    call_name(config.mta.incoming)  # as the entrypoint does
    list(config.archivers)
    loaded, compiled = set(sys.modules), statements()
    with transaction():
        getUtility(IListManager).get_by_list_id("ant.lists.example.com")
        getUtility(IUserManager).get_address("anne@example.com")
    compiled = statements() - compiled
    with transaction():
        getUtility(IDomainManager).add("lists.example.com")
        mlist = create_list("ant@lists.example.com")
        mlist.subscribe(getUtility(IUserManager).create_address("anne@example.com"))
        post = message_from_bytes(POST.encode(), Message)
        post.original_size = len(POST)
        data = {"listid": mlist.list_id, "lang": "en", "original_size": len(POST)}
        check(mlist, post, data, mlist.posting_chain)
        prepare(mlist, post, data, mlist.posting_pipeline)
    print(compiled)
    print(" ".join(sorted(set(sys.modules) - loaded)))
    print(len(config.switchboards["out"].files))
