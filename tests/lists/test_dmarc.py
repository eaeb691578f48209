"""Authors whose domains let nobody else send for them (DMARC, RFC 7489), and their signatures.

The policies are those of the test network's DNS (tests/compose.yaml).
"""

import subprocess
from base64 import b64encode
from collections.abc import Callable
from email.message import EmailMessage

import pytest
from mailmanclient import MailingList

from tests.support.catcher import Mail
from tests.support.lists import subscribe
from tests.support.mail import message
from tests.support.stack import Stack

Address = Callable[[str], str]

STRICT = "reject.example.org"
NO_FOOTER = "mailman:///en/list:member:regular:header.txt"
"""A template of Mailman's that is empty."""

SIGN = """
import dkim, sys
mail, key = (argument.encode() for argument in sys.argv[1:])
print(dkim.sign(mail, b"key", b"example.org", key, include_headers=[b"From", b"To", b"Subject"]).decode())
"""
VERIFY = """
import dkim, sys
mail, key = (argument.encode() for argument in sys.argv[1:])
print(dkim.verify(mail, dnsfunc=lambda name, timeout=5: b"v=DKIM1; p=" + key))
"""


@pytest.fixture
def ant(stack: Stack, mailing_list: MailingList, address: Address) -> MailingList:
    """A list with a name that is easy to read, and a reader."""
    mailing_list.settings.update(display_name="Ant", subject_prefix="[Ant] ")
    mailing_list.settings.save()
    subscribe(mailing_list, address("reader"))
    return mailing_list


@pytest.fixture
def strict(address: Address) -> str:
    """An author of a domain with p=reject."""
    return at(address("anne"), STRICT)


def at(address: str, domain: str) -> str:
    """The address of somebody of the same name in another domain."""
    return f"{address.partition('@')[0]}@{domain}"


def configure(mailing_list: MailingList, action: str, **settings: object) -> None:
    mailing_list.settings.update({"dmarc_mitigate_action": action, **settings})
    mailing_list.settings.save()


def post_to(stack: Stack, mailing_list: MailingList, author: str, reader: str) -> Mail:
    """Post as a member, and return what another one receives."""
    subscribe(mailing_list, author)
    post = message(f"Anne Räder <{author}>", mailing_list.fqdn_listname, f"By {author}")
    stack.post(post)
    return stack.catcher.wait_to(reader, f"By {author}")


def sender(mail: Mail) -> str:
    address: str = mail.message["From"].addresses[0].addr_spec
    return address


@pytest.mark.parametrize(
    ("domain", "is_munged"),
    [
        ("reject.example.org", True),
        ("quarantine.example.org", True),
        ("example.co.uk", False),
        # Its organisation is example.co.uk, as co.uk is a public suffix, and has sp=reject.
        ("a.b.example.co.uk", True),
        ("example.net", False),
        # To be on the safe side, where DNS does not answer.
        ("silent.example.org", True),
    ],
)
def test_who_may_not_be_sent_for_is_replaced_by_the_list(
    stack: Stack, ant: MailingList, address: Address, domain: str, is_munged: bool
) -> None:
    configure(ant, "munge_from")
    author = at(address("anne"), domain)
    mail = post_to(stack, ant, author, address("reader"))
    assert sender(mail) == (ant.fqdn_listname if is_munged else author)


@pytest.mark.parametrize(
    ("reply_goes_to_list", "reply_to", "cc"),
    [("no_munging", ["author"], []), ("point_to_list", ["list"], ["author"])],
)
def test_a_munged_post_tells_its_author_and_can_be_answered(
    stack: Stack, ant: MailingList, address: Address, strict: str,
    reply_goes_to_list: str, reply_to: list[str], cc: list[str],
) -> None:  # fmt: skip
    configure(ant, "munge_from", reply_goes_to_list=reply_goes_to_list)

    mail = post_to(stack, ant, strict, address("reader"))

    assert str(mail.message["From"]) == f"Anne Räder via Ant <{ant.fqdn_listname}>"
    who = {"author": strict, "list": ant.fqdn_listname}

    def addresses(header: str) -> list[str]:
        return [one.addr_spec for one in mail.message[header].addresses if mail.message[header]]

    assert addresses("Reply-To") == [who[name] for name in reply_to]
    assert (addresses("Cc") if mail.message["Cc"] else []) == [who[name] for name in cc]
