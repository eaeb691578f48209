"""Hands /dump/raw to the MTA as fast as it takes it; prints when that began (time.monotonic).

`python3 raw.py SENDER MEMBERS COUNT TOGETHER [OPTION…]`: COUNT times to MEMBERS recipients,
TOGETHER in each transaction, on two connections; options are those of MAIL FROM.
"""

import socket
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BufferedRWPair
from itertools import batched
from pathlib import Path

COMMANDS = 100
"""How many are sent before the first is answered (RFC 2920)."""

CONNECTIONS = 2
"""Measured on two cores: a quarter more than with one, and more than with four."""


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


def converse(sender: str, together: Iterator[tuple[str, ...]], message: bytes) -> None:
    """One connection, which takes its share of the transactions."""
    with (
        socket.create_connection(("mta", 10025), timeout=300) as connection,
        connection.makefile("rwb") as smtp,
    ):
        read_reply(smtp)
        ask(smtp, ["EHLO sink"])
        for recipients in together:
            send(smtp, sender, recipients, message)
        ask(smtp, ["QUIT"])


def main(sender: str, members: str, count: str, together: str, *options: str) -> None:
    """The arguments of the command line."""
    message = Path("/dump/raw").read_bytes() + b".\r\n"
    recipients = [f"member-{number}@outside.example" for number in range(int(members))]
    batches = iter([*batched(recipients, int(together), strict=False)] * int(count))
    mail_from = " ".join([f"<{sender}>", *options])
    begun = time.monotonic()
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        ends = [pool.submit(converse, mail_from, batches, message) for _ in range(CONNECTIONS)]
    for end in ends:
        end.result()
    print(begun)


main(*sys.argv[1:])
