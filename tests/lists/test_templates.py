"""Texts of mails and pages that are not upstream's: files of the operator's, and templates by URI.

The files are in tests/local/templates, which the stack of the tests has as its local/.
"""

import re
import secrets
from http import HTTPStatus
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, OpenerDirector, Request, build_opener

import pytest
from mailmanclient import MailingList

from tests.support.lists import Address, configure, new_list, subscribe
from tests.support.mail import message
from tests.support.stack import Stack
from tests.support.templates import FOOTER, WELCOME

FILES = "file:///etc/mailman-stack/local/templates/mail"
HEADER = "list:member:regular:header"


def create_domain(stack: Stack, host: str) -> None:
    """Make a domain, which stays: pages that list domains fail when one is removed meanwhile."""
    if host not in [domain.mail_host for domain in stack.rest.domains]:
        stack.rest.create_domain(host)


class Visitor:
    """Of the web interface, without a browser."""

    def __init__(self, stack: Stack, address: str) -> None:
        self._base = f"http://{stack.address('web')}:8000"
        # As from behind a proxy: who comes too often from one address is refused.
        self._headers = {"Host": "www.example.com", "X-Forwarded-For": address}
        self._cookies: OpenerDirector = build_opener(HTTPCookieProcessor())

    def get(self, path: str, data: bytes | None = None) -> str:
        """A page, after whatever redirections."""
        request = Request(f"{self._base}{path}", data, self._headers)  # noqa: S310
        with self._cookies.open(request, timeout=60) as answer:
            page: str = answer.read().decode()
        return page

    def send(self, path: str, **fields: str) -> None:
        """Fill in a page's form."""
        token = re.search('name="csrfmiddlewaretoken" value="(.*?)"', self.get(path))
        assert token
        self.get(path, urlencode({"csrfmiddlewaretoken": token[1], **fields}).encode())


@pytest.fixture
def visitor(stack: Stack) -> Visitor:
    return Visitor(stack, f"2001:db8::{secrets.token_hex(2)}")


@pytest.fixture
def administrator(stack: Stack, visitor: Visitor) -> Visitor:
    password = stack.secret("mailman_admin_password")
    visitor.send("/accounts/login/", login="admin", password=password)
    return visitor


def welcome(stack: Stack, mailing_list: MailingList, member: str, name: str = "") -> str:
    """What a new member is told."""
    subscribe(mailing_list, member, display_name=name)
    return stack.catcher.wait_to(member).text.strip()


# -- Files


def test_a_file_is_the_text_of_a_site_a_domain_or_a_list(stack: Stack, address: Address) -> None:
    create_domain(stack, "templates.example.com")
    with (
        new_list(stack, "ant", "templates.example.com") as ant,
        new_list(stack, "bee", "templates.example.com") as bee,
    ):
        assert welcome(stack, ant, address("anne")) == "The list's own text about Ant."
        text = "The domain's own text about bee@templates.example.com."
        assert welcome(stack, bee, address("bart")) == text
        configure(bee, preferred_language="et")
        text = "Tere tulemast, Cris: the site's own text."
        assert welcome(stack, bee, address("cris"), "Cris") == text


def test_a_file_is_the_header_and_the_footer_of_posts(stack: Stack, address: Address) -> None:
    """Placeholders that Mailman does not know stay as they are."""
    with new_list(stack, "templates") as mailing_list:
        subscribe(mailing_list, address("anne"))
        post = message(address("anne"), mailing_list.fqdn_listname, "Hi", "In between.\n")
        stack.post(post)
        (mail,) = stack.catcher.wait_delivered(post["Message-ID"], address("anne"))
    *lines, link = mail.text.splitlines()
    assert lines == [
        "Überschrift of Templates, $nonsense, for $5",
        "In between.",
        "Leave: templates-leave@lists.example.com ☃",
    ]
    archive = "http://www.example.com/archives/list/templates@lists.example.com/"
    assert link.startswith(f"{archive}message/")


def test_a_file_changes_a_page(visitor: Visitor) -> None:
    with pytest.raises(HTTPError) as refused:
        visitor.get("/there/is/no/such/page")
    page = refused.value.read().decode()
    assert refused.value.code == HTTPStatus.NOT_FOUND
    assert "Page not found" in page
    assert "The site's own words." in page


