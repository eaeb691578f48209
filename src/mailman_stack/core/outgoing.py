"""How core sends: ``[mta] outgoing:`` of mailman.cfg, and the runner that calls it.

A bounce names its member if the envelope sender did (VERP). Upstream makes such a sender for each
recipient, and has a transaction with the MTA for each. Here the MTA makes it, and a message to many
is one transaction: Postfix is told by QMQP, others have a listener for it. What can only be
sent one by one (personalized lists, or VERP without such an MTA) goes upstream's way, with less
work for each.

Whoever could not be served, since the MTA went away or core stops, waits; whoever has been served
is not served again.
"""

import copy
import io
import logging
import pickle
import re
import smtplib
import socket
import ssl
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from email.generator import BytesGenerator
from email.header import Header
from email.utils import formataddr
from functools import partial
from itertools import batched, chain
from typing import Any

from mailman.config import config
from mailman.email.message import Message
from mailman.interfaces.mailinglist import IMailingList, Personalization
from mailman.interfaces.mta import SomeRecipientsFailed
from mailman.mta import bulk
from mailman.mta import deliver as individual
from mailman.runners import outgoing
from mailman.utilities.string import expand
from sqlalchemy.exc import SQLAlchemyError

from mailman_stack.core import decoration, qmqp
from mailman_stack.core.conversation import Conversation, Kind, own_port
from mailman_stack.core.decoration import ListOfOneMessage
from mailman_stack.core.qmqp import Handover
from mailman_stack.core.recipients import preload, users
from mailman_stack.core.runner import abort

log = logging.getLogger("mailman.smtp")

TIMEOUT_SECONDS = 600.0
"""How long the MTA may take for a reply (RFC 5321, section 4.5.3.2.6)."""

TOO_MANY_RECIPIENTS = 552  # RFC 5321, section 4.5.3.1.10
LOGIN_REQUIRED = 530  # RFC 4954, section 6

CONNECTIONS = 2
"""On how many a message to many is sent, of which the MTA serves each in a process of its own."""

PERSONS = 500
"""How many are asked for at a time."""

FORMAT = "${bounces}+${local}=${domain}"
"""How MTAs make an envelope sender; ``[mta] verp_format:`` may be another."""

ATOM = r"[\w+=&'~-]+"
NAMEABLE = re.compile(rf"{ATOM}(\.{ATOM})*@[\w-]+(\.[\w-]+)*", re.ASCII)
"""Who can be named: quotes, and what looks like a path (%, !, /), do not find the way back."""

NAMEABLE_LENGTH = 254
"""Of an envelope sender: a path (RFC 5321, section 4.5.3.1.3) without its brackets."""

type Data = dict[str, Any]


def deliver(
    mlist: IMailingList, message: Message, data: Data, stopping: Callable[[], bool] = bool
) -> None:
    """Send a message to its recipients; begin no transaction once core stops.

    :raises OSError: when the MTA is away, and nobody has been served.
    :raises SomeRecipientsFailed: with who is to be tried again, and who never.
    """
    if not data.get("recipients"):
        return
    facts = _facts(mlist, message, data)
    begun = time.time()
    one_by_one = _is_one_by_one(mlist, data)
    # By QMQP each message would be a connection of its own.
    conversation = Conversation if one_by_one or not own_port(qmqp.PORT) else Handover
    mta = conversation(message["message-id"], stopping)
    try:
        agent = _agent(mta, data, one_by_one=one_by_one)
    except (smtplib.SMTPException, ssl.SSLError) as error:
        mta.quit()
        log.warning("%s smtp error: %s", message["message-id"], error)
        raise SomeRecipientsFailed(list(data["recipients"]), []) from error
    try:
        agent.deliver(mlist, message, data)
    finally:
        mta.quit()
    _end_transaction()
    facts["time"] = time.time() - begun
    _log(facts, mta)
    lost = {recipient for recipient, (code, _text) in mta.refused.items() if _is_final(code)}
    again = [recipient for recipient in mta.refused if recipient not in lost] + mta.left
    if lost or again:
        raise SomeRecipientsFailed(again, [(name, *mta.refused[name]) for name in lost])


def _is_one_by_one(mlist: IMailingList, data: Data) -> bool:
    """Whether core has to make a message, or an envelope sender, for each recipient."""
    personalized: bool = mlist.personalize != Personalization.none
    return personalized or (bool(data.get("verp")) and config.mta.verp_format != FORMAT)


def _agent(mta: Conversation, data: Data, *, one_by_one: bool) -> "Bulk | Individual":
    """Choose how to send, once the MTA has said what it can do."""
    by_mta = bool(data.get("verp")) and not one_by_one
    mta.open(Kind.NAMED if by_mta else Kind.PLAIN)
    return Individual(mta) if one_by_one or (by_mta and not mta.can_name()) else Bulk(mta)


def _is_final(code: int) -> bool:
    return code >= 500 and code not in (TOO_MANY_RECIPIENTS, LOGIN_REQUIRED)  # noqa: PLR2004


def _end_transaction() -> None:
    """Nobody is to be served again for a database that went away meanwhile."""
    try:
        config.db.commit()
    except SQLAlchemyError:
        abort()


