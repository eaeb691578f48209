"""Texts of mails and pages after the containers have been made anew, as an upgrade does."""

import secrets
from urllib.error import HTTPError

import pytest
from mailmanclient import MailingList

from tests.lists.test_templates import FILES, Visitor, welcome
from tests.support.lists import Address, new_list, subscribe
from tests.support.mail import message
from tests.support.stack import Stack
from tests.support.templates import FOOTER, WELCOME


@pytest.mark.alone
def test_texts_and_pages_are_kept_across_an_upgrade(
    stack: Stack, mailing_list: MailingList, address: Address
) -> None:
    uri = f"{FILES}/domains/templates.example.com/en/{WELCOME}.txt"
    mailing_list.set_template(WELCOME, uri)
    visitor = a_visitor(stack)
    visitor.send("/accounts/login/", login="admin", password=stack.secret("mailman_admin_password"))
    new = f"/mailman3/lists/{mailing_list.list_id}/templates/new"
    visitor.send(new, name=FOOTER, data="Set on the web ☃")

    stack.compose("up", "--detach", "--wait", "--force-recreate", "core", "web", "qcluster")

    again = stack.rest.get_list(mailing_list.fqdn_listname)
    text = f"The domain's own text about {again.fqdn_listname}."
    assert welcome(stack, again, address("anne")) == text
    assert last_line(stack, again, address("bart")) == "Set on the web ☃"
    with new_list(stack, "templates") as with_files:
        assert "/archives/list/templates@" in last_line(stack, with_files, address("cris"))
    with pytest.raises(HTTPError) as refused:
        a_visitor(stack).get("/there/is/no/such/page")
    assert "The site's own words." in refused.value.read().decode()


def a_visitor(stack: Stack) -> Visitor:
    return Visitor(stack, f"2001:db8::{secrets.token_hex(2)}")


def last_line(stack: Stack, mailing_list: MailingList, member: str) -> str:
    """Where a footer ends, of what a new member gets of a post."""
    subscribe(mailing_list, member)
    post = message(member, mailing_list.fqdn_listname, "Hi")
    stack.post(post)
    mail, *_ = stack.catcher.wait_delivered(post["Message-ID"], member)
    return mail.text.splitlines()[-1]
