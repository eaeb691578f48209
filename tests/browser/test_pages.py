"""Every page that links lead to: complete, in the visitor's language, fit for a telephone."""

import re
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from urllib.parse import urlsplit

import pytest
from mailmanclient import MailingList
from playwright.sync_api import Page, expect

from tests.browser.accounts import Account
from tests.browser.archive import archive_of, permalink_of, post, thread_of, write
from tests.browser.conftest import Chromium, visitor
from tests.support import wait
from tests.support.evidence import EVIDENCE
from tests.support.lists import DOMAIN, subscribe
from tests.support.stack import Stack

SITE = "http://www.example.com"
TELEPHONE = {"width": 375, "height": 667}
DESK = {"width": 1280, "height": 720}
TEXT = f"""\
A word that no screen holds: {"x" * 300}
A link: https://example.com/{"y" * 300}
> what was said before

@@ -1 +1 @@ {"a patch, in a fixed font " * 20}
"""
FAULTS = """() => {
    const page = document.documentElement
    const faults = []
    if (!document.title.trim()) faults.push("no title")
    if (!page.lang) faults.push("no language")
    for (const image of document.images)
        if (!image.hasAttribute("alt")) faults.push("without alt: " + image.src)
    return faults
}"""
WIDTH = "document.documentElement.scrollWidth"


@pytest.fixture
def message(stack: Stack, mailing_list: MailingList, member_account: Account) -> EmailMessage:
    """A post with all that makes a page wide, from whom the fixture `member` is."""
    subscribe(mailing_list, member_account.address)
    mail = write(mailing_list, member_account.address, "Long lines", TEXT)
    mail.add_attachment(b"\0", "application", "octet-stream", filename=f"{'long' * 30}.bin")
    post(stack, mailing_list, mail)
    return mail


@pytest.fixture
def pages(mailing_list: MailingList, message: EmailMessage) -> tuple[MailingList, list[str]]:
    """A list, and the pages from which links lead to all others."""
    info = f"/mailman3/lists/{mailing_list.list_id}/"
    thread = thread_of(mailing_list, message)
    return mailing_list, ["/", "/admin/", "/archives/", info, archive_of(mailing_list), thread]


NO_PAGE = re.compile(r"\.mbox\.gz$|/feed/$|/csv_view/$|/attachment/|^/static/|^/admin/jsi18n/")
SOMEBODYS = re.compile(r"/lists?/(?!new/)([^/]+)/|/users/([0-9a-f]{32})|/domains/(?!new/)([^/]+)")
NAME = re.compile(r"[A-Z2-7]{32}|[0-9a-f]{32}|\d+|[^/]+@[^/]+")


@dataclass
class Walk:
    """From link to link, over one page of each kind; of lists only over one."""

    page: Page
    below: re.Pattern[str]
    mailing_list: MailingList
    queue: deque[str] = field(default_factory=deque)
    seen: set[str] = field(default_factory=set)
    somebody: str = ""

    def paths(self, *start: str) -> Iterator[str]:
        """Each path in its turn; the page is to be opened before the next one is asked for."""
        self.queue.extend(start)
        while self.queue:
            path = self.queue.popleft()
            # What is sorted, filtered or the next page in a list is the same kind of page.
            if self._is_new(path.partition("?")[0]):
                yield path
                links = self.page.evaluate("[...document.links].map(link => link.href)")
                found = (urlsplit(link) for link in links if link.startswith(f"{SITE}/"))
                self.queue.extend(f"{link.path}?{link.query}" for link in found)

    def _is_new(self, path: str) -> bool:
        kind = NAME.sub("*", path)
        ours = self.below.match(path) and self._is_ours(path)
        if kind in self.seen or NO_PAGE.search(path) or not ours:
            return False
        self.seen.add(kind)
        return True

    def _is_ours(self, path: str) -> bool:
        """Whether a page belongs to the list, its domain, or the first person that was met."""
        match = SOMEBODYS.search(path)
        if not match:
            return True
        a_list, user, domain = match.groups()
        if a_list:
            return a_list in (self.mailing_list.list_id, self.mailing_list.fqdn_listname)
        if domain:
            return domain == DOMAIN
        self.somebody = self.somebody or user
        return user == self.somebody


INTERFACE = re.compile(r"/(?!admin/)")
DJANGO_ADMIN = re.compile(r"/admin/(\w+/){0,2}$")  # the lists, not every row in them


