"""Several mail domains, and names of lists and people that are out of the ordinary."""

import re
from email.header import decode_header, make_header
from email.utils import formataddr, parseaddr
from urllib.error import HTTPError

import pytest
from mailmanclient import MailingList

from tests.support import wait
from tests.support.lists import DOMAIN, Address, at, configure, members, new_list, rcpt, subscribe
from tests.support.mail import RESULTS, message
from tests.support.stack import Stack
from tests.support.templates import FOOTER, WELCOME, set_text

ARCHIVERS = """
MYSQL_PWD=$(cat /run/secrets/core_database_password) mysql -h 127.0.0.1 -u core -N core -e "
SELECT name FROM listarchiver JOIN mailinglist ON mailing_list_id = mailinglist.id
WHERE list_name = '$0' ORDER BY name"
"""
LINKS = "Archive: $hyperkitty_url\n\nList: $mailinglist_url\n"


def links(text: str) -> dict[str, str]:
    """The links that LINKS has become."""
    return dict(re.findall(r"^(Archive|List): (\S+)\r?$", text, re.MULTILINE))


def decoded(header: str) -> str:
    """A header's text, of a message as it was sent."""
    assert header.isascii(), header
    return str(make_header(decode_header(header)))


# -- Domains


@pytest.mark.parametrize(
    ("domain", "host"),
    [("lists.example.com", "www.example.com"), ("lists.example.net", "archive.example.net")],
)
def test_each_domain_links_to_its_own_web_host(
    stack: Stack, unique: str, address: Address, domain: str, host: str
) -> None:
    anne = address("anne")
    with new_list(stack, unique, domain) as ant:
        for template in (FOOTER, WELCOME):
            set_text(stack, ant, template, LINKS)
        subscribe(ant, anne)
        welcome = links(stack.catcher.wait_to(anne, "Welcome").text)
        post = message(anne, ant.fqdn_listname, "Where is it?")
        stack.post(post)
        mail = stack.catcher.wait_delivered(post["Message-ID"], anne)[0]

        page = f"http://{host}/mailman3/lists/{ant.list_id}"
        archive = f"http://{host}/archives/list/{ant.fqdn_listname}/"
        assert welcome["List"] == page
        assert mail.message["List-Archive"] == f"<{archive}>"
        archived = mail.message["Archived-At"].strip("<>")
        assert archived.startswith(archive)
        assert links(mail.text) == {"Archive": archived, "List": page}
        assert unique in stack.open(f"{page}/")
        wait.until("the archive link opens", lambda: "Where is it?" in stack.open(archived))


def test_two_domains_may_have_a_list_of_the_same_name(
    stack: Stack, unique: str, address: Address
) -> None:
    com, net = "lists.example.com", "lists.example.net"
    with new_list(stack, unique, com) as one, new_list(stack, unique, net) as other:
        subscribe(one, address("anne"))
        subscribe(other, address("bart"))
        for mailing_list, person in ((one, "anne"), (other, "bart")):
            post = message(address(person), mailing_list.fqdn_listname, "To one of both")
            stack.post(post)
            mails = stack.catcher.wait_delivered(post["Message-ID"], address(person))
            assert [mail.recipients for mail in mails] == [(address(person),)]
            assert mails[0].message["List-Id"] == f"<{mailing_list.list_id}>"


def test_a_list_is_joined_and_used_by_its_alias_domain(
    stack: Stack, unique: str, address: Address
) -> None:
    host, alias, anne = f"{unique}.example.com", f"{unique}.example.net", address("anne")
    # It stays: pages that list domains fail when one is removed meanwhile.
    stack.rest.create_domain(host, alias_domain=alias)
    with new_list(stack, "ant", host) as ant:
        wait.until("the alias is accepted", lambda: rcpt(stack, f"ant@{alias}") == 250)

        stack.post(message(anne, f"ant-join@{alias}", "Please"))
        asked = stack.catcher.wait_to(anne, "Your confirmation is needed").message["From"]
        stack.post(message(anne, asked.replace(host, alias), "Re: Please"))
        wait.until("she has joined", lambda: members(ant) == [anne])
        post = message(anne, f"ant@{alias}", "By the alias")
        stack.post(post)

        mail = stack.catcher.wait_delivered(post["Message-ID"], anne)[0]
        assert mail.message["List-Post"] == f"<mailto:ant@{host}>"


# -- Names of lists


def test_a_lists_name_may_have_dots_dashes_and_underscores(
    stack: Stack, unique: str, address: Address
) -> None:
    anne, name = address("anne"), f"v1.0_dev-{unique}"
    with new_list(stack, name) as ant:
        stack.post(message(anne, f"{name}-join@{DOMAIN}", "Please"))
        asked = stack.catcher.wait_to(anne, "Your confirmation is needed")
        stack.post(message(anne, asked.message["From"], "Re: Please"))
        wait.until("she has joined", lambda: members(ant) == [anne])
        post = message(anne, ant.fqdn_listname, "Dots")
        stack.post(post, ant.fqdn_listname.upper())

        mail = stack.catcher.wait_delivered(post["Message-ID"], anne)[0]
        assert mail.message["List-Id"] == f"<{name}.{DOMAIN}>"
        assert mail.sender.startswith(f"{name}-bounces")
        link = mail.message["Archived-At"].strip("<>")
        wait.until("the archive link opens", lambda: stack.open(link))
        # A dot stands for itself, in the MTA's tables too.
        assert rcpt(stack, f"{name.replace('.', 'x')}@{DOMAIN}") == 550


