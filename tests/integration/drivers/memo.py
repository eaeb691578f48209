"""Inside core's image, on SQLite: what is remembered of an answer, and until when.

Prints, for each step, whether somebody is banned, and how many queries that took.
"""

import json

from mailman.app.lifecycle import create_list
from mailman.config import config
from mailman.core.initialize import initialize
from mailman.database.transaction import transaction
from mailman.interfaces.bans import IBanManager
from mailman.interfaces.domain import IDomainManager
from mailman.model.bans import Ban
from sqlalchemy import delete, event
from zope.component import getUtility

from mailman_stack.core import memo
from mailman_stack.render import render
from mailman_stack.settings import load

EMAIL = "anne@example.com"
steps: list[tuple[str, bool, int]] = []
queries: list[str] = []


def main() -> None:
    list(render("core", load("core")))
    initialize("/etc/mailman3/mailman.cfg")
    memo.install()
    with transaction():
        getUtility(IDomainManager).add("lists.example.com")
        mlist = create_list("ant@lists.example.com")
        bans = IBanManager(mlist)

    def ask(step: str) -> None:
        queries.clear()
        banned = bans.is_banned(EMAIL)
        steps.append((step, banned, sum(query.startswith("SELECT ban") for query in queries)))

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        queries.append(statement)

    event.listen(config.db.engine, "before_cursor_execute", note)
    ask("first")
    ask("again")
    mlist.post_id += 1
    ask("post counted, not yet written")
    config.db.store.flush()
    ask("post counted")
    bans.ban(EMAIL)
    ask("banned, not yet written")
    config.db.store.flush()
    ask("banned")
    ask("banned, again")
    config.db.store.execute(delete(Ban))
    ask("unbanned by a statement")
    bans.ban(EMAIL)
    config.db.commit()
    ask("in the next transaction")
    bans.unban(EMAIL)
    ask("unbanned, not yet written")
    config.db.abort()
    ask("after all not")
    with config.db.engine.begin() as another:
        another.execute(delete(Ban))
    ask("unbanned by another")
    config.db.abort()
    ask("unbanned by another, seen")
    print(json.dumps(steps))


if __name__ == "__main__":
    main()
