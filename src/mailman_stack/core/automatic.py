"""Replies that no person has written are neither posts nor commands.

Whatever else a program sends is a post, or a command, as from a person; but no automatic response,
and no notice that it is held, goes back.

Upstream's runners look for ``Precedence: bulk`` only, which vacation programs need not set. So a
vacation reply to a request for confirmation would confirm it, and one to a post would be a post.
"""

import logging
import re
from typing import Any

from mailman.email.message import Message
from mailman.interfaces.mailinglist import IMailingList
from mailman.runners import command, incoming

from mailman_stack.core.loops import has_been_there

log = logging.getLogger("mailman.vette")


def automatic(message: Message) -> bool:
    """Whether a message gets no automatic response (RFC 3834, section 2)."""
    return _kind(message) != "no" or from_nobody(message)


def automatic_reply(message: Message) -> bool:
    """Whether a program has written it because of another message, as vacation programs do.

    RFC 3834 has a word for that; Exchange uses a header of its own, as do others for what is no
    reply, but these do not send it from nobody.
    """
    exchange = "X-Auto-Response-Suppress" in message and from_nobody(message)
    return exchange or _kind(message) == "auto-replied"


def from_nobody(message: Message) -> bool:
    """Whether its envelope sender is empty, which asks for no reply (RFC 5321, section 4.5.5)."""
    return message.get_unixfrom() in ("", "<>")


def ask_for_no_response(message: Message) -> None:
    """Mark a message, in a way that everything of Mailman's that responds understands."""
    del message["X-Ack"]
    message["X-Ack"] = "no"


def _kind(message: Message) -> str:
    # Parameters may follow, and comments.
    return re.split("[;(]", str(message.get("Auto-Submitted", "no")))[0].strip().lower()


class IncomingRunner(incoming.IncomingRunner):
    """Takes posts, and mail to owners: ``[runner.in] class:``."""

    def _dispose(self, mlist: IMailingList, msg: Message, msgdata: dict[str, Any]) -> bool:
        if msgdata.get("to_list") and automatic_reply(msg):
            log.info("%s: a post discarded: automatic reply", msg["message-id"])
            return False
        if msgdata.get("to_list") and has_been_there(msg, mlist):
            log.info("%s: a post discarded: already posted to this list", msg["message-id"])
            return False
        if automatic(msg):
            ask_for_no_response(msg)
        return bool(super()._dispose(mlist, msg, msgdata))


class CommandRunner(command.CommandRunner):
    """Takes commands: ``[runner.command] class:``."""

    def _dispose(self, mlist: IMailingList, msg: Message, msgdata: dict[str, Any]) -> bool:
        if automatic_reply(msg) or from_nobody(msg):
            log.info("%s: a command discarded: automatic reply", msg["message-id"])
            return False
        if automatic(msg):
            ask_for_no_response(msg)
        return bool(super()._dispose(mlist, msg, msgdata))
