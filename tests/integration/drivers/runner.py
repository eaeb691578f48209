"""Inside core's image, on SQLite: what becomes of a message that a runner has trouble with.

Prints as JSON, for each trouble, how often the message was looked at, and where it is in the end.
"""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from inotify_simple import INotify
from mailman.app.lifecycle import create_list
from mailman.config import config
from mailman.core.i18n import _
from mailman.core.initialize import initialize
from mailman.core.runner import Runner
from mailman.database.transaction import transaction
from mailman.email.message import Message
from mailman.interfaces.domain import IDomainManager
from mailman.interfaces.mailinglist import IMailingList
from mailman.interfaces.usermanager import IUserManager
from sqlalchemy.exc import OperationalError
from zope.component import getUtility

from mailman_stack.core.runner import Waiting
from mailman_stack.render import render
from mailman_stack.settings import load

QUEUES = ("virgin", "shunt", "bad")
DATABASE = OperationalError("SELECT 1", {}, Exception("of the database"))


class Scripted(Runner):  # type: ignore[misc]
    """Does as a script says, one entry for each look at the message."""

    script: Iterator[Any]
    looks: list[float]

    def _dispose(self, _mlist: IMailingList, _msg: Message, _msgdata: dict[str, Any]) -> bool:
        self.looks.append(time.monotonic())
        action = next(self.script)
        if isinstance(action, Exception):
            raise action
        return bool(action() if callable(action) else action)


def files(queue: str) -> list[Path]:
    return list(Path(config.switchboards[queue].queue_directory).iterdir())


def run(script: list[Any], **data: Any) -> dict[str, Any]:
    """Have a runner at work, to which a message comes when it sleeps, until it is told to stop."""
    # Combined as `mailman_stack.core.runner.make` does.
    runner = type("Troubled", (Waiting, Scripted), {})("virgin", 0)
    runner.script, runner.looks = iter(script), []
    runner.set_signals()

    def post() -> None:
        time.sleep(0.5)  # by then it sleeps; if not, it finds the message all the same
        message = Message()
        message["Message-ID"] = "<one@example.org>"
        message["From"] = "anne@example.org"
        config.switchboards["virgin"].enqueue(message, data, listid="ant.lists.example.com")
        deadline = time.monotonic() + 60
        while (not runner.looks or files("virgin")) and time.monotonic() < deadline:
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)

    poster = threading.Thread(target=post)
    poster.start()
    runner.run()
    poster.join()
    left = {queue: [file.suffix for file in files(queue)] for queue in QUEUES if files(queue)}
    for queue in left:
        for file in files(queue):
            file.unlink()
    gaps = [later - earlier for earlier, later in zip(runner.looks, runner.looks[1:], strict=False)]
    return {"looks": len(runner.looks), "left": left, "at_once": any(gap < 0.5 for gap in gaps)}


def told_to_stop() -> bool:
    os.kill(os.getpid(), signal.SIGTERM)
    return False


def spoken(**data: Any) -> list[str]:
    """In which language a runner speaks to a sender who prefers French."""
    languages: list[str] = []
    run([lambda: languages.append(_.code)], **data)
    return languages


def without_watches() -> dict[str, Any]:
    """While the host has no more watches to give."""
    taken = []
    try:
        while True:
            taken.append(INotify())
    except OSError:
        return run([False])
    finally:
        for watch in taken:
            watch.close()


if __name__ == "__main__":
    list(render("core", load("core")))
    initialize("/etc/mailman3/mailman.cfg")
    with transaction():
        getUtility(IDomainManager).add("lists.example.com")
        ant = create_list("ant@lists.example.com")
        ant.send_welcome_message = False
        anne = ant.subscribe(getUtility(IUserManager).create_address("anne@example.org"))
        anne.preferences.preferred_language = "fr"
    outcomes = {
        "none": run([False]),
        "database, then none": run([DATABASE, DATABASE, False]),
        "database": run([DATABASE] * 9),
        "message": run([ValueError("of the message")]),
        "not yet": run([True, True, False]),
        "stopped": run([told_to_stop]),
        "no watches": without_watches(),
        "speaks": spoken() + spoken(lang="de") + spoken(lang="de", moderator_approved=True),
    }
    sys.stdout.flush()
    print(json.dumps(outcomes))
