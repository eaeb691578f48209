"""Joining and leaving a list by mail."""

import re
from collections.abc import Callable

from mailmanclient import MailingList

from tests.support import wait
from tests.support.lists import members
from tests.support.mail import message
from tests.support.stack import Stack


def test_subscribe_by_mail_with_confirmation(
    stack: Stack, mailing_list: MailingList, address: Callable[[str], str]
) -> None:
    anne = address("anne")
    name = mailing_list.list_name
    stack.post(message(anne, f"{name}-join@lists.example.com", "", ""))

    request = stack.catcher.wait_to(anne, "confirm")
    assert members(mailing_list) == []
    token = re.search(rf"{re.escape(name)}-confirm\+(\w+)@", str(request.message["From"]))
    assert token
    stack.post(message(anne, request.message["From"], "Re: confirm", ""))

    wait.until("anne is a member", lambda: members(mailing_list) == [anne])
    welcome = stack.catcher.wait_to(anne, "Welcome")
    assert mailing_list.fqdn_listname in welcome.text

    stack.post(message(anne, f"{name}-leave@lists.example.com", "", ""))
    request = stack.catcher.wait_to(anne, "leave")
    stack.post(message(anne, request.message["From"], "Re: confirm", ""))
    wait.until("anne is no member", lambda: members(mailing_list) == [])
