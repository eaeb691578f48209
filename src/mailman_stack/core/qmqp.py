"""How core hands a message to Postfix: by QMQP, which was made for mailing lists.

Of each recipient in SMTP, Postfix looks up twice what it looks up again when it delivers, for a
reply of its own. QMQP has one reply to all: with a thousand recipients Postfix has half the work.
Whom it cannot serve, Postfix tells the envelope sender.

See https://cr.yp.to/proto/qmqp.html, and Postfix's qmqpd(8) and QMQP_README.
"""

import re
import smtplib
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from mailman_stack.core.conversation import Conversation, Kind, addressed, own_port

PORT = "qmqp_port"

TRY_AGAIN = 451
"""For any refusal: it is one of the message, or of core, and no recipient is to blame."""

REPLY = re.compile(rb"\d+:([KZD])(.*),", re.DOTALL)


class Handover(Conversation):
    """A conversation that has QMQP for all addresses in ASCII, one connection for each message."""

    def __init__(self, message_id: str, stopping: Callable[[], bool]) -> None:
        super().__init__(message_id, stopping)
        self._qmqp_port = own_port(PORT)
        self._socket: Any = None

    def open(self, kind: Kind = Kind.PLAIN) -> None:
        """See `Conversation.open`."""
        if kind is Kind.FOREIGN:
            super().open(kind)
        elif self._socket is None:
            self._socket = socket.create_connection((self._host, self._qmqp_port))

    def can_name(self) -> bool:
        """See `Conversation.can_name`."""
        return True

    def quit(self) -> None:
        """End what is open."""
        if self._socket:
            self._socket.close()
            self._socket = None
        super().quit()

    def _transact(self, sender: str, recipients: Sequence[str], content: bytes, kind: Kind) -> None:
        if kind is Kind.FOREIGN:
            super()._transact(sender, recipients, content, kind)
            return
        if kind is Kind.NAMED:
            sender = verp(sender)
        try:
            _hand_over(self._socket, sender, recipients, content)
        finally:
            self.quit()


def verp(sender: str) -> str:
    """An envelope sender by which Postfix makes one for each recipient: LOCAL+to=domain@DOMAIN."""
    local, _, domain = sender.rpartition("@")
    return f"{local}+@{domain}-@[]"


def unquoted(address: str) -> str:
    """An address as QMQP has it: a quoted local part (RFC 5321, section 4.1.2) has no quotes."""
    local, at, domain = address.rpartition("@")
    if local.startswith('"'):
        local = re.sub(r"\\(.)", r"\1", local[1:-1])
    return local + at + domain


def netstring(content: bytes) -> bytes:
    """See https://cr.yp.to/proto/netstrings.txt."""
    return b"%d:%s," % (len(content), content)


def _hand_over(
    connection: socket.socket, sender: str, recipients: Sequence[str], content: bytes
) -> None:
    """Send a message to all, or to nobody.

    :raises OSError: when it is not certain that the MTA has it.
    """
    addresses = [sender, *map(addressed, recipients)]
    parts = [content.replace(b"\r\n", b"\n"), *(unquoted(each).encode() for each in addresses)]
    # What is too large is answered, and the connection ended, while it is still being sent.
    with suppress(ConnectionError):
        connection.sendall(netstring(b"".join(map(netstring, parts))))
    answer = b""
    while not (reply := REPLY.fullmatch(answer)):
        more = connection.recv(4096)
        if not more:
            raise smtplib.SMTPServerDisconnected("no reply by QMQP")
        answer += more
    if reply[1] != b"K":
        raise smtplib.SMTPResponseException(TRY_AGAIN, reply[2])
