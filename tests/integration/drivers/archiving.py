"""Inside core's image, on SQLite: how posts come into HyperKitty, which is scripted.

Prints as JSON, for each script, which posts HyperKitty was offered, and what is left in the spool.
"""

import email.parser
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from mailman.app.lifecycle import create_list
from mailman.config import config
from mailman.core.initialize import initialize
from mailman.database.transaction import transaction
from mailman.email.message import Message
from mailman.interfaces.domain import IDomainManager
from mailman.interfaces.listmanager import IListManager
from mailman.interfaces.mailinglist import IMailingList
from zope.component import getUtility

from mailman_stack.core import archive
from mailman_stack.core.runner import make
from mailman_stack.render import render
from mailman_stack.settings import load

CONFIG = Path("/etc/mailman3/hyperkitty.cfg")
SPOOL = Path("/var/lib/mailman/archives/hyperkitty/spool")
TAKEN = 200, b'{"url": "http://www.example.com/"}'
REFUSED = 500, b"Ouch"
AWAY = 503, b"Not now"
ODD = 200, b"[]"
BROKEN = b"not a pickle"


class HyperKitty(HTTPServer):
    """Answers as a script says, and takes what comes after its end; each waits until it may."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 8000), Handler)
        self.script: Iterator[tuple[int, bytes]] = iter(())
        self.offered: list[str] = []
        self.may_answer = threading.Event()
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: HyperKitty

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        (number,) = (line for line in body.splitlines() if line.startswith("Subject: "))
        self.server.offered.append(number.removeprefix("Subject: "))
        self.server.may_answer.wait(60)
        status, answer = next(self.server.script, TAKEN)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_arguments: object) -> None:
        pass


def post(number: int) -> Message:
    return email.parser.Parser(Message).parsestr(
        f"Message-ID: <{number}@example.org>\nSubject: {number}\n\nHello.\n"
    )


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)


def left() -> list[str]:
    return sorted(file.suffix for file in SPOOL.iterdir())


def run(hyperkitty: HyperKitty, mlist: IMailingList, *script: tuple[int, bytes]) -> dict[str, Any]:
    """Archive three posts; HyperKitty answers when the last of them is spooled."""
    hyperkitty.script, hyperkitty.offered = iter(script), []
    hyperkitty.may_answer.clear()
    archiver = archive.Archiver()
    sender = archive.Sender(archiver, seconds=0.1)
    sender.start()
    for number in range(3):
        archiver.archive_message(mlist, post(number))
    wait_for(lambda: hyperkitty.offered)
    spooled = len(left())
    hyperkitty.may_answer.set()
    wait_for(lambda: not left())
    sender.stop()
    return {"spooled": spooled, "offered": "".join(hyperkitty.offered), "left": left()}


def stopped(hyperkitty: HyperKitty, mlist: IMailingList) -> dict[str, Any]:
    """While HyperKitty is at the first; and then begun again, after a death in the middle of it."""
    hyperkitty.script, hyperkitty.offered = iter(()), []
    hyperkitty.may_answer.clear()
    archiver = archive.Archiver()
    for number in range(3):
        archiver.archive_message(mlist, post(number))
    sender = archive.Sender(archiver, seconds=60)
    sender.start()
    wait_for(lambda: hyperkitty.offered)
    stopper = threading.Thread(target=sender.stop)
    stopper.start()
    wait_for(lambda: sender._stopped)
    hyperkitty.may_answer.set()
    stopper.join()
    waited = left()
    first = min(SPOOL.iterdir())
    first.rename(first.with_suffix(".bak"))
    return {"waited": waited, **run(hyperkitty, mlist)}


def unreadable(hyperkitty: HyperKitty, mlist: IMailingList) -> dict[str, Any]:
    (SPOOL / "1.0+00.pck").write_bytes(BROKEN)
    outcome = run(hyperkitty, mlist)
    bad = Path(config.switchboards["bad"].queue_directory)
    return outcome | {"bad": [file.read_bytes() == BROKEN for file in bad.iterdir()]}


def unwritten(hyperkitty: HyperKitty, mlist: IMailingList) -> dict[str, Any]:
    """What cannot be spooled, as on a full disk, is kept by the runner."""
    hyperkitty.script, hyperkitty.offered = iter(()), []
    config.switchboards["archive"].enqueue(post(0), listid=mlist.list_id)
    runner = make("archive", 0)
    SPOOL.chmod(0o500)
    try:
        runner._work_off_queue()
    finally:
        runner.stop()
        runner.run()
        SPOOL.chmod(0o700)
    queues = {name: len(config.switchboards[name].files) for name in ("archive", "shunt")}
    return {"offered": "".join(hyperkitty.offered), "left": left(), **queues}


if __name__ == "__main__":
    list(render("core", load("core")))
    CONFIG.write_text(CONFIG.read_text().replace("//web:", "//127.0.0.1:"))
    initialize("/etc/mailman3/mailman.cfg")
    archive.REFUSED_SECONDS = 1
    with transaction():
        getUtility(IDomainManager).add("lists.example.com")
        create_list("ant@lists.example.com")
    server = HyperKitty()
    ant = getUtility(IListManager).get("ant@lists.example.com")
    outcomes = {
        "taken": run(server, ant),
        "away": run(server, ant, AWAY, AWAY),
        "refused": run(server, ant, REFUSED),
        "odd": run(server, ant, ODD),
        "stopped": stopped(server, ant),
        "unreadable": unreadable(server, ant),
        "unwritten": unwritten(server, ant),
    }
    sys.stdout.flush()
    print(json.dumps(outcomes))
