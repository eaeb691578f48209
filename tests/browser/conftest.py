"""A real browser, for which the stack's public names lead to its web container."""

import re
import secrets
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from functools import cache

import pytest
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Error,
    Page,
    Response,
    StorageState,
    expect,
    sync_playwright,
)

from tests.browser.accounts import Account, log_in_as_admin, sign_up
from tests.support.evidence import EVIDENCE
from tests.support.stack import Stack

PATIENCE = 60_000  # milliseconds: what is slow under load is no failure
expect.set_options(timeout=PATIENCE)
SITES = ("www.example.com", "archive.example.net")

type Chromium = Callable[[], Browser]


@pytest.fixture(scope="session")
def browser(stack: Stack) -> Iterator[Chromium]:
    """Debian's Chromium, headless; another one when the web container has another address."""
    # As https and localhost are: else Chromium complains of Django's headers.
    secure = ",".join(f"http://{site}" for site in SITES)
    with sync_playwright() as playwright:

        @cache
        def launched(web: str) -> Browser:
            rules = ", ".join([*(f"MAP {site}:80 {web}:8000" for site in SITES), "MAP * ~NOTFOUND"])
            return playwright.chromium.launch(
                executable_path="/usr/bin/chromium-headless-shell",
                args=[
                    f"--host-resolver-rules={rules}",
                    "--no-sandbox",
                    "--disable-background-networking",
                    "--disable-component-update",
                    "--disable-sync",
                    f"--unsafely-treat-insecure-origin-as-secure={secure}",
                ],
            )

        yield lambda: launched(stack.address("web"))


@contextmanager
def visitor(
    browser: Chromium,
    name: str,
    cookies: StorageState | None = None,
    refusals: Collection[str] = (),
    locale: str = "en-US",
) -> Iterator[Page]:
    """A person at a browser, whose last page is kept as a picture.

    Any failed file and any error on the console is an error, but at the addresses in ``refusals``.
    The visitor's own address is a proxy's word, made of ``name``: what one test does too often,
    another may still do.
    """
    context = browser().new_context(
        base_url=f"http://{SITES[0]}",
        locale=locale,
        extra_http_headers={"X-Forwarded-For": client_address(name)},
        storage_state=cookies,
    )
    context.set_default_timeout(PATIENCE)
    troubles: list[str] = []

    def console(line: ConsoleMessage) -> None:
        if line.type == "error" and line.location["url"] not in refusals:
            troubles.append(f"console: {line.text}")

    def response(answer: Response) -> None:
        if answer.status >= 400 and answer.url not in refusals:
            troubles.append(f"{answer.status}: {answer.url}")

    page = context.new_page()
    page.on("pageerror", lambda error: troubles.append(f"script: {error}"))
    page.on("console", console)
    page.on("response", response)
    try:
        yield page
    finally:
        EVIDENCE.mkdir(exist_ok=True)
        picture = EVIDENCE / f"{re.sub(r'\W+', '-', name).strip('-')}.png"
        with suppress(Error):  # it would hide the test's own
            page.screenshot(path=picture, full_page=True)
        context.close()
    assert troubles == []


def client_address(name: str) -> str:
    """An address for the visitor of a test, out of 10.0.0.0/8."""
    return f"10.{'.'.join(map(str, zlib.crc32(name.encode()).to_bytes(4)[:3]))}"


@pytest.fixture
def refusals() -> set[str]:
    """Addresses that have to be refused, as a test says: no trouble."""
    return set()


@pytest.fixture
def page(browser: Chromium, request: pytest.FixtureRequest, refusals: set[str]) -> Iterator[Page]:
    """A fresh visitor."""
    with visitor(browser, request.node.name, refusals=refusals) as page:
        yield page


@pytest.fixture(scope="session")
def admin_session(browser: Chromium, stack: Stack, worker_id: str) -> StorageState:
    """The administrator's cookies."""
    with visitor(browser, f"admin-logs-in-{worker_id}") as page:
        log_in_as_admin(page, stack)
        return page.context.storage_state()


@pytest.fixture
def admin(
    browser: Chromium,
    request: pytest.FixtureRequest,
    refusals: set[str],
    admin_session: StorageState,
) -> Iterator[Page]:
    """The administrator, logged in."""
    with visitor(browser, f"{request.node.name}-admin", admin_session, refusals) as page:
        yield page


@pytest.fixture(scope="session")
def member_session(browser: Chromium, stack: Stack, worker_id: str) -> tuple[Account, StorageState]:
    """An account for all tests that leave it as it is, and its cookies."""
    with visitor(browser, f"member-signs-up-{worker_id}") as page:
        account = sign_up(page, stack, f"member-{secrets.token_hex(3)}@example.org")
        return account, page.context.storage_state()


@pytest.fixture
def member_account(member_session: tuple[Account, StorageState]) -> Account:
    """The account of the fixture `member`."""
    return member_session[0]


@pytest.fixture
def member(
    browser: Chromium,
    request: pytest.FixtureRequest,
    refusals: set[str],
    member_session: tuple[Account, StorageState],
) -> Iterator[Page]:
    """Somebody with an account, logged in."""
    name = f"{request.node.name}-member"
    with visitor(browser, name, member_session[1], refusals) as page:
        yield page
