"""Mailing lists, as tests make, set and ask them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mailmanclient import MailingList

from tests.support.stack import Stack

DOMAIN = "lists.example.com"

type Address = Callable[[str], str]
"""Makes the mail address of a person outside, as the fixture `address` does."""


@contextmanager
def new_list(stack: Stack, name: str, domain: str = DOMAIN) -> Iterator[MailingList]:
    """A list of any name in any domain, for a while."""
    address = stack.rest.get_domain(domain).create_list(name).fqdn_listname
    try:
        yield stack.rest.get_list(address)
    finally:
        # Asked for anew: core may have another address by now.
        stack.rest.get_list(address).delete()


def configure(mailing_list: MailingList, **settings: object) -> None:
    """Change a list's settings, as its owner does in the web interface."""
    mailing_list.settings.update(settings)
    mailing_list.settings.save()


def at(mailing_list: MailingList, name: str = "") -> str:
    """One of a list's addresses: that for posts, or `join`, `request`…"""
    tail = name and f"-{name}"
    return f"{mailing_list.list_name}{tail}@{mailing_list.mail_host}"


def subscribe(mailing_list: MailingList, *addresses: str, **options: str) -> None:
    """Make members without asking them; options are `display_name`, `delivery_mode`…"""
    for member in addresses:
        mailing_list.subscribe(
            member, pre_verified=True, pre_confirmed=True, pre_approved=True, **options
        )


def prefer(mailing_list: MailingList, member: str, **preferences: object) -> None:
    """Do as a member does on the page of a subscription's options."""
    changed = mailing_list.get_member(member).preferences
    changed.update(preferences)
    changed.save()


def members(mailing_list: MailingList) -> list[str]:
    """The members' addresses, sorted."""
    return sorted(member.email for member in mailing_list.members)


def rcpt(stack: Stack, recipient: str, sender: str = "someone@outside.example.net") -> int:
    """The MTA's reply code to a recipient."""
    with stack.smtp() as smtp:
        smtp.mail(sender)
        return smtp.rcpt(recipient)[0]
