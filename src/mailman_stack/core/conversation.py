"""The SMTP conversation in which core hands a message to the MTA."""

import logging
import re
import smtplib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import Enum
from functools import cache
from itertools import batched
from typing import Any

from lazr.config import as_boolean
from mailman.config import config
from mailman.config.config import external_configuration
from mailman.mta import connection

log = logging.getLogger("mailman.smtp")

UNANSWERED = 444
"""In place of a reply that never came, as upstream."""

COMMANDS = 200
"""How many may wait for their replies, where the MTA allows more than one (RFC 2920)."""

type Reply = tuple[int, bytes]


@cache
def own_port(name: str) -> int | None:
    """A port of the MTA's besides the usual one, if it has it."""
    port: int | None = external_configuration(config.mta.configuration).getint(
        "stack", name, fallback=None
    )
    return port


class Kind(Enum):
    """How the MTA is to serve some recipients."""

    PLAIN = 1
    NAMED = 2
    """With an envelope sender that names each (VERP)."""
    FOREIGN = 3
    """Whose addresses are not ASCII (RFC 6531)."""


class Conversation(connection.Connection):
    """Transactions with the MTA, in as many connections as it takes, and what came of them.

    Upstream waits for the reply to each command; and whoever an MTA has said nothing about, since
    it ended the conversation, is taken for served.
    """

    _host: str
    _port: int

    def __init__(self, message_id: str, stopping: Callable[[], bool]) -> None:
        mta = config.mta
        super().__init__(
            mta.smtp_host,
            int(mta.smtp_port),
            int(mta.max_sessions_per_connection),
            mta.smtp_user or None,
            mta.smtp_pass or None,
            connection.as_SecureMode(mta.smtp_secure_mode),
            as_boolean(mta.smtp_verify_cert),
            as_boolean(mta.smtp_verify_hostname),
        )
        self._usual_port = self._port
        self._naming_port = own_port("naming_port") or self._port
        self._message_id = message_id
        self._stopping = stopping
        self._gone = False
        self.refused: dict[str, Reply] = {}
        """Who is not served, and the reply that says so."""
        self.left: list[str] = []
        """For whom no transaction has been begun."""

    @property
    def _smtp(self) -> smtplib.SMTP:
        smtp: smtplib.SMTP = self._connection
        return smtp

    def open(self, kind: Kind = Kind.PLAIN) -> None:
        """Have a connection for this kind of recipients.

        :raises smtplib.SMTPException, ssl.SSLError: when the MTA wants none.
        :raises OSError: when it is away.
        """
        port = self._naming_port if kind is Kind.NAMED else self._usual_port
        if port != self._port:
            self.quit()
            self._port = port
        if self._connection is None:
            self._connect()
            self._login()
            self._smtp.ehlo_or_helo_if_needed()

    def can_name(self) -> bool:
        """Whether the MTA can make an envelope sender for each recipient."""
        return self._naming_port != self._usual_port or bool(self._smtp.has_extn("xverp"))

    def send(
        self, sender: str, recipients: Sequence[str], content: bytes, kind: Kind = Kind.PLAIN
    ) -> None:
        """Have one transaction, unless it is over."""
        if self.is_over() or not self._opened(kind):
            self.left += recipients
            return
        if any(re.search(r"[\r\n]", address) for address in (sender, *recipients)):
            raise ValueError(f"a line break in an address: {sender}, {recipients}")
        try:
            self._transact(sender, recipients, content, kind)
        except OSError as error:
            log.warning("%s smtp error: %s", self._message_id, error)
            self.refused = dict.fromkeys(recipients, _reply_in(error)) | self.refused
            self.quit()

    def is_over(self) -> bool:
        """Whether the MTA has gone or core stops."""
        return self._gone or self._stopping()

    @contextmanager
    def shared(self, number: int) -> Iterator[list["Conversation"]]:
        """Have so many, this one among them, which ends with what came of all."""
        others = [type(self)(self._message_id, self._stopping) for _ in range(number - 1)]
        try:
            yield [self, *others]
        finally:
            for other in others:
                other.quit()
                self.refused |= other.refused
                self.left += other.left

    def _opened(self, kind: Kind) -> bool:
        try:
            self.open(kind)
        except OSError as error:
            log.warning("%s smtp error: %s", self._message_id, error)
            self.quit()
            self._gone = True
        return not self._gone

    def _transact(self, sender: str, recipients: Sequence[str], content: bytes, kind: Kind) -> None:
        """Note who is refused.

        :raises OSError: when all others are, too.
        """
        mail = " ".join([f"MAIL FROM:{smtplib.quoteaddr(sender)}", *self._options(kind)])
        if self._smtp.has_extn("size"):
            mail += f" SIZE={len(content)}"
        replies = self._replies([mail, *map(_rcpt, recipients), "DATA"])
        _expect(250, next(replies))
        for recipient, reply in zip(recipients, replies, strict=False):
            if reply[0] not in (250, 251):
                self.refused[recipient] = reply
        _expect(354, next(replies))
        end = b".\r\n" if content.endswith(b"\r\n") else b"\r\n.\r\n"
        self._smtp.send(re.sub(rb"(?m)^\.", b"..", content) + end)
        _expect(250, self._smtp.getreply())
        self._session_count -= 1
        if self._session_count == 0:
            self.quit()

    def _options(self, kind: Kind) -> list[str]:
        match kind:
            case Kind.NAMED if self._port == self._usual_port:
                return [self._offered("XVERP") + "=+="]
            case Kind.FOREIGN:
                return [self._offered("SMTPUTF8"), "BODY=8BITMIME"]
        return []

    def _offered(self, extension: str) -> str:
        if not self._smtp.has_extn(extension):
            raise smtplib.SMTPNotSupportedError(f"the MTA does not offer {extension}")
        return extension

    def _replies(self, commands: Iterable[str]) -> Iterator[Reply]:
        """Send commands as they may be, one by one or many together."""
        together = COMMANDS if self._smtp.has_extn("pipelining") else 1
        for some in batched(commands, together, strict=False):
            self._smtp.send("".join(f"{command}\r\n" for command in some).encode())
            for _command in some:
                yield self._smtp.getreply()


def _rcpt(recipient: str) -> str:
    return f"RCPT TO:{smtplib.quoteaddr(addressed(recipient))}"


def addressed(recipient: str) -> str:
    """To whom it goes: all mail of a Mailman that is being developed to one address."""
    one: str = config.devmode.recipient
    return one if as_boolean(config.devmode.enabled) else recipient


def _reply_in(error: OSError) -> tuple[int, Any]:
    if isinstance(error, smtplib.SMTPResponseException):
        return error.smtp_code, error.smtp_error
    return UNANSWERED, str(error).encode()


def _expect(code: int, reply: Reply) -> None:
    if reply[0] != code:
        raise smtplib.SMTPResponseException(*reply)
