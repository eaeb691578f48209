"""A post from outside: through every real part, to every member and into the archive."""

from collections.abc import Callable

import pytest
from mailmanclient import MailingList

from tests.support import wait
from tests.support.lists import subscribe
from tests.support.mail import message
from tests.support.stack import Stack


def test_post_reaches_every_member_and_the_archive(
    stack: Stack, mailing_list: MailingList, address: Callable[[str], str]
) -> None:
    members = [address("anne"), address("bart"), address("cris")]
    subscribe(mailing_list, *members)
    post = message(members[0], mailing_list.fqdn_listname, "Über Grüße ☃", "Zwölf Boxkämpfer 🥊\n")

    stack.post(post)

    mails = stack.catcher.wait_delivered(post["Message-ID"], *members)
    assert sorted(address for mail in mails for address in mail.recipients) == sorted(members)
    mail = mails[0]
    name, domain = mailing_list.fqdn_listname.split("@")
    assert mail.sender.startswith(f"{name}-bounces")
    assert mail.message["Subject"].endswith("Über Grüße ☃")
    assert "Zwölf Boxkämpfer 🥊" in mail.text
    assert f"<{mailing_list.list_id}>" in mail.message["List-Id"]
    assert f"<mailto:{name}-leave@{domain}>" in mail.message["List-Unsubscribe"]
    assert mail.message["List-Post"] == f"<mailto:{name}@{domain}>"
    assert mail.message["Precedence"] == "list"
    link = mail.message["Archived-At"].strip("<>")
    assert link.startswith("http://www.example.com/archives/")
    page = wait.until("the archive link opens", lambda: stack.open(link))
    assert "Zwölf Boxkämpfer 🥊" in page


def test_post_to_second_domain_is_shown_on_its_own_web_host(
    stack: Stack, unique: str, address: Callable[[str], str]
) -> None:
    other = stack.rest.get_domain("lists.example.net").create_list(unique)
    subscribe(other, address("anne"))
    post = message(address("anne"), other.fqdn_listname, "Second domain")

    stack.post(post)

    mail = stack.catcher.wait_delivered(post["Message-ID"], address("anne"))[0]
    link = mail.message["Archived-At"].strip("<>")
    assert link.startswith("http://archive.example.net/archives/")
    wait.until("the archive link opens", lambda: stack.open(link))
    other.delete()


@pytest.mark.parametrize("name", ["postmaster", "abuse"])
def test_role_addresses_reach_the_site_owner(
    stack: Stack, name: str, address: Callable[[str], str]
) -> None:
    mail = message(address("anne"), f"{name}@lists.example.com", "To a person")
    stack.post(mail)
    stack.catcher.wait_delivered(mail["Message-ID"], "owner@example.org")
