"""What the MTA accepts from strangers, and what it refuses, said while they are still there."""

import smtplib
from collections.abc import Callable

import pytest
from mailmanclient import MailingList

from tests.support import wait
from tests.support.lists import DOMAIN, rcpt, subscribe
from tests.support.mail import message
from tests.support.stack import Stack

SUBADDRESSES = (
    "bounces", "confirm", "join", "leave", "owner", "request", "subscribe", "unsubscribe",
)  # fmt: skip
RELAYING_DENIED = (550, 554)


def test_unknown_list_is_refused(stack: Stack, unique: str) -> None:
    assert rcpt(stack, f"{unique}@{DOMAIN}") == 550


def test_relaying_is_refused(stack: Stack) -> None:
    assert rcpt(stack, "someone@elsewhere.example") in RELAYING_DENIED


@pytest.mark.parametrize(
    "recipient",
    [
        "elsewhere.example!someone",
        "someone%elsewhere.example",
        f"someone%elsewhere.example@{DOMAIN}",
        f"@{DOMAIN}:someone@elsewhere.example",
        f'"someone@elsewhere.example"@{DOMAIN}',
    ],
)
def test_relaying_by_routing_tricks_is_refused(stack: Stack, recipient: str) -> None:
    assert rcpt(stack, recipient) in range(500, 600)


def test_pretending_to_be_a_list_opens_no_relay(stack: Stack, mailing_list: MailingList) -> None:
    code = rcpt(stack, "someone@elsewhere.example", mailing_list.fqdn_listname)
    assert code in RELAYING_DENIED


def test_every_subaddress_of_a_list_is_accepted(stack: Stack, mailing_list: MailingList) -> None:
    name = mailing_list.list_name
    wanted = [f"{name}@{DOMAIN}", *(f"{name}-{sub}@{DOMAIN}" for sub in SUBADDRESSES)]
    wanted += [f"{name}-bounces+anne=example.org@{DOMAIN}", f"{name}-confirm+1234567890@{DOMAIN}"]
    codes = {recipient: rcpt(stack, recipient) for recipient in wanted}
    assert codes == dict.fromkeys(wanted, 250)


@pytest.mark.alone
def test_list_is_followed_at_once(stack: Stack, unique: str) -> None:
    address = f"{unique}@{DOMAIN}"
    assert rcpt(stack, address) == 550
    created = stack.rest.get_domain(DOMAIN).create_list(unique)
    wait.until("a new list is accepted", lambda: rcpt(stack, address) == 250, seconds=2)
    created.delete()
    wait.until("a deleted list is refused", lambda: rcpt(stack, address) == 550, seconds=2)


def test_mail_of_core_to_an_unknown_address_of_a_list_domain_never_leaves(
    stack: Stack, mailing_list: MailingList, address: Callable[[str], str], unique: str
) -> None:
    nobody = f"nobody-{unique}@{DOMAIN}"
    subscribe(mailing_list, nobody, address("anne"))
    post = message(address("anne"), mailing_list.fqdn_listname, "Not for the relayhost")

    stack.post(post)

    mails = stack.catcher.wait_delivered(post["Message-ID"], address("anne"))
    wait.until("the refusal is known", lambda: mailing_list.get_member(nobody).bounce_score == 1)
    assert nobody not in [recipient for mail in mails for recipient in mail.recipients]


def test_too_large_a_message_is_refused_by_its_size(stack: Stack) -> None:
    with stack.smtp() as smtp:
        assert smtp.esmtp_features["size"] == "31457280"
        assert smtp.mail("someone@outside.example.net", ["SIZE=31457281"])[0] == 552


def test_starttls_is_offered_with_a_generated_certificate(stack: Stack) -> None:
    with stack.smtp() as smtp:
        assert smtp.starttls()[0] == 220
        assert smtp.ehlo("outside.example.net")[0] == 250


def test_cores_listener_takes_nothing_from_the_host(stack: Stack) -> None:
    """Tests come from the host, so from the network's gateway: no container of the stack."""
    with smtplib.SMTP(timeout=30) as smtp:
        # Some MTAs say it in place of a greeting.
        code = smtp.connect(stack.address("mta"), 10025)[0]
        if code == 220:
            smtp.ehlo("outside.example.net")
            smtp.mail("someone@outside.example.net")
            code = smtp.rcpt("someone@elsewhere.example")[0]
    assert code in RELAYING_DENIED