@pytest.mark.parametrize("name", ["c++", "a b", "größe", "a/b", "a'b"])
def test_a_name_that_mail_cannot_carry_is_refused(stack: Stack, unique: str, name: str) -> None:
    """What follows a plus sign is no part of a list's name, for Mailman as for the MTA."""
    with pytest.raises(HTTPError) as refusal:
        stack.rest.get_domain(DOMAIN).create_list(f"{unique}{name}")
    assert refusal.value.code == 400
    assert re.match("Invalid list (name|posting address)", refusal.value.reason)


def test_what_follows_a_plus_sign_is_left_to_the_sender(
    stack: Stack, mailing_list: MailingList, address: Address
) -> None:
    subscribe(mailing_list, address("anne"))
    post = message(address("anne"), f"{mailing_list.list_name}+detail@{DOMAIN}", "To a detail")
    stack.post(post)
    assert len(stack.catcher.wait_delivered(post["Message-ID"], address("anne"))) == 1


def test_a_list_may_be_named_as_a_subaddress_of_another(
    stack: Stack, mailing_list: MailingList, address: Address
) -> None:
    """It takes that address over, and leaves it when it goes; each keeps all the others."""
    name = mailing_list.list_name
    anne, bart, cris, dora = (address(person) for person in ("anne", "bart", "cris", "dora"))
    with new_list(stack, f"{name}-request") as request, new_list(stack, f"{name}-owner") as owner:
        posts = {}
        for other in (request, owner):
            subscribe(other, anne)
            posts[other.list_id] = message(anne, other.fqdn_listname, "For all to read")
        command = message(bart, f"{name}-request-request@{DOMAIN}", "help", "")
        joining = message(cris, f"{name}-join@{DOMAIN}", "Please")
        for mail in (*posts.values(), command, joining):
            stack.post(mail)

        for list_id, post in posts.items():
            (delivered,) = stack.catcher.wait_delivered(post["Message-ID"], anne)
            assert delivered.message["List-Id"] == f"<{list_id}>"
        assert stack.catcher.wait_to(bart, RESULTS).sender.startswith(f"{name}-request-bounces")
        asked = stack.catcher.wait_to(cris, "Your confirmation is needed")
        assert asked.message["From"].startswith(f"{name}-confirm+")

    stack.post(message(dora, f"{name}-request@{DOMAIN}", "help", ""))
    assert stack.catcher.wait_to(dora, RESULTS).sender.startswith(f"{name}-bounces")


@pytest.mark.parametrize("by", ["REST", "command"])
def test_a_list_has_its_archivers_before_the_first_post(stack: Stack, unique: str, by: str) -> None:
    """Else runners that make them at the same time, or while the list is removed, do harm."""
    address = f"{unique}@{DOMAIN}"
    if by == "REST":
        stack.rest.get_domain(DOMAIN).create_list(unique)
    else:
        stack.exec("core", "mailman", "create", address)
    try:
        assert stack.exec("database", "sh", "-c", ARCHIVERS, unique).split() == [
            "hyperkitty", "mail-archive", "mhonarc", "prototype",
        ]  # fmt: skip
    finally:
        stack.rest.get_list(address).delete()


# A list is removed while another process asks for its archivers, which ends when it is gone.
REMOVAL = """
import multiprocessing, sys
from mailman.config import config
from mailman.core.initialize import initialize
from mailman.interfaces.listmanager import IListManager
from mailman.interfaces.mailinglist import IListArchiverSet
from zope.component import getUtility

def runner():
    config.db.engine.dispose(close=False)
    begun.wait()
    IListArchiverSet(getUtility(IListManager).get(sys.argv[1]))
    config.db.commit()

initialize()
config.db.commit()
begun = multiprocessing.Event()
other = multiprocessing.get_context("fork").Process(target=runner)
other.start()
lists = getUtility(IListManager)
lists.delete(lists.get(sys.argv[1]))
begun.set()
other.join(timeout=3)
config.db.commit()
other.join()
"""


def test_a_list_can_be_removed_while_posts_are_under_way(stack: Stack, unique: str) -> None:
    ant = stack.rest.get_domain(DOMAIN).create_list(unique)
    stack.exec("core", "python", "-c", REMOVAL, ant.fqdn_listname)
    assert ant.list_id not in [one.list_id for one in stack.rest.get_domain(DOMAIN).lists]


# -- Names that people read


def test_names_of_lists_and_people_may_have_any_characters(
    stack: Stack, mailing_list: MailingList, address: Address
) -> None:
    anne, person, title = address("anne"), 'Änne "Ä" Groß, 測試', "Größen & Maße, 測試"
    configure(mailing_list, display_name=title, description=title, subject_prefix=f"[{title}] ")
    # Posts come from the list, in the name of who wrote them.
    configure(mailing_list, dmarc_mitigate_action="munge_from", dmarc_mitigate_unconditionally=True)

    stack.post(message(formataddr((person, anne)), at(mailing_list, "join"), ""))
    asked = stack.catcher.wait_to(anne, "Your confirmation is needed").message["From"]
    stack.post(message(anne, asked, "Re: Please"))
    welcome = dict(stack.catcher.wait_to(anne, "Welcome").message.raw_items())
    assert decoded(welcome["Subject"]) == f'Welcome to the "{title}" mailing list'
    name, recipient = parseaddr(welcome["To"])
    assert (decoded(name), recipient) == (person, anne)
    assert mailing_list.get_member(anne).display_name == person

    post = message(anne, mailing_list.fqdn_listname, "Grüße")
    stack.post(post)
    mail = dict(stack.catcher.wait_delivered(post["Message-ID"], anne)[0].message.raw_items())
    name, sender = parseaddr(mail["From"])
    assert (decoded(name), sender) == (f"{person} via {title}", mailing_list.fqdn_listname)
    assert decoded(mail["List-Id"]) == f"{title} <{mailing_list.list_id}>"
    assert decoded(mail["Subject"]) == f"[{title}] Grüße"
