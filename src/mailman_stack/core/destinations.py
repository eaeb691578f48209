"""A post names its list also by the alias domain, or with a detail: `ant+detail@`. Both lead to it.

Upstream's rule knows a list by one address only, and holds what is sent to the others.
"""

from email.utils import getaddresses
from typing import Any

from mailman.config import config
from mailman.email.message import Message
from mailman.interfaces.mailinglist import IMailingList
from mailman.rules import implicit_dest

HEADERS = ("to", "cc", "resent-to", "resent-cc")


def names(message: Message, mlist: IMailingList) -> bool:
    """Whether a message is addressed to the list, in its headers."""
    domains = (mlist.mail_host, mlist.domain.alias_domain)
    values = [value for header in HEADERS for value in message.get_all(header, [])]
    for _, address in getaddresses(values):
        local, _, domain = address.lower().rpartition("@")
        ours = local == mlist.list_name or local.startswith(f"{mlist.list_name}+")
        if ours and domain in domains:
            return True
    return False


class ImplicitDestination(implicit_dest.ImplicitDestination):
    """Upstream's rule, for what does not name the list."""

    def check(self, mlist: IMailingList, msg: Message, msgdata: dict[str, Any]) -> bool:
        """See `IRule`."""
        return not names(msg, mlist) and bool(super().check(mlist, msg, msgdata))


def install() -> None:
    """Take the place of upstream's rule, in this process and those it forks."""
    config.rules[ImplicitDestination.name] = ImplicitDestination()
