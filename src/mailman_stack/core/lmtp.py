"""The LMTP runner: ``[runner.lmtp] class:`` of mailman.cfg.

It answers as RFC 2033 wants it, which upstream's does not always: once for each recipient; with a
4xx whenever the trouble is core's own, so that the message waits and is not bounced; and with a 550
only where there is no such list. A list is looked up by name, not in a list of all.
"""

import asyncio
import logging
import re
import smtplib
import time
from asyncio import BaseTransport
from contextlib import suppress
from datetime import datetime
from email import message_from_bytes
from email.utils import make_msgid, parseaddr
from pathlib import Path
from typing import Any, NamedTuple

from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import DATA_SIZE_DEFAULT, SMTP, Envelope, Session
from lazr.config import as_boolean
from mailman.config import config
from mailman.config.config import external_configuration
from mailman.database.transaction import transaction
from mailman.email.message import Message
from mailman.interfaces.domain import IDomainManager
from mailman.interfaces.runner import RunnerInterrupt
from mailman.model.mailinglist import MailingList
from mailman.runners import lmtp
from mailman.utilities.datetime import now
from mailman.utilities.email import add_message_hash
from zope.component import getUtility

from mailman_stack.core.once import Inbox, identity

log = logging.getLogger("mailman.runner")

HOUR = 3600

FINISH_SECONDS = 20
"""Less than the container has to stop (compose.yaml)."""

KNOWN = "250 2.1.5 there is such a list"
TAKEN = "250 2.0.0 queued"
UNKNOWN = "550 5.1.1 there is no such list"
DEFECTIVE = "554 5.6.0 the message's MIME structure is broken"
TROUBLE = "451 4.3.0 trouble of Mailman's own; try again later"


class Destination(NamedTuple):
    """A list, and which of its addresses: `join`, `owner`…; None for the one to post to."""

    list_id: str
    subaddress: str | None


def destination(address: str) -> Destination | None:
    """Where an address leads; None if there is no such list."""
    address = parseaddr(address)[1].lower()
    if "@" not in address:
        return None
    name, subaddress, domain = lmtp.split_recipient(address)
    # A list may be named as another's sub-address would be.
    if subaddress and (found := list_id(f"{name}-{subaddress}", domain)):
        return Destination(found, None)
    found = list_id(name, domain)
    return Destination(found, subaddress) if found else None


def list_id(name: str, domain: str) -> str | None:
    """The List-Id of a list, found by its name: many lists have one domain, few one name."""
    columns = MailingList._list_id, MailingList.mail_host  # noqa: SLF001 - as upstream's
    lists = config.db.store.query(*columns).filter_by(list_name=name)
    return next((known for known, host in lists if host == domain), None)


def routing(found: Destination) -> tuple[str, dict[str, Any]]:
    """The queue for a destination, and what its runner has to know of it."""
    data: dict[str, Any] = {"listid": found.list_id}
    if found.subaddress is None:
        return "in", {**data, "to_list": True}
    name = lmtp.SUBADDRESS_NAMES[found.subaddress]
    data["subaddress"] = name
    if name == "request":
        data["to_request"] = True
    if name == "owner":
        data |= {"to_owner": True, "envsender": config.mailman.site_owner}
    return lmtp.SUBADDRESS_QUEUES[name], data


def parse(envelope: Envelope) -> Message:
    """The message as the queues want it, with a Message-ID in any case."""
    content = bytes(envelope.content or b"")
    message = message_from_bytes(content, Message)
    message.set_unixfrom(envelope.mail_from)
    if message["message-id"] is None:
        message["Message-ID"] = make_msgid()
    # Not always a str: a header with bytes beyond ASCII is an email.header.Header.
    given = str(message["message-id"])
    # Upstream's issue 1065: brackets that no parser takes.
    message.replace_header("Message-ID", re.sub(r"^<?\[(.*)\]>?", r"<\1>", given))
    message.original_size = len(content)
    add_message_hash(message)
    message["X-MailFrom"] = envelope.mail_from
    return message


