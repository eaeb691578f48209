"""Every copy of a post has an envelope sender that names its member, so every bounce does."""

import pytest
from mailmanclient import MailingList

from tests.lists.test_bounces import bounce, score, wait_score
from tests.support.lists import Address, at, subscribe
from tests.support.mail import message
from tests.support.stack import Stack


def named(mailing_list: MailingList, member: str) -> str:
    return at(mailing_list, "bounces").replace("@", f"+{member.replace('@', '=')}@")


def senders(stack: Stack, mailing_list: MailingList, *members: str) -> dict[str, str]:
    """Send a post, and give the envelope sender of each member's copy."""
    post = message(members[0], mailing_list.fqdn_listname, "For all")
    stack.post(post)
    mails = stack.catcher.wait_delivered(post["Message-ID"], *members)
    found = {mail.recipients: mail.sender for mail in mails}
    assert len(found) == len(mails) == len(members)
    return {member: found[member,] for member in members}


def test_the_sender_of_each_copy_names_its_member(
    stack: Stack, mailing_list: MailingList, address: Address
) -> None:
    members = [address(name) for name in ("anne", "bart+lists", "o'neil", "x=y")]
    subscribe(mailing_list, *members)
    found = senders(stack, mailing_list, *members)
    assert found == {member: named(mailing_list, member) for member in members}


@pytest.mark.parametrize("name", ["anne", "bart+lists", "x=y", "Cris.Person"])
def test_a_bounce_counts_against_the_member_who_is_named(
    stack: Stack, mailing_list: MailingList, address: Address, name: str
) -> None:
    member, other = address(name), address("other")
    subscribe(mailing_list, member, other)
    sender = senders(stack, mailing_list, other, member.lower())[member.lower()]

    # What the server of the member's new address says, which the list has never heard of.
    bounce(stack, mailing_list, address("elsewhere"), to=sender)

    wait_score(mailing_list, member, 1)
    assert score(mailing_list, other) == 0


def test_a_notice_names_whom_it_is_for(
    stack: Stack, mailing_list: MailingList, address: Address
) -> None:
    anne = address("anne")
    subscribe(mailing_list, anne)
    welcome = stack.catcher.wait_to(anne, "Welcome to the")
    assert welcome.sender == named(mailing_list, anne)
