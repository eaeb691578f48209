"""Hands /dump/raw to the MTA as fast as it takes it; prints when that began (time.monotonic).

`python3 raw.py PROTOCOL SENDER MEMBERS COUNT TOGETHER`: by smtp or qmqp, from SENDER as that has
it, COUNT times to MEMBERS recipients, TOGETHER in each transaction, two of them at a time.
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

type Together = tuple[str, ...]


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


def transact(smtp: BufferedRWPair, sender: str, recipients: Together, message: bytes) -> None:
    commands = [f"MAIL FROM:{sender}", *(f"RCPT TO:<{to}>" for to in recipients), "DATA"]
    for some in batched(commands, COMMANDS, strict=False):
        ask(smtp, some)
    smtp.write(message)
    smtp.flush()
    read_reply(smtp)


def converse(sender: str, together: Iterator[Together], message: bytes) -> None:
    """One connection, which takes its share of the transactions."""
    with connected(10025) as connection, connection.makefile("rwb") as smtp:
        read_reply(smtp)
        ask(smtp, ["EHLO sink"])
        for recipients in together:
            transact(smtp, sender, recipients, message + b".\r\n")
        ask(smtp, ["QUIT"])


def hand_over(sender: str, together: Iterator[Together], message: bytes) -> None:
    """One connection after the other (https://cr.yp.to/proto/qmqp.html)."""
    for recipients in together:
        parts = [message.replace(b"\r\n", b"\n"), *map(str.encode, (sender, *recipients))]
        with connected(628) as connection:
            connection.sendall(netstring(b"".join(map(netstring, parts))))
            reply = connection.recv(4096)
        if b":K" not in reply:
            raise SystemExit(f"the MTA says: {reply.decode()}")


def connected(port: int) -> socket.socket:
    return socket.create_connection(("mta", port), timeout=300)


def netstring(content: bytes) -> bytes:
    return b"%d:%s," % (len(content), content)


def main(protocol: str, sender: str, members: str, count: str, together: str) -> None:
    """The arguments of the command line."""
    message = Path("/dump/raw").read_bytes()
    recipients = [f"member-{number}@outside.example" for number in range(int(members))]
    batches = iter([*batched(recipients, int(together), strict=False)] * int(count))
    send = {"smtp": converse, "qmqp": hand_over}[protocol]
    begun = time.monotonic()
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        ends = [pool.submit(send, sender, batches, message) for _ in range(CONNECTIONS)]
    for end in ends:
        end.result()
    print(begun)


main(*sys.argv[1:])
