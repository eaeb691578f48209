"""Between fetchmail and core: finds a message's recipients, hands it over, keeps what is refused.

fetchmail cannot do it alone. It reads a message's recipients from To and Cc where the envelope
header is missing, knows core's domains only if it is told them, and deletes or forever repeats what
is refused. So it hands each message to this gateway, for one recipient that means nothing.
"""

import io
import re
import smtplib
import socketserver
import sqlite3
from contextlib import suppress
from email.utils import getaddresses
from typing import NamedTuple

from mailman_stack.fetchmail.account import Account
from mailman_stack.fetchmail.log import log
from mailman_stack.fetchmail.quarantine import Quarantine, Refusal, unmarked

CORE = ("core", 8024)
# Core answers in well under a second; its own timeout for a client is five minutes.
TIMEOUT = 120

# fetchmail cuts a longer line into parts of so many bytes, and adds to each a NUL, what its buffer
# held before, and a line break: no two times the same. IMAP and POP3 carry no NUL of their own.
LONGEST = 8191


class Reply(NamedTuple):
    """An answer of LMTP: its code and its text, on one line."""

    code: int
    text: str

    @property
    def kind(self) -> str:
        """The first digit: 2 and 3 for success, 4 for now, 5 for good (RFC 5321 section 4.2.1)."""
        return f"{self.code}"[0]

    def __str__(self) -> str:
        return f"{self.code} {self.text}"


def hand_over(sender: str, recipient: str, stuffed: bytes) -> Reply:
    """Deliver a message to core by LMTP, in a transaction of its own (RFC 2033).

    ``stuffed`` is the message as DATA takes it, with the dot at its end. Names and replies are
    Latin-1, which keeps every byte. Core being out of reach is an answer too: 451.
    """
    try:
        with smtplib.LMTP(*CORE, local_hostname="fetchmail", timeout=TIMEOUT) as core:
            core.command_encoding = "latin-1"
            for command, argument, expected in (
                ("LHLO", "fetchmail", "2"),
                ("MAIL", f"FROM:<{sender}>", "2"),
                ("RCPT", f"TO:<{recipient}>", "2"),
                ("DATA", "", "3"),
            ):
                reply = _reply(core.docmd(command, argument))
                if reply.kind != expected:
                    return reply if reply.kind in "45" else Reply(451, f"{command}: {reply}")
            core.send(stuffed)
            return _reply(core.getreply())
    except OSError as error:  # also every error of smtplib
        return Reply(451, f"core: {error}")


def _reply(answer: tuple[int, bytes]) -> Reply:
    return Reply(answer[0], " ".join(answer[1].decode("latin-1").split()))


def header(content: bytes, name: str) -> str:
    """The first header of this name, unfolded; empty if there is none."""
    end = content.find(b"\r\n\r\n")
    head = content[:end] if end >= 0 else content
    pattern = rb"^%s[ \t]*:((?:.*\r\n[ \t])*.*)" % re.escape(name.encode())
    found = re.search(pattern, head, re.IGNORECASE | re.MULTILINE)
    return " ".join(found[1].decode("latin-1").split()) if found else ""


def recipients(content: bytes, account: Account) -> list[str]:
    """The envelope recipients that the mailbox's server has noted, in the order of the header."""
    prefix = account.mailbox.qvirtual.lower()

    def without_prefix(address: str) -> str:
        return address[len(prefix) :] if address.lower().startswith(prefix) else address

    addresses = getaddresses([header(content, account.mailbox.envelope)])
    found = [without_prefix(address) for _, address in addresses if "@" in address]
    return list(dict.fromkeys(found))


class Gateway(socketserver.ThreadingTCPServer):
    """Takes the mail of one mailbox, on 127.0.0.1."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, account: Account, quarantine: Quarantine) -> None:
        super().__init__(("127.0.0.1", account.port), Session)
        self.account = account
        self.quarantine = quarantine
        self.deferral = ""
        """Why mail stays in the mailbox, of the latest that does."""

    def take(self, sender: str, stuffed: bytes) -> Reply:
        """Do with a message what can be done, and say whether it may go from the mailbox: 250.

        If one of several recipients has to wait the message does, and comes again for all: core
        takes no message twice for the same recipient.
        """
        names = recipients(stuffed, self.account)
        original = unmarked(stuffed)
        replies = {name: hand_over(sender, name, original) for name in names}
        refused = {name: reply for name, reply in replies.items() if reply.kind == "5"}
        for reply in replies.values():
            if reply.kind not in "25":
                return self._defer(reply)
        if refused or not names:
            return self._keep(sender, stuffed, refused)
        log(self.account, f"from <{sender}> to {', '.join(names)}: delivered")
        return Reply(250, "delivered")

    def _keep(self, sender: str, stuffed: bytes, refused: dict[str, Reply]) -> Reply:
        content = re.sub(rb"^\.", b"", stuffed[: -len(b".\r\n")], flags=re.MULTILINE)
        missing = f"no address in a header {self.account.mailbox.envelope}"
        refusal = Refusal(
            account=self.account,
            sender=sender,
            recipients=", ".join(refused),
            subject=header(content, "Subject"),
            reason="; ".join(dict.fromkeys(map(str, refused.values()))) or missing,
        )
        try:
            place = self.quarantine.keep(refusal, content)
        except (OSError, sqlite3.Error) as error:
            return self._defer(Reply(451, f"quarantine: {error}"))
        log(
            self.account,
            f"from <{sender}> to {refusal.recipients}: {refusal.reason}: now in {place}",
        )
        return Reply(250, "in quarantine")

    def _defer(self, reply: Reply) -> Reply:
        self.deferral = f"mail waits in the mailbox: {reply}"
        log(self.account, self.deferral)
        return reply


class Session(socketserver.StreamRequestHandler):
    """LMTP as fetchmail speaks it: one message after the other, each for one recipient."""

    server: Gateway

    def handle(self) -> None:
        with suppress(ConnectionError):  # fetchmail was killed
            self._converse()

    def _converse(self) -> None:
        self._say(Reply(220, "gateway"))
        sender = ""
        while line := self.rfile.readline():
            command = line[:4].upper()
            if command == b"MAIL":
                sender = self._sender(line)
            if command == b"DATA":
                self._say(Reply(354, "go ahead"))
                stuffed = self._message()
                if not stuffed:
                    return
                self._say(self.server.take(sender, stuffed))
            elif command == b"QUIT":
                self._say(Reply(221, "bye"))
                return
            else:
                self._say(Reply(250, "8BITMIME" if command == b"LHLO" else "ok"))

    def _message(self) -> bytes:
        """As DATA takes it, with the dot at its end; nothing where fetchmail goes before that."""
        message = io.BytesIO()
        broken = False
        while line := self.rfile.readline():
            dot = line.startswith(b".")
            start, end = broken and dot, LONGEST + dot
            broken = line[end : end + 1] == b"\0"
            message.write(line[start:end] if broken else line[start:])
            if line == b".\r\n":
                return message.getvalue()
        return b""

    @staticmethod
    def _sender(line: bytes) -> str:
        found = re.match(rb"MAIL FROM:<(.*)>", line, re.IGNORECASE)
        return found[1].decode("latin-1") if found else ""

    def _say(self, reply: Reply) -> None:
        self.wfile.write(f"{reply}\r\n".encode("latin-1", "replace"))
