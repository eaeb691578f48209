"""Inside core's image: how upstream and we send, to an MTA that does what it is told.

It speaks SMTP and, where core's configuration names a port for it, QMQP.

Each line of standard input is a question as JSON:

    how: "upstream", "ours", or the runner, "out" or "retry", that works off its queue; a message is
        queued as the only one for "out", and without one the runner goes on with what is there
    message (base64), recipients, verp (true or false), personalize ("none", "individual", "full")
    offers: what the server says to EHLO
    replies: what it says, in place of the usual, to what begins so: always, or in turn those of a
        list. DATA is what precedes a message, END what follows it, "" the connection itself, QMQP
        what that has. An empty reply cuts the connection; 421 ends it.
    stop: after this many messages core is told to stop; gone: after as many the server is
    fails: for which recipient, and everyone after, nothing can be found out about the member
    seconds: how long the runner may take; it is stopped before that when its queue is empty

Each line of output is what came of it: "taken", the sender, recipient and content (base64) of each
copy; the number of "connections" and "messages"; who is tried "again", and who is "lost" by which
reply; any other "error"; for the runner, the recipients that are "queued".
"""

import io
import json
import os
import pickle
import signal
import socketserver
import sys
import threading
import time
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from email import message_from_bytes
from functools import partial
from io import BufferedIOBase
from math import inf
from pathlib import Path
from typing import Any
from unittest.mock import patch

from mailman.app.lifecycle import create_list
from mailman.config import config
from mailman.core.initialize import initialize_1, initialize_2, initialize_3
from mailman.core.switchboard import Switchboard
from mailman.email.message import Message
from mailman.interfaces.domain import IDomainManager
from mailman.interfaces.listmanager import IListManager
from mailman.interfaces.mailinglist import Personalization
from mailman.interfaces.mta import SomeRecipientsFailed
from mailman.interfaces.usermanager import IUserManager
from mailman.mta import deliver as upstream
from mailman.utilities.datetime import now
from sqlalchemy.exc import OperationalError
from zope.component import getUtility

from mailman_stack.core import outgoing, qmqp, recipients, runner
from mailman_stack.core.conversation import own_port
from mailman_stack.render import render
from mailman_stack.settings import load

LIST = "ant@lists.example.com"
MEMBERS = {"anne@example.org": "Anne Person", "bart@example.org": "Bärt", "cris@example.net": ""}
QUEUES = ("out", "retry", "shunt")

type Json = Any


# -- The MTA


