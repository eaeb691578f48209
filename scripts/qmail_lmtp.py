#!/usr/bin/env python3
"""qmail-lmtp PORT PARTS [HOST]: hands a message from qmail to Mailman core, by LMTP.

A program for a .qmail file, to be copied to the host of the qmail; it needs Python 3.9 and no more.
The arguments are those of the helper in Mailman's contrib folder: the port of core's LMTP; how many
parts, separated by dashes, to take off the local part, which are 1 for the user who controls the
domain and whose name qmail puts before it, or 2 if a namespace of that user's follows; the host, by
default localhost.

The contract is qmail-command(8): the message comes on standard input, its envelope in the
environment. Exit code 0: core has taken the message. 100: core has refused it for good; qmail
bounces it. 111: anything else; qmail keeps it and tries again. The reason is one line on standard
error, for qmail's log and the bounce.
"""

from __future__ import annotations

import os
import re
import smtplib
import socket
import sys
from contextlib import closing, suppress
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

DELIVERED, REFUSED, LATER = 0, 100, 111
"""Exit codes."""

DONE, GO_AHEAD, NEVER = 2, 3, 5
"""First digits of replies (RFC 5321 section 4.2.1)."""

TIMEOUT_SECONDS = 300
"""For one reply, or for one piece of the message to be taken (RFC 5321 section 4.5.3.2)."""

DOUBLE_BOUNCE = b"#@[]"
"""What qmail-send(8) has in place of an envelope sender when it reports a bounce that failed."""

_ATOM = rb"[\w!#$%&'*+/=?^`{|}~-]+"
DOT_ATOM = re.compile(_ATOM + rb"(\." + _ATOM + rb")*", re.ASCII)
PRINTABLE = re.compile(rb"[ -~]+")
DOMAIN = re.compile(rb"[\w.-]+|\[[\w.:-]+\]", re.ASCII)


class HardError(Exception):
    """The message can never be delivered."""


class SoftError(Exception):
    """The message cannot be delivered as things are; they may change."""


class Envelope(NamedTuple):
    """The addresses as SMTP writes them between angle brackets; the sender may be empty."""

    sender: str
    recipient: str


def main(arguments: list[str], environment: Mapping[bytes, bytes], message: Iterable[bytes]) -> int:
    """Deliver one message, say why if that fails, and return the exit code for qmail."""
    try:
        port, parts, host = parse(arguments)
        trace = [variable(environment, "RPLINE"), variable(environment, "DTLINE")]
        deliver((host, port), envelope(environment, parts), chain(trace, message))
    except HardError as reason:
        return explain(REFUSED, reason)
    except Exception as reason:  # noqa: BLE001 - no failure of ours may bounce a message
        return explain(LATER, reason)
    return DELIVERED


def explain(code: int, reason: Exception) -> int:
    text = re.sub(r"[^!-~]+", " ", str(reason) or type(reason).__name__)
    print(f"qmail-lmtp: {text}", file=sys.stderr)
    return code


def parse(arguments: list[str]) -> tuple[int, int, str]:
    """The arguments: port, parts, host.

    :raises SoftError: when they are wrong, for then every message would bounce.
    """
    numbers = arguments[:2]
    if len(arguments) not in (2, 3) or not all(re.fullmatch("[0-9]{1,5}", n) for n in numbers):
        raise SoftError("usage: qmail-lmtp PORT PARTS [HOST]")
    (host,) = arguments[2:] or ["localhost"]
    return int(numbers[0]), int(numbers[1]), host


def variable(environment: Mapping[bytes, bytes], name: str) -> bytes:
    """A variable of qmail-command(8): bytes, since it holds whatever a stranger has sent."""
    try:
        return environment[name.encode()]
    except KeyError:
        raise SoftError(f"{name} is not set: this is a program for a .qmail file") from None


def envelope(environment: Mapping[bytes, bytes], parts: int) -> Envelope:
    """The envelope, with the list's address as core knows it."""
    sender = variable(environment, "SENDER")
    local = local_part(environment, parts)
    recipient = address(local + b"@" + variable(environment, "HOST"))
    return Envelope("" if sender in (b"", DOUBLE_BOUNCE) else address(sender), recipient)


def local_part(environment: Mapping[bytes, bytes], parts: int) -> bytes:
    """What is left of the local part; EXT is it without the user, whose name may hold a dash."""
    if parts == 0:
        return variable(environment, "LOCAL")
    extension = variable(environment, "EXT").split(b"-", parts - 1)
    if len(extension) < parts or not extension[-1]:
        recipient = variable(environment, "RECIPIENT").decode(errors="replace")
        raise SoftError(f"{recipient} has nothing after {parts} parts of its name")
    return extension[-1]


def address(unquoted: bytes) -> str:
    """An address of qmail's, which quotes none, as a Path of RFC 5321 section 4.1.2.

    :raises HardError: when it cannot be one; core does not speak SMTPUTF8.
    """
    local, at, domain = unquoted.rpartition(b"@")
    if not at:
        local, domain = unquoted, b""
    if not PRINTABLE.fullmatch(local) or (at and not DOMAIN.fullmatch(domain)):
        raise HardError(f"core can do nothing with the address {unquoted!r}")
    if not DOT_ATOM.fullmatch(local):
        local = b'"' + re.sub(rb'(["\\])', rb"\\\1", local) + b'"'
    return (local + at + domain).decode("ascii")


def deliver(server: tuple[str, int], envelope: Envelope, message: Iterable[bytes]) -> None:
    """One transaction with one recipient, so that there is one reply (RFC 2033 section 4.2).

    :raises HardError: when a reply says that it is for good.
    """
    with closing(smtplib.LMTP(*server, socket.gethostname(), timeout=TIMEOUT_SECONDS)) as lmtp:
        code, text = lmtp.ehlo()
        if code // 100 != DONE:
            raise SoftError(f"{server[0]} port {server[1]} is not core: {code} {text!r}")
        body = " BODY=8BITMIME" if lmtp.has_extn("8bitmime") else ""
        expect(DONE, lmtp.docmd("MAIL", f"FROM:<{envelope.sender}>{body}"), envelope.sender)
        expect(DONE, lmtp.docmd("RCPT", f"TO:<{envelope.recipient}>"), envelope.recipient)
        expect(GO_AHEAD, lmtp.docmd("DATA"), envelope.recipient)
        for line in data(message):
            lmtp.send(line)
        lmtp.putcmd(".")
        expect(DONE, lmtp.getreply(), envelope.recipient)
        with suppress(OSError):
            lmtp.quit()


def expect(kind: int, reply: tuple[int, bytes], subject: str) -> None:
    """Go on only after a reply of this kind."""
    code, text = reply
    if code // 100 != kind:
        said = f"core says of <{subject}>: {code} {text.decode(errors='replace')}"
        raise HardError(said) if code // 100 == NEVER else SoftError(said)


def data(message: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of a message as they follow DATA, without the last dot (RFC 5321 section 4.5.2)."""
    for line in message:
        for text in line.splitlines():
            yield (b"." if text.startswith(b".") else b"") + text + b"\r\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environb, sys.stdin.buffer))
