"""The mail catcher, seen as the outside world: every message that left the stack."""

import json
import urllib.request
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any
from urllib.parse import urlencode

from tests.support import wait


@dataclass(frozen=True)
class Mail:
    """One SMTP transaction: envelope sender, envelope recipients, message."""

    sender: str
    recipients: tuple[str, ...]
    message: EmailMessage

    @property
    def text(self) -> str:
        """The first plain text of the message."""
        body = self.message.get_body(("plain",))
        return body.get_content() if body else ""


def copies(mails: list[Mail]) -> list[str]:
    """Who got a message, sorted, once for each copy."""
    return sorted(recipient for mail in mails for recipient in mail.recipients)


@dataclass(frozen=True)
class Catcher:
    """MailDev's API below ``url``."""

    url: str

    def _get(self, path: str) -> bytes:
        with urllib.request.urlopen(f"{self.url}/api{path}", timeout=30) as response:  # noqa: S310
            content: bytes = response.read()
        return content

    def _mails(self, **fields: str) -> list[Mail]:
        """Every transaction whose fields (MailDev's, dotted) have these values, oldest first."""
        entries: list[dict[str, Any]] = json.loads(self._get(f"/email?{urlencode(fields)}"))
        return [self._mail(entry) for entry in entries]

    def _mail(self, entry: dict[str, Any]) -> Mail:
        envelope = entry["envelope"]
        source = self._get(f"/email/{entry['id']}/download")
        message = message_from_bytes(source, policy=policy.default)
        recipients = (recipient["address"] for recipient in envelope["to"])
        return Mail(envelope["from"]["address"], tuple(recipients), message)

    def by_message_id(self, message_id: str) -> list[Mail]:
        """Every transaction that carried this message, oldest first."""
        return self._mails(**{"headers.message-id": message_id})

    def to(self, address: str, subject: str = "") -> list[Mail]:
        """Every message to an envelope recipient with these words in its subject, oldest first."""
        mails = self._mails(**{"envelope.to.address": address})
        return [mail for mail in mails if subject in mail.message.get("Subject", "")]

    def wait_to(self, address: str, subject: str = "", seconds: float = wait.SECONDS) -> Mail:
        """The newest message to an address, as soon as there is one."""
        what = f"mail to {address} with {subject!r} in the subject"
        return wait.until(what, lambda: self.to(address, subject), seconds)[-1]

    def wait_delivered(
        self, message_id: str, *recipients: str, seconds: float = wait.SECONDS
    ) -> list[Mail]:
        """Every transaction of a message, as soon as it has reached all these recipients."""

        def all_reached() -> list[Mail]:
            mails = self.by_message_id(message_id)
            reached = {address for mail in mails for address in mail.recipients}
            return mails if reached >= set(recipients) else []

        return wait.until(f"{message_id} reaches {recipients}", all_reached, seconds)