class Door(socketserver.ThreadingTCPServer):
    """Where one protocol is spoken."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, port: int, handler: type["Guest"], mta: "Mta") -> None:
        super().__init__(("127.0.0.1", port), handler)
        self.mta = mta
        threading.Thread(target=self.serve_forever, args=[0.01]).start()


class Guest(socketserver.StreamRequestHandler):
    """One connection."""

    server: Door

    def setup(self) -> None:
        super().setup()
        self.mta = self.server.mta
        self.mta.connections += 1


class Mta:
    """Takes mail as a question says."""

    def __init__(self, question: Json) -> None:
        self.question = question
        self.replies = question.get("replies", {})
        self.connections = self.messages = 0
        self.over = False
        self.taken: list[tuple[str, str, str]] = []
        self.doors: list[Door] = []
        if question.get("gone") == 0:
            return
        self.doors.append(Door(int(config.mta.smtp_port), Conversation, self))
        if port := own_port(qmqp.PORT):
            self.doors.append(Door(port, Handover, self))

    def reply(self, command: str, usual: str) -> str:
        for beginning, reply in self.replies.items():
            if command == beginning or (beginning and command.startswith(beginning)):
                if isinstance(reply, str):
                    return reply
                return str(reply.pop(0)) if reply else usual
        return usual

    def take(self, copies: list[tuple[str, str]], content: bytes) -> bool:
        """Tell whether the conversation goes on."""
        text = b64encode(content).decode()
        self.taken += [(sender, recipient, text) for sender, recipient in copies]
        self.messages += 1
        if self.messages == self.question.get("stop") and self.question["how"] == "out":
            os.kill(os.getpid(), signal.SIGTERM)
        if self.messages == self.question.get("gone"):
            self.end()
            return False
        return True

    def end(self) -> None:
        self.over = True
        while self.doors:
            door = self.doors.pop()
            door.shutdown()
            door.server_close()


class Conversation(Guest):
    """SMTP."""

    def handle(self) -> None:
        goes_on = self.say(self.mta.reply("", "220 mta.example"))
        while goes_on and not self.mta.over and (line := self.rfile.readline()):
            goes_on = self.obey(line.decode().rstrip("\r\n"))

    def obey(self, command: str) -> bool:
        """Carry out a command; tell whether the conversation goes on."""
        usual = "250 ok"
        match command[:4].upper():
            case "EHLO":
                words = ["mta.example", *self.mta.question["offers"]]
                usual = "".join(f"250-{word}\r\n" for word in words[:-1]) + f"250 {words[-1]}"
            case "DATA":
                usual = "354 go on" if self.recipients else "554 nobody to send it to"
            case "QUIT":
                usual = "221 bye"
        reply = self.mta.reply(command, usual)
        match command[:4].upper():
            case "MAIL":
                self.recipients: list[str] = []
                self.sender, self.names = address(command), command.endswith(" XVERP=+=")
            case "RCPT" if reply.startswith("25"):
                self.recipients.append(address(command))
            case "DATA" if reply.startswith("354"):
                return self.say(reply) and self.data()
            case "QUIT":
                self.say(reply)
                return False
        return self.say(reply)

    def data(self) -> bool:
        lines = list(iter(self.rfile.readline, b".\r\n"))
        reply = self.mta.reply("END", "250 taken")
        goes_on = True
        if reply.startswith("250"):
            copies = [(self.named(recipient), recipient) for recipient in self.recipients]
            content = b"".join(line.removeprefix(b".") for line in lines)
            goes_on = self.mta.take(copies, content)
        return self.say(reply) and goes_on

    def named(self, recipient: str) -> str:
        """The envelope sender as Postfix makes it."""
        return verp(self.sender, recipient) if self.names else self.sender

    def say(self, reply: str) -> bool:
        """Tell whether the conversation goes on."""
        if reply:
            self.wfile.write(f"{reply}\r\n".encode())
        return bool(reply) and not reply.startswith("421")


class Handover(Guest):
    """QMQP."""

    def handle(self) -> None:
        reply = self.mta.reply("QMQP", "Kok")
        if not reply.startswith("D"):  # that Postfix says before it has all of what is too large
            content, *addresses = netstrings(io.BytesIO(netstring(self.rfile)))
            sender, *recipients = map(bytes.decode, addresses)
            if reply.startswith("K"):
                copies = [(named_by(sender, recipient), recipient) for recipient in recipients]
                self.mta.take(copies, content.replace(b"\n", b"\r\n"))
        if reply:
            self.wfile.write(f"{len(reply)}:{reply},".encode())


def netstring(file: BufferedIOBase) -> bytes:
    """Read one, which is empty at the end."""
    length = b"".join(iter(lambda: file.read(1).rstrip(b":"), b""))
    return file.read(int(length) + 1)[:-1] if length else b""


def netstrings(file: BufferedIOBase) -> Iterator[bytes]:
    return iter(partial(netstring, file), b"")


def named_by(sender: str, recipient: str) -> str:
    """The envelope sender as qmqpd(8) makes it."""
    own = sender.removesuffix("-@[]")
    return sender if own == sender else verp(own.replace("+@", "@"), recipient)


def verp(sender: str, recipient: str) -> str:
    """An envelope sender that names a recipient, as Postfix makes it."""
    (local, _, host), (name, _, domain) = (one.rpartition("@") for one in (sender, recipient))
    return f"{local}+{name}={domain}@{host}"


def address(command: str) -> str:
    return command.partition("<")[2].rpartition(">")[0]


@contextmanager
def serving(question: Json) -> Iterator[Mta]:
    mta = Mta(question)
    yield mta
    mta.end()


# -- Core


def answer(question: Json) -> Json:
    mlist = getUtility(IListManager).get(LIST)
    mlist.personalize = Personalization[question["personalize"]]
    config.db.commit()
    with serving(question) as mta:
        came = run(question) if question["how"] in QUEUES else send(question, mta)
    counts = {"connections": mta.connections, "messages": mta.messages}
    return came | counts | {"taken": sorted(mta.taken)}


def send(question: Json, mta: Mta) -> Json:
    """Send once; the data as the runner would have it."""
    mlist = getUtility(IListManager).get(LIST)
    data = {key: question[key] for key in ("recipients", "verp")} | {"to_list": True}
    came: Json = {"again": [], "lost": {}, "error": None}
    try:
        if question["how"] == "upstream":
            upstream.deliver(mlist, message(question), data)
        else:
            with failing(question.get("fails")):
                outgoing.deliver(
                    mlist,
                    message(question),
                    data,
                    lambda: mta.messages >= question.get("stop", inf),
                )
    except SomeRecipientsFailed as error:
        came["again"] = sorted(error.temporary_failures)
        came["lost"] = {recipient: code for recipient, code, _text in error.permanent_failures}
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told
        came["error"] = type(error).__name__
    config.db.abort()
    return came


@contextmanager
def failing(recipient: str | None) -> Iterator[None]:
    """As if the database went away."""
    find = recipients.preload

    def preload(mlist: Any, some: Sequence[str]) -> Any:
        if recipient in some:
            raise OperationalError("", {}, Exception())
        return find(mlist, some)

    with patch.multiple(outgoing, preload=preload, PERSONS=1):
        yield


def run(question: Json) -> Json:
    """Let a runner work."""
    if "message" in question:
        for name in QUEUES:
            empty(config.switchboards[name])
        data = {key: question[key] for key in ("recipients", "verp")}
        config.switchboards["out"].enqueue(message(question), data, listid="ant.lists.example.com")
    process = runner.make(question["how"], 0)
    process.set_signals()
    ended = threading.Event()
    directory = Path(process.queue_directory)
    stopper = threading.Thread(target=stop, args=(directory, question["seconds"], ended))
    stopper.start()
    process.run()
    ended.set()
    stopper.join()
    return {"queued": {name: sorted(queued(config.switchboards[name])) for name in QUEUES}}


def stop(queue: Path, seconds: float, ended: threading.Event) -> None:
    """End the runner when it has nothing left to do, or its time is over."""
    deadline = time.monotonic() + seconds
    while any(queue.iterdir()) and time.monotonic() < deadline:
        if ended.wait(0.02):
            return
    os.kill(os.getpid(), signal.SIGTERM)


def queued(queue: Switchboard) -> Iterator[list[str]]:
    """Give the recipients of each message in a queue."""
    for name in queue.files:
        with Path(queue.queue_directory, f"{name}.pck").open("rb") as file:
            pickle.load(file)  # noqa: S301 - Mailman's
            yield sorted(pickle.load(file)["recipients"])  # noqa: S301


def empty(queue: Switchboard) -> None:
    for name in queue.files:
        Path(queue.queue_directory, f"{name}.pck").unlink()


def message(question: Json) -> Message:
    content = b64decode(question["message"])
    parsed = message_from_bytes(content, Message)
    parsed.original_size = len(content)
    return parsed


def make_list() -> None:
    getUtility(IDomainManager).add("lists.example.com")
    mlist = create_list(LIST)
    for email, name in MEMBERS.items():
        user = getUtility(IUserManager).create_user(email, name)
        (own,) = user.addresses
        own.verified_on = now()
        mlist.subscribe(own)
    config.db.commit()


def main() -> None:
    # Mailman logs to standard output.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    list(render("core", load("core")))
    initialize_1("/etc/mailman3/mailman.cfg")
    initialize_2()
    initialize_3()
    make_list()
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main()
