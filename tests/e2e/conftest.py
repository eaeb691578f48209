"""Fixtures of the mail tests: each has lists and addresses of its own, and all share one stack."""

import itertools
import re
from collections.abc import Callable, Iterator

import pytest
from mailmanclient import MailingList

from tests.support.stack import Stack

DOMAIN = "lists.example.com"
_numbers = itertools.count(1)


@pytest.fixture
def unique(request: pytest.FixtureRequest) -> str:
    """A word that no other test uses, made of this one's name."""
    name = re.sub(r"\W+|_", "-", request.node.name.removeprefix("test_")).strip("-").lower()
    return f"{name[:40]}-{next(_numbers)}"


@pytest.fixture
def address(unique: str) -> Callable[[str], str]:
    """Makes mail addresses of people outside, which no other test uses."""
    return lambda person: f"{person}-{unique}@example.org"


@pytest.fixture
def mailing_list(stack: Stack, unique: str) -> Iterator[MailingList]:
    """A list of this test's own, open to all."""
    address = stack.rest.get_domain(DOMAIN).create_list(unique).fqdn_listname
    yield stack.rest.get_list(address)
    # Asked for anew: core may have another address by now.
    stack.rest.get_list(address).delete()


def subscribe(mailing_list: MailingList, *addresses: str) -> None:
    """Make members without asking them."""
    for member in addresses:
        mailing_list.subscribe(member, pre_verified=True, pre_confirmed=True, pre_approved=True)


def rcpt(stack: Stack, recipient: str, sender: str = "someone@outside.example.net") -> int:
    """The MTA's reply code to a recipient."""
    with stack.smtp() as smtp:
        smtp.mail(sender)
        return smtp.rcpt(recipient)[0]
