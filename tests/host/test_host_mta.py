"""MTA=none: a mail server of the host, configured as `make mta-config` prints it, and core."""

import smtplib

import pytest
from mailmanclient import MailingList

from tests.support import wait
from tests.support.mail import message
from tests.support.stack import Stack

DOMAIN = "lists.example.com"
SUBADDRESSES = (
    "bounces", "confirm", "join", "leave", "owner", "request", "subscribe", "unsubscribe",
)  # fmt: skip


def rcpt(stack: Stack, recipient: str) -> int:
    """The reply of the host's mail server to a recipient."""
    with smtplib.SMTP(stack.address("host"), 25, timeout=30) as smtp:
        smtp.ehlo("outside.example.net")
        smtp.mail("someone@outside.example.net")
        return smtp.rcpt(recipient)[0]


@pytest.fixture
def mailing_list(stack: Stack) -> MailingList:
    """One list for all tests, made by the first."""
    lists = {found.list_name: found for found in stack.rest.lists}
    return lists.get("ant") or stack.rest.get_domain(DOMAIN).create_list("ant")


def test_every_address_of_a_list_is_accepted_and_no_other(
    stack: Stack, mailing_list: MailingList
) -> None:
    names = ["ant", *(f"ant-{sub}" for sub in SUBADDRESSES)]
    names += ["ant-bounces+anne=example.org", "ant-confirm+1234567890"]
    wait.until("the list is known", lambda: rcpt(stack, mailing_list.fqdn_listname) == 250, 2)
    names += ["postmaster", "abuse"]
    codes = {name: rcpt(stack, f"{name}@{DOMAIN}") for name in names}
    assert codes == dict.fromkeys(names, 250)
    assert rcpt(stack, f"nobody@{DOMAIN}") == 550
    assert rcpt(stack, "ant@lists.example.net") == 550


def test_a_list_is_followed_at_once(stack: Stack) -> None:
    assert rcpt(stack, f"bee@{DOMAIN}") == 550
    created = stack.rest.get_domain(DOMAIN).create_list("bee")
    wait.until("a new list is accepted", lambda: rcpt(stack, f"bee@{DOMAIN}") == 250, 2)
    created.delete()
    wait.until("a deleted list is refused", lambda: rcpt(stack, f"bee@{DOMAIN}") == 550, 2)


def test_a_stranger_cannot_relay(stack: Stack) -> None:
    assert rcpt(stack, "someone@elsewhere.example") in range(450, 560)


def test_a_post_goes_in_and_out_by_the_host(stack: Stack, mailing_list: MailingList) -> None:
    anne = "anne@example.org"
    mailing_list.subscribe(anne, pre_verified=True, pre_confirmed=True, pre_approved=True)
    post = message(anne, mailing_list.fqdn_listname, "By the host")
    with smtplib.SMTP(stack.address("host"), 25, timeout=30) as smtp:
        smtp.send_message(post)
    (mail,) = stack.catcher.wait_delivered(post["Message-ID"], anne, seconds=60)
    assert mail.sender.startswith("ant-bounces")
    assert "host.example" in str(mail.message.get_all("Received"))