class Bulk(bulk.BulkDelivery):
    """To many in one transaction."""

    def __init__(self, mta: Conversation) -> None:
        super().__init__(int(config.mta.max_recipients))
        self._mta = mta

    def deliver(self, mlist: IMailingList, msg: Message, msgdata: Data) -> None:
        """See `IMailTransportAgentDelivery`; what came of it is the conversation's to say."""
        self.decorate(ListOfOneMessage(mlist), msg, msgdata)
        self.arc_sign(mlist, msg, msgdata)
        content = serialised(msg)
        sender = self._get_sender(mlist, msg, msgdata)
        waiting = deque(self._transactions(sender, msgdata))

        def send(mta: Conversation) -> None:
            with suppress(IndexError):  # nobody waits any more
                while not mta.is_over():
                    kind, recipients = waiting.popleft()
                    mta.send(sender, recipients, content, kind)

        number = min(len(waiting), CONNECTIONS)
        with self._mta.shared(number) as conversations, ThreadPoolExecutor(number) as threads:
            list(threads.map(send, conversations))
        self._mta.left += chain.from_iterable(recipients for _, recipients in waiting)

    def _transactions(self, sender: str, data: Data) -> Iterator[tuple[Kind, list[str]]]:
        kinds = defaultdict(set)
        for recipient in data["recipients"]:
            kinds[_kind(sender, recipient, data)].add(recipient)
        for kind, recipients in kinds.items():
            for chunk in self.chunkify(recipients):
                yield kind, sorted(chunk)


class Individual(individual.Deliver):
    """To each in a transaction of its own."""

    def __init__(self, mta: Conversation) -> None:
        super().__init__()
        self._mta = mta

    def deliver(self, mlist: IMailingList, msg: Message, msgdata: Data) -> None:
        """See `IMailTransportAgentDelivery`; what came of it is the conversation's to say."""
        recipients = list(msgdata["recipients"])
        original = pickle.dumps(msg, pickle.HIGHEST_PROTOCOL)
        one = ListOfOneMessage(mlist)
        done = 0
        try:
            for person in _persons(mlist, recipients):
                if self._mta.is_over():
                    break
                self._serve(one, pickle.loads(original), msgdata | person)  # noqa: S301 - our own
                done += 1
        except Exception:
            if not done:
                raise
            log.exception("%s: an error between recipients", msg["message-id"])
        self._mta.left += recipients[done:]

    def _serve(self, mlist: IMailingList, message: Message, data: Data) -> None:
        for callback in self.callbacks:
            callback(mlist, message, data)
        recipient = data["recipient"]
        sender = self._get_sender(mlist, message, data | {"verp": False})
        kind = _kind(sender, recipient, data)
        if kind is Kind.NAMED:
            sender = self._get_sender(mlist, message, data)
            kind = Kind.PLAIN
        self._mta.send(sender, [recipient], serialised(message), kind)

    def personalize_to(self, mlist: IMailingList, msg: Message, msgdata: Data) -> None:
        """As upstream, but it is known already who the user is."""
        if mlist.personalize != Personalization.full:
            return
        address, user = msgdata["recipient"], msgdata["user"]
        if user:
            address = formataddr((Header(user.display_name).encode(), address))
        if msg.get("to"):
            msg.replace_header("To", address)
        else:
            msg["To"] = address


def _persons(mlist: IMailingList, recipients: Sequence[str]) -> Iterator[Data]:
    """Who recipients are, in their order."""
    for some in batched(recipients, PERSONS, strict=False):
        known = users(some) if mlist.personalize == Personalization.full else {}
        members = preload(mlist, some)
        for recipient in some:
            yield {
                "recipient": recipient,
                "member": members.get(recipient),
                "user": known.get(recipient),
            }


def _kind(sender: str, recipient: str, data: Data) -> Kind:
    if not recipient.isascii():
        return Kind.FOREIGN
    nameable = len(sender) + 1 + len(recipient) <= NAMEABLE_LENGTH and NAMEABLE.fullmatch(recipient)
    return Kind.NAMED if data.get("verp") and sender and nameable else Kind.PLAIN


def serialised(message: Message) -> bytes:
    """A message as smtplib's ``send_message`` sends it, which takes none that was resent twice."""
    shown = copy.copy(message)
    del shown["bcc"], shown["resent-bcc"]
    with io.BytesIO() as file:
        BytesGenerator(file).flatten(shown, linesep="\r\n")
        return file.getvalue()


# -- The log


def _facts(mlist: IMailingList, message: Message, data: Data) -> Data:
    """What upstream's lines in the log are made of."""
    size = getattr(message, "original_size", data.get("original_size"))
    number = len(data["recipients"])
    addressed = ",".join(map(str, [*message.get_all("to", []), *message.get_all("cc", [])]))
    return {
        "msgid": message.get("message-id", "n/a").strip(),
        "listname": mlist.fqdn_listname,
        "sender": data.get("original-sender", message.sender),
        "recip": number,
        "recip_by_name": number if data.get("to_list") else addressed,
        "size": len(message.as_string()) if size is None else size,
        "smtpcode": "n/a",
        "smtpmsg": "n/a",
    }


def _log(facts: Data, mta: Conversation) -> None:
    facts["refused"] = len(mta.refused)
    _line("every", facts)
    if mta.refused:
        _line("refused", facts)
    else:
        _line("success", facts | {"recip": facts["recip_by_name"]})
    for recipient, (code, text) in mta.refused.items():
        _line("failure", facts | {"recip": recipient, "smtpcode": code, "smtpmsg": text})
    if mta.left:
        log.info("%s: %d recipients wait", facts["msgid"], len(mta.left))


def _line(name: str, facts: Data) -> None:
    template = getattr(config.logging.smtp, name)
    if template.lower() != "no":
        log.info("%s", expand(template, None, facts))


# -- The runner


class OutgoingRunner(outgoing.OutgoingRunner):
    """Sends what is in the queue ``out``: ``[runner.out] class:``."""

    _func: Any

    def __init__(self, name: str, slice: int | None = None) -> None:  # noqa: A002 - upstream's
        super().__init__(name, slice)
        decoration.install()
        socket.setdefaulttimeout(TIMEOUT_SECONDS)
        if self._func is deliver:
            self._func = partial(deliver, stopping=lambda: self._stop)