def test_a_file_changes_a_mail_of_the_web_interface(
    stack: Stack, visitor: Visitor, address: Address
) -> None:
    nobody = address("nobody")
    visitor.send("/accounts/password/reset/", email=nobody)
    mail = stack.catcher.wait_to(nobody)
    assert f"The site's own words: nobody here has the address {nobody}." in mail.text


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("de", "Willkommen"),
        ("zh_CN", "欢迎来到"),
        ("no", "Welcome to the"),
        ("pl", "Welcome to the"),
    ],
)
def test_a_text_is_in_the_lists_language_or_in_english(
    stack: Stack, mailing_list: MailingList, address: Address, language: str, text: str
) -> None:
    """Upstream's untranslated texts are empty, and its Chinese and Norwegian is not found."""
    configure(mailing_list, preferred_language=language)
    assert welcome(stack, mailing_list, address("anne")).startswith(text)


# -- URIs


def test_a_text_is_set_by_its_uri(
    stack: Stack, mailing_list: MailingList, address: Address
) -> None:
    mailing_list.set_template(
        WELCOME, f"{FILES}/domains/templates.example.com/$language/{WELCOME}.txt"
    )
    text = f"The domain's own text about {mailing_list.fqdn_listname}."
    assert welcome(stack, mailing_list, address("anne")) == text


def test_a_text_that_has_changed_is_fetched_once_it_is_set_again(
    stack: Stack, mailing_list: MailingList, address: Address
) -> None:
    """Also where placeholders are filled in."""
    path = f"/tmp/{mailing_list.list_id}.txt"  # noqa: S108 - the container's own
    for person, text in (("anne", "Old"), ("bart", "New")):
        stack.exec("core", "sh", "-c", f"echo {text} >{path}")
        mailing_list.set_template(WELCOME, "file:///tmp/$list_id.txt")
        assert welcome(stack, mailing_list, address(person)) == text


def test_a_text_set_in_the_web_interface_is_used_at_once(
    stack: Stack, administrator: Visitor, mailing_list: MailingList, address: Address
) -> None:
    templates = f"/mailman3/lists/{mailing_list.list_id}/templates"
    administrator.send(f"{templates}/new", name=WELCOME, data="Grüße von $display_name ☃")
    text = f"Grüße von {mailing_list.display_name} ☃"
    assert welcome(stack, mailing_list, address("anne")) == text

    (number,) = set(re.findall(rf"{templates}/(\d+)/update", administrator.get(templates)))
    administrator.send(f"{templates}/{number}/update", data="Changed")
    assert welcome(stack, mailing_list, address("bart")) == "Changed"

    administrator.send(f"{templates}/{number}/delete")
    assert welcome(stack, mailing_list, address("cris")).startswith("Welcome to the")

    administrator.send(f"{templates}/new", name=WELCOME, data="Set again")
    assert welcome(stack, mailing_list, address("dora")) == "Set again"


def test_a_text_set_for_a_domain_is_that_of_its_lists(
    stack: Stack, administrator: Visitor, unique: str, address: Address
) -> None:
    host = f"{unique}.example.com"
    create_domain(stack, host)
    with new_list(stack, "ant", host) as ant:
        new = f"/mailman3/domains/{host}/templates/new"
        administrator.send(new, name=WELCOME, data="All of $domain greet you")
        assert welcome(stack, ant, address("anne")) == f"All of {host} greet you"


@pytest.mark.parametrize(
    "uri",
    ["http://core:9/refused", "file:///nowhere", "file:///bin/true"],
    ids=["refused", "missing", "not-utf-8"],
)
def test_a_text_that_cannot_be_had_holds_up_no_post(
    stack: Stack, mailing_list: MailingList, address: Address, uri: str
) -> None:
    """The next best one is used."""
    subscribe(mailing_list, address("anne"))
    for template in (HEADER, FOOTER):
        mailing_list.set_template(template, uri)
    post = message(address("anne"), mailing_list.fqdn_listname, "Hi", "In between.\n")
    stack.post(post)
    (mail,) = stack.catcher.wait_delivered(post["Message-ID"], address("anne"))
    first, *_, last = mail.text.splitlines()
    assert first == "In between."
    assert last.startswith("To unsubscribe send an email to")
