"""What docs/mta-contract.md asks of the MTA together with Mailman's core and its own tables.

What needs no core is in tests/integration/test_mta_contract.py and test_outgoing.py.
"""

import re
from collections.abc import Callable

import pytest
from mailmanclient import MailingList

from tests.support import wait
from tests.support.lists import rcpt, subscribe
from tests.support.mail import message
from tests.support.stack import Stack

# For each MTA another, and settings of it that the rest of the tests leave alone.
ANOTHER = {
    "postfix": ("exim",),
    "exim": ("sendmail",),
    "sendmail": ("postfix", "POSTFIX_TABLE_TYPE=regexp"),
}


@pytest.mark.parametrize("to", ["domain", "alias"])
def test_a_list_is_reached_by_its_domain_and_by_the_alias_domain(
    stack: Stack, unique: str, address: Callable[[str], str], to: str
) -> None:
    hosts = {"domain": f"{unique}.example.com", "alias": f"{unique}.example.net"}
    domain = stack.rest.create_domain(hosts["domain"], alias_domain=hosts["alias"])
    ant = domain.create_list("ant")
    subscribe(ant, address("anne"))
    host = hosts[to]
    # Postfix may take ten seconds to see a domain that is new and not in MAIL_DOMAINS.
    wait.until(f"{host} is accepted", lambda: rcpt(stack, f"ant@{host}") == 250)
    assert rcpt(stack, f"ant-join@{host}") == 250
    assert rcpt(stack, f"ant-bounces+anne=example.org@{host}") == 250
    assert rcpt(stack, f"bee@{host}") == 550

    # Core holds a post whose header does not name the list as core does.
    post = message(address("anne"), ant.fqdn_listname, f"By the {to}")
    stack.post(post, f"ant@{host}")

    assert len(stack.catcher.wait_delivered(post["Message-ID"], address("anne"))) == 1
    # The domain stays: pages that list domains fail when one is removed meanwhile.
    ant.delete()


@pytest.mark.alone
def test_every_address_of_a_list_comes_and_goes_with_it(stack: Stack, unique: str) -> None:
    created = stack.rest.get_domain("lists.example.net").create_list(unique)
    addresses = [f"{unique}{tail}@lists.example.net" for tail in ("", "-owner", "-confirm+0a1b")]

    def codes() -> list[int]:
        return [rcpt(stack, recipient) for recipient in addresses]

    wait.until("all are accepted", lambda: codes() == [250, 250, 250], seconds=2)
    created.delete()
    wait.until("all are refused", lambda: codes() == [550, 550, 550], seconds=2)


@pytest.mark.alone
def test_a_domain_that_is_removed_takes_its_lists_addresses_along(
    stack: Stack, unique: str
) -> None:
    domain = stack.rest.create_domain(f"{unique}.example.com")
    address = domain.create_list("ant").fqdn_listname
    wait.until("the list is accepted", lambda: rcpt(stack, address) == 250)
    stack.rest.delete_domain(domain.mail_host)
    wait.until("its address is refused", lambda: rcpt(stack, address) in (550, 554), seconds=2)


@pytest.mark.alone
def test_trouble_of_cores_own_only_delays_a_post(
    stack: Stack, mailing_list: MailingList, address: Callable[[str], str]
) -> None:
    anne = address("anne")
    subscribe(mailing_list, anne)
    post = message(anne, mailing_list.fqdn_listname, "While the database is away")

    stack.compose("stop", "database")
    stack.post(post)
    stack.wait_deferred(mailing_list.fqdn_listname)
    stack.compose("start", "database")
    stack.wait_healthy("database", "core", "web", "qcluster")

    mails = stack.catcher.wait_delivered(post["Message-ID"], anne)
    assert [mail.recipients for mail in mails] == [(anne,)]
    # Nobody was told that it failed.
    kinds = {mail.message.get_content_type() for mail in stack.catcher.to(anne)}
    assert "multipart/report" not in kinds


@pytest.mark.alone
def test_an_mta_killed_outright_loses_and_doubles_nothing(
    stack: Stack, mailing_list: MailingList, address: Callable[[str], str]
) -> None:
    anne = address("anne")
    subscribe(mailing_list, anne)
    stack.compose("stop", "core")
    posts = [message(anne, mailing_list.fqdn_listname, f"Number {n}") for n in range(5)]
    for post in posts:
        stack.post(post)
    stack.compose("kill", "mta")
    stack.compose("up", "--detach", "--wait", "--wait-timeout", "120")
    for post in posts:
        assert len(stack.catcher.wait_delivered(post["Message-ID"], anne)) == 1


@pytest.mark.alone
def test_the_mta_may_be_another_at_the_next_start(
    stack: Stack, mailing_list: MailingList, address: Callable[[str], str]
) -> None:
    """Each has volumes of its own, and core writes what the one in use needs."""
    anne, before, name = address("anne"), stack.mta.name, mailing_list.list_name
    another, *settings = ANOTHER[before]
    subscribe(mailing_list, anne)
    bee = f"{name}@lists.example.net"
    try:
        change_mta(stack, another, *settings)
        assert stack.mta.name == another
        tails = ("", "-owner", "-unsubscribe", "-bounces+a=b.example", "-confirm+0a1b", "+tag")
        codes = {tail: rcpt(stack, f"{name}{tail}@lists.example.com") for tail in tails}
        assert codes == dict.fromkeys(tails, 250)
        assert rcpt(stack, f"{name}-nothing@lists.example.com") == 550
        post = message(anne, f"{name}@lists.example.com", "By another")
        stack.post(post)
        stack.catcher.wait_delivered(post["Message-ID"], anne)
        stack.rest.get_domain("lists.example.net").create_list(name)
    finally:
        change_mta(stack, before)
    # Core has written anew: what was there of this MTA's does not count.
    assert rcpt(stack, bee) == 250
    stack.rest.get_list(bee).delete()
    post = message(anne, f"{name}@lists.example.com", "And back")
    stack.post(post)
    stack.catcher.wait_delivered(post["Message-ID"], anne)


def change_mta(stack: Stack, name: str, *settings: str) -> None:
    """Do as an operator does."""
    env = stack.directory / "env"
    kept = [line for line in env.read_text().splitlines() if not re.match("MTA=|POSTFIX_", line)]
    env.write_text("\n".join([*kept, f"MTA={name}", *settings, ""]))
    stack.compose("up", "--detach", "--wait", "--wait-timeout", "120")