class Handler:
    """What aiosmtpd asks during a conversation."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's
        self, _server: SMTP, _session: Session, envelope: Envelope, to: str, options: list[str]
    ) -> str:
        """Take a recipient if there is such a list."""
        try:
            with transaction():
                found = destination(to)
        except Exception:
            log.exception("lmtp: looking up %s", to)
            return TROUBLE
        if found is None:
            return UNKNOWN
        envelope.rcpt_tos.append(to)
        envelope.rcpt_options.extend(options)
        return KNOWN

    async def handle_DATA(  # noqa: N802 - aiosmtpd's
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Queue the message for each recipient, and answer for each."""
        received = now()
        replies = [self._deliver(envelope, to, received) for to in envelope.rcpt_tos]
        return "\r\n".join(replies)

    async def handle_exception(self, error: Exception) -> str:
        """Answer whatever goes wrong elsewhere; aiosmtpd would say 500 and what it was."""
        log.error("lmtp: in the conversation", exc_info=error)
        return TROUBLE

    def _deliver(self, envelope: Envelope, to: str, received: datetime) -> str:
        try:
            message = parse(envelope)
            if message.defects:
                return DEFECTIVE
            with transaction():
                found = destination(to)
            if found is None:
                return UNKNOWN
            queue, data = routing(found)
            data |= {"original_size": message.original_size, "received_time": received}
            name = identity(envelope.mail_from, to.lower(), envelope.content)
            if not self._inbox.enqueue(name, queue, message, data):
                log.info("lmtp: %s to %s is known already", message["message-id"], to)
        except Exception:
            log.exception("lmtp: a message to %s", to)
            return TROUBLE
        return TAKEN


class Server(LMTP):
    """aiosmtpd's; it takes lines of any length, as every MTA does, and so bounces none for them."""

    line_length_limit = DATA_SIZE_DEFAULT

    def __init__(self, conversations: set["Server"], *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._conversations = conversations

    def connection_made(self, transport: BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        super().connection_made(transport)
        self._conversations.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self._conversations.discard(self)
        super().connection_lost(error)

    @property
    def is_at_a_message(self) -> bool:
        """Whether it is between MAIL and the last reply to the message."""
        return self.envelope is not None and self.envelope.mail_from is not None


class Controller(lmtp.LMTPController):
    """Upstream's, with this server."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._conversations: set[Server] = set()
        super().__init__(*arguments, **options)

    def factory(self) -> Server:
        """See `aiosmtpd.controller.BaseController`."""
        return Server(self._conversations, self.handler, ident="GNU Mailman")

    def finish(self) -> None:
        """Take no more conversations, and end each where a message ends.

        Who is cut off in the middle of one hands it in again; but Exim 4.98, if it has the replies
        to RCPT and none to DATA, takes it for delivered (smtp.c, "peer close after all rcpt").

        :raises TimeoutError: when a client takes too long for its message.
        """
        asyncio.run_coroutine_threadsafe(self._finish(), self.loop).result(FINISH_SECONDS)

    async def _finish(self) -> None:
        self.server.close()
        while self._conversations:
            for conversation in list(self._conversations):
                if not conversation.is_at_a_message:
                    conversation.transport.close()
            await asyncio.sleep(0.05)


def ask_for_waiting_mail() -> None:
    """Have the MTA send at once what it keeps for the lists (ETRN, RFC 1985).

    A MTA that is not there yet is no trouble: it begins with what is in its queue.
    """
    domains = [domain.mail_host for domain in getUtility(IDomainManager)]
    config.db.commit()
    try:
        with smtplib.SMTP(config.mta.smtp_host, int(config.mta.smtp_port), timeout=10) as smtp:
            smtp.ehlo()
            for domain in domains:
                smtp.docmd("ETRN", domain)
    except (OSError, smtplib.SMTPException) as error:
        log.info("lmtp: the MTA was not asked for waiting mail: %s", error)


class LMTPRunner(lmtp.LMTPRunner):
    """Upstream's, with the handler above; mail that waited for core is asked for."""

    def __init__(self, name: str, slice: int | None = None) -> None:  # noqa: A002 - upstream's
        super().__init__(name, slice)
        self._inbox = Inbox(Path(config.VAR_DIR, "lmtp"))
        self.lmtp = Controller(
            Handler(self._inbox), hostname=config.mta.lmtp_host, port=int(config.mta.lmtp_port)
        )

    def run(self) -> None:
        """See `IRunner`."""
        with suppress(RunnerInterrupt):
            self.lmtp.start()
            if as_boolean(external_configuration(config.mta.configuration)["stack"]["etrn"]):
                ask_for_waiting_mail()
            while True:  # until the signal to stop raises
                self._inbox.forget_old()
                time.sleep(HOUR)
        with suppress(TimeoutError):
            self.lmtp.finish()
