"""Mailing lists, as tests make and ask them."""

from mailmanclient import MailingList

from tests.support.stack import Stack

DOMAIN = "lists.example.com"


def subscribe(mailing_list: MailingList, *addresses: str) -> None:
    """Make members without asking them."""
    for member in addresses:
        mailing_list.subscribe(member, pre_verified=True, pre_confirmed=True, pre_approved=True)


def members(mailing_list: MailingList) -> list[str]:
    """The members' addresses, sorted."""
    return sorted(member.email for member in mailing_list.members)


def rcpt(stack: Stack, recipient: str, sender: str = "someone@outside.example.net") -> int:
    """The MTA's reply code to a recipient."""
    with stack.smtp() as smtp:
        smtp.mail(sender)
        return smtp.rcpt(recipient)[0]