@pytest.mark.parametrize(
    ("person", "below", "at_least"),
    [
        pytest.param("page", INTERFACE, 13, id="stranger"),
        pytest.param("member", INTERFACE, 25, id="member"),
        # The page of domains fails for one that is deleted meanwhile.
        pytest.param("admin", INTERFACE, 60, id="administrator", marks=pytest.mark.alone),
        pytest.param("admin", DJANGO_ADMIN, 25, id="django-admin"),
    ],
)
def test_every_page_that_links_lead_to_is_complete(
    request: pytest.FixtureRequest,
    pages: tuple[MailingList, list[str]],
    person: str,
    below: re.Pattern[str],
    at_least: int,
) -> None:
    page: Page = request.getfixturevalue(person)  # fails for any file or script that fails
    mailing_list, start = pages
    walk = Walk(page, below, mailing_list)
    faults = {}
    for path in walk.paths(*start):
        answer = page.goto(path)
        assert answer is not None
        assert answer.status == 200, path
        page.wait_for_function("!window.jQuery?.active")  # what scripts load
        if found := page.evaluate(FAULTS):
            faults[path] = found
    assert faults == {}
    assert len(walk.seen) >= at_least, sorted(walk.seen)


def main_pages(stack: Stack, mailing_list: MailingList, mail: EmailMessage) -> dict[str, str]:
    """The pages that people see most, by a name for the picture."""
    author = stack.rest.get_user(mail["From"]).user_id
    return {
        "lists": "/mailman3/lists/",
        "list": f"/mailman3/lists/{mailing_list.list_id}/",
        "settings": f"/mailman3/lists/{mailing_list.list_id}/settings/",
        "members": f"/mailman3/lists/{mailing_list.list_id}/members/member/",
        "held-messages": f"/mailman3/lists/{mailing_list.list_id}/held_messages",
        "subscriptions": "/mailman3/accounts/subscriptions/",
        "account": "/user-profile/",
        "archives": "/archives/",
        "archive": archive_of(mailing_list),
        "threads": f"{archive_of(mailing_list)}latest",
        "thread": thread_of(mailing_list, mail),
        "message": permalink_of(mailing_list, mail),
        "posts": f"/archives/users/{author}/posts?list={mailing_list.fqdn_listname}",
        "new-thread": f"{archive_of(mailing_list)}message/new",
        "search": f"/archives/search?q=x&mlist={mailing_list.fqdn_listname}",
        "administration": "/admin/",
    }


def shows(page: Page, path: str, text: str) -> bool:
    page.goto(path)
    return text in page.content()


def test_the_main_pages_fit_a_telephone(
    stack: Stack, admin: Page, mailing_list: MailingList, message: EmailMessage
) -> None:
    EVIDENCE.mkdir(exist_ok=True)
    widths = {}
    pages = main_pages(stack, mailing_list, message)
    wait.until("the author is known", lambda: shows(admin, pages["posts"], "Long lines"))
    for name, path in pages.items():
        for device, size in (("desk", DESK), ("telephone", TELEPHONE)):
            admin.set_viewport_size(size)  # type: ignore[arg-type]
            admin.goto(path)
            admin.wait_for_function("!window.jQuery?.active")
            admin.screenshot(path=EVIDENCE / f"page-{name}-{device}.png", full_page=True)
        widths[name] = admin.evaluate(WIDTH)
    assert {name: width for name, width in widths.items() if width > TELEPHONE["width"]} == {}


@pytest.mark.parametrize("path", ["/mailman3/lists/", "/archives/", "/accounts/login/"])
def test_the_menu_of_a_telephone_opens(page: Page, path: str) -> None:
    page.set_viewport_size(TELEPHONE)  # type: ignore[arg-type]
    page.goto(path)
    menu = page.locator(".navbar-collapse").first
    expect(menu).to_be_hidden()
    page.locator(".navbar-toggler").click()
    expect(menu.get_by_role("link").first).to_be_visible()


LANGUAGES = {
    "de": {"lists": "Mailing-Listen", "archive": "Zuletzt aktive Diskussionen", "in": "Anmelden"},
    "fr": {"lists": "Listes de diffusion", "archive": "Discussions récentes", "in": "S'identifier"},
    "ja": {"lists": "メーリングリスト", "archive": "最近活発な議論", "in": "ログイン"},
}
MONTHS = {
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "ja": "1月 2月 3月 4月 5月 6月 7月 8月 9月 10月 11月 12月",
}


@pytest.mark.usefixtures("message")
@pytest.mark.parametrize("language", LANGUAGES)
def test_pages_speak_the_visitors_language(
    browser: Chromium, mailing_list: MailingList, language: str
) -> None:
    words = LANGUAGES[language]
    pages = {
        "/mailman3/lists/": words["lists"],
        archive_of(mailing_list): words["archive"],
        f"{archive_of(mailing_list)}latest": MONTHS[language].split()[time.gmtime().tm_mon - 1],
        "/accounts/login/": words["in"],
    }
    with visitor(browser, f"page-in-{language}", locale=language) as page:
        for path, word in pages.items():
            page.goto(path)
            expect(page.locator("html")).to_have_attribute("lang", language)
            expect(page.locator("body")).to_contain_text(word, ignore_case=True)
