"""Where messages stay that core refuses for good: a folder of the mailbox, or a Maildir for POP3.

A journal on the volume says what was kept and what the site owner was told. A message that comes
again, as something was killed before it could be deleted, is neither kept nor told of twice.
"""

import imaplib
import os
import re
import sqlite3
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from mailman_stack.fetchmail.account import Account, folder

DATA = Path("/var/lib/fetchmail")
REMEMBERED = 90 * 86400  # seconds
TIMEOUT = 60
_MARKS = re.compile(
    rb"(?:X-Quarantine-Id: [0-9a-f]{64}\r\n"
    rb"X-Quarantine-Recipient:.*\r\nX-Quarantine-Reason:.*\r\n)+"
)
_SCHEMA = """
CREATE TABLE IF NOT EXISTS kept (
    id TEXT PRIMARY KEY, time INTEGER NOT NULL, entry TEXT NOT NULL, reported INTEGER NOT NULL
)
"""


@dataclass(frozen=True)
class Refusal:
    """What core refused, and why."""

    account: Account
    sender: str
    recipients: str
    subject: str
    reason: str


class Journal:
    """What is in quarantine: for each message what to tell the site owner, and whether he knows."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._open() as database:
            database.execute(_SCHEMA)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        database = sqlite3.connect(self.path, timeout=TIMEOUT)
        try:
            with database:
                yield database
        finally:
            database.close()

    def knows(self, name: str) -> bool:
        with self._open() as database:
            found = database.execute("SELECT 1 FROM kept WHERE id = ?", [name]).fetchone()
        return found is not None

    def add(self, name: str, entry: str, *, reported: bool = False) -> None:
        with self._open() as database:
            row = (name, int(time.time()), entry, reported)
            database.execute("INSERT OR IGNORE INTO kept VALUES (?, ?, ?, ?)", row)

    def unreported(self) -> dict[str, str]:
        """Entries that the site owner does not know of, by the message's id, oldest first."""
        with self._open() as database:
            query = "SELECT id, entry FROM kept WHERE NOT reported ORDER BY time, id"
            return dict(database.execute(query).fetchall())

    def report(self, names: list[str]) -> None:
        """Note that the owner knows of these, and forget what is long past."""
        with self._open() as database:
            update = "UPDATE kept SET reported = 1 WHERE id = ?"
            database.executemany(update, [(name,) for name in names])
            past = int(time.time()) - REMEMBERED
            database.execute("DELETE FROM kept WHERE reported AND time < ?", [past])


class Quarantine:
    """Keeps messages; ``news`` is set for whoever reports them."""

    def __init__(self, sender: str, tls: ssl.SSLContext, data: Path = DATA) -> None:
        self.sender = sender
        """Of the reports. What bounces to it is kept, and not reported, which would bounce too."""
        self.tls = tls
        self.journal = Journal(data / "journal.sqlite")
        self.maildir = data / "quarantine"
        self.news = threading.Event()

    def keep(self, refusal: Refusal, content: bytes) -> str:
        """Keep a message, once, and return where.

        What was moved back and is refused again has its marks, and so is another message.

        :raises OSError: when it cannot be kept now.
        """
        account = refusal.account
        digest = sha256(f"{account.mailbox.name}\n{refusal.recipients}\n".encode())
        digest.update(content)
        name = digest.hexdigest()
        place = f"folder {account.quarantine}" if account.idles else str(self.maildir)
        if not self.journal.knows(name):
            marked = _headers(refusal, name) + content
            if account.idles:
                _append(account, self.tls, name, marked)
            else:
                _write(self.maildir, name, marked)
            bounce = not refusal.sender and refusal.recipients == self.sender
            self.journal.add(name, _entry(refusal, place), reported=bounce)
            self.news.set()
        return place


def unmarked(content: bytes) -> bytes:
    """A message that was moved back, as often as it was, the way it came first.

    Of ``_headers`` fetchmail has taken Return-Path. By the same bytes core knows for which
    recipients it has taken the message already.
    """
    marks = _MARKS.match(content)
    return content[marks.end() :] if marks else content


def _headers(refusal: Refusal, name: str) -> bytes:
    """Return-Path is what fetchmail has taken away; with it the message can be moved back."""
    fields = {
        "Return-Path": f"<{refusal.sender}>",
        "X-Quarantine-Id": name,
        "X-Quarantine-Recipient": refusal.recipients,
        "X-Quarantine-Reason": refusal.reason[:900],
    }
    lines = (f"{field}: {text}".rstrip() + "\r\n" for field, text in fields.items())
    return "".join(lines).encode("latin-1", "replace")


def _entry(refusal: Refusal, place: str) -> str:
    return (
        f"To:      {refusal.recipients or '(unknown)'}\n"
        f"From:    {refusal.sender or '<>'}\n"
        f"Subject: {refusal.subject}\n"
        f"Reason:  {refusal.reason}\n"
        f"Kept in: {place}, {refusal.account.mailbox.name}\n"
    )


def _write(maildir: Path, name: str, content: bytes) -> None:
    for part in ("cur", "new", "tmp"):
        (maildir / part).mkdir(parents=True, exist_ok=True)
    file = maildir / "tmp" / name
    with file.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    file.rename(maildir / "new" / name)


def _append(account: Account, tls: ssl.SSLContext, name: str, content: bytes) -> None:
    """Put a message into the folder of the mailbox, unless it is there."""
    target = f'"{folder(account.quarantine)}"'
    try:
        with _login(account, tls) as imap:
            if imap.select(target, readonly=True)[0] != "OK":
                _succeed(imap.create(target))
                imap.subscribe(target)
                _succeed(imap.select(target, readonly=True))
            found = _succeed(imap.search(None, "HEADER", "X-Quarantine-Id", name))
            if not found[0]:
                _succeed(imap.append(target, "", "", content))
    except imaplib.IMAP4.error as error:
        raise OSError(str(error)) from error


def _login(account: Account, tls: ssl.SSLContext) -> imaplib.IMAP4:
    """Open a session by TLS; PLAIN (RFC 4616) takes any character in a password."""
    mailbox = account.mailbox
    if mailbox.tls == "smtps":
        imap: imaplib.IMAP4 = imaplib.IMAP4_SSL(
            mailbox.host, mailbox.port, ssl_context=tls, timeout=TIMEOUT
        )
    else:
        imap = imaplib.IMAP4(mailbox.host, mailbox.port, timeout=TIMEOUT)
        imap.starttls(tls)
    imap.authenticate("PLAIN", lambda _: f"\0{mailbox.user}\0{account.password}".encode())
    return imap


def _succeed(answer: tuple[str, list[Any]]) -> list[Any]:
    status, data = answer
    if status != "OK":
        raise OSError(b" ".join(part for part in data if part).decode(errors="replace"))
    return data
