"""Mail and page requests in any number, and when they have arrived."""

import re
import time
from collections.abc import Iterable
from contextlib import suppress
from email import message_from_bytes
from email.message import EmailMessage
from itertools import accumulate, count
from pathlib import Path
from statistics import harmonic_mean

from tests.support import wait
from tests.support.mail import message

DOMAIN = "lists.example.com"
AUTHOR = "member-0@outside.example"
DELIVERY = b"X-Rcpt-Args: <member-"
"""Begins smtp-sink's line for each envelope recipient that is a member."""

TEXT = ("Ten words that stand for what people write in mail.\n" * 30) + "\n"
SINKS_OWN = ("X-Client-Addr", "X-Client-Proto", "X-Helo-Args", "X-Mail-Args", "X-Rcpt-Args")
EVERY = 0.003
"""Seconds between two looks at what has arrived."""


class Sink:
    """What has left the stack: the file that smtp-sink(1) appends each transaction to."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0

    def skip(self) -> None:
        """From here on count only what is still to come."""
        self._new()

    def wait(self, text: bytes, times: int = 1, seconds: float = 900) -> float:
        """Wait until a text, of one line, has come this often; return when (time.monotonic)."""
        looks = (self._new().count(text) for _ in count())
        found = accumulate(looks)
        what = f"{times} with {text!r} arrive"
        wait.until(what, lambda: next(found) >= times, seconds, EVERY)
        return time.monotonic()

    def last_message(self) -> bytes:
        """The newest message, as it was handed to the MTA: to be sent once more."""
        _, envelope, content = self._path.read_bytes().rpartition(b"X-Client-Addr: ")
        return without_trace(envelope + content)

    def _new(self) -> bytes:
        with suppress(FileNotFoundError), self._path.open("rb") as file:
            file.seek(self._read)
            lines, end, _unfinished = file.read().rpartition(b"\n")
            self._read += len(lines + end)
            return lines + end
        return b""


def without_trace(content: bytes) -> bytes:
    """A message without what SMTP servers have added to it, with the line ends of SMTP."""
    parsed = message_from_bytes(content)
    for name in (*SINKS_OWN, "Received"):
        del parsed[name]
    return parsed.as_bytes().rstrip().replace(b"\n", b"\r\n") + b"\r\n"


def posts(to: str, number: int) -> list[EmailMessage]:
    """New posts to a list, by a member of it."""
    address = f"{to}@{DOMAIN}"
    return [message(AUTHOR, address, f"Post {each}", TEXT) for each in range(number)]


def rate_of_pages(reports: Iterable[str]) -> float:
    """Requests a second, over equal shares of several pages, from what ab(1) says of each.

    :raises ValueError: when a request failed.
    """
    rates = []
    for report in reports:
        facts = dict(re.findall(r"^([A-Z][\w -]+): +(\d+(?:\.\d+)?)", report, re.MULTILINE))
        if facts["Failed requests"] != "0" or "Non-2xx responses" in facts:
            raise ValueError(report)
        rates.append(float(facts["Requests per second"]))
    return harmonic_mean(rates)
