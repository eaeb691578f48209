"""A post passes a list once, also where lists are members of each other.

Upstream's rule compares List-Post with the bare address, which that header never has; and the next
list replaces it. So a post went round until the MTA had counted too many hops. X-BeenThere, as
Mailman 2.1 has it, grows with each list.
"""

from typing import Any

from mailman.email.message import Message
from mailman.handlers import dmarc
from mailman.interfaces.mailinglist import IMailingList
from mailman.runners import pipeline

HEADER = "X-BeenThere"

# A list may put a post into a message of its own: with the headers of the post that begin so.
dmarc.KEEPERS = (*dmarc.KEEPERS, HEADER)


def has_been_there(message: Message, mlist: IMailingList) -> bool:
    """Whether a list has already handed on a message."""
    return mlist.posting_address in message.get_all(HEADER, [])


class PipelineRunner(pipeline.PipelineRunner):
    """Prepares what goes out: ``[runner.pipeline] class:``."""

    def _dispose(self, mlist: IMailingList, msg: Message, msgdata: dict[str, Any]) -> bool:
        if not msgdata.get("to_owner") and not has_been_there(msg, mlist):
            msg[HEADER] = mlist.posting_address
        return bool(super()._dispose(mlist, msg, msgdata))
