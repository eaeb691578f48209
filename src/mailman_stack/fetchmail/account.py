"""A mailbox with all that is needed to fetch from it, and how its names are written."""

import re
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path

from mailman_stack.failing import SettingsError
from mailman_stack.settings import Mailbox, Settings

RUN = Path("/run/fetchmail")
FIRST_PORT = 8101


@dataclass(frozen=True)
class Account:
    """One of FETCHMAIL_MAILBOXES; ``number`` counts from 1, as a person does."""

    number: int
    mailbox: Mailbox
    password: str
    quarantine: str
    """Name of the folder for what core refuses."""

    @property
    def label(self) -> str:
        """What fetchmail calls it."""
        return f"mailbox{self.number}"

    @property
    def port(self) -> int:
        """Where its gateway listens, on 127.0.0.1."""
        return FIRST_PORT + self.number - 1

    @property
    def idles(self) -> bool:
        """Whether a session may last: POP3 has no IDLE."""
        return self.mailbox.protocol == "imap"


def accounts(settings: Settings) -> list[Account]:
    """Every mailbox with its password.

    :raises SettingsError: when there is none.
    """
    if not settings.fetchmail_mailboxes:
        raise SettingsError(["FETCHMAIL_MAILBOXES: is required"])
    passwords = settings.fetchmail_passwords.get_secret_value().split("\n")
    pairs = zip(settings.fetchmail_mailboxes, passwords, strict=True)
    return [
        Account(number, mailbox, password, settings.fetchmail_quarantine)
        for number, (mailbox, password) in enumerate(pairs, start=1)
    ]


def quoted(text: str) -> str:
    """A string of fetchmail's run control file, in which any byte may stand as ``\\xhh``."""
    plain = re.compile(rb"[A-Za-z0-9./@_-]")
    escaped = (
        chr(byte) if plain.match(bytes([byte])) else f"\\x{byte:02x}" for byte in text.encode()
    )
    return f'"{"".join(escaped)}"'


def folder(name: str) -> str:
    """A folder's name as it stands between the quotes of an IMAP string.

    In modified UTF-7 (RFC 3501 section 5.1.3), with backslashes (section 4.3), which neither
    fetchmail nor imaplib adds.
    """

    def encode(match: re.Match[str]) -> str:
        code = b64encode(match[0].encode("utf-16-be")).decode().rstrip("=").replace("/", ",")
        return f"&{code}-"

    encoded = re.sub(r"[^ -~]+", encode, name.replace("&", "&-"))
    return re.sub(r'(["\\])', r"\\\1", encoded)
