"""Hands /dump/raw to the MTA as fast as it takes it; prints when that began (time.monotonic).

`python3 raw.py SENDER MEMBERS COUNT TOGETHER [OPTION…]`: COUNT times to MEMBERS recipients, TOGETHER
in each transaction, on one connection; options are those of MAIL FROM.
"""

import socket
import sys
import time
from collections.abc import Iterable
from io import BufferedRWPair
from itertools import batched
from pathlib import Path

COMMANDS = 100
"""How many are sent before the first is answered (RFC 2920)."""


def ask(smtp: BufferedRWPair, commands: Iterable[str]) -> None:
    """Send commands in one go, and read the replies."""
    lines = [f"{command}\r\n".encode() for command in commands]
    smtp.writelines(lines)
    smtp.flush()
    for _ in lines:
        read_reply(smtp)


def read_reply(smtp: BufferedRWPair) -> None:
    while (line := smtp.readline())[3:4] == b"-":
        pass
    if line[:1] not in (b"2", b"3"):
        raise SystemExit(f"the MTA says: {line.decode()}")


def send(smtp: BufferedRWPair, sender: str, recipients: Iterable[str], message: bytes) -> None:
    """One transaction."""
    commands = [f"MAIL FROM:{sender}", *(f"RCPT TO:<{to}>" for to in recipients), "DATA"]
    for some in batched(commands, COMMANDS, strict=False):
        ask(smtp, some)
    smtp.write(message)
    smtp.flush()
    read_reply(smtp)


def main(sender: str, members: str, count: str, together: str, *options: str) -> None:
    """The arguments of the command line."""
    message = Path("/dump/raw").read_bytes() + b".\r\n"
    recipients = [f"member-{number}@outside.example" for number in range(int(members))]
    begun = time.monotonic()
    with (
        socket.create_connection(("mta", 10025), timeout=300) as connection,
        connection.makefile("rwb") as smtp,
    ):
        read_reply(smtp)
        ask(smtp, ["EHLO sink"])
        for _ in range(int(count)):
            for some in batched(recipients, int(together), strict=False):
                send(smtp, " ".join([f"<{sender}>", *options]), some, message)
        ask(smtp, ["QUIT"])
    print(begun)


main(*sys.argv[1:])
