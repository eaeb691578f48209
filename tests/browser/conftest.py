"""A real browser, for which the stack's public names lead to its web container."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, StorageState, sync_playwright

from tests.browser.accounts import log_in_as_admin
from tests.support.evidence import EVIDENCE
from tests.support.stack import Stack

SITES = ("www.example.com", "archive.example.net")


@pytest.fixture(scope="session")
def browser(stack: Stack) -> Iterator[Browser]:
    """Debian's Chromium, headless."""
    web = f"{stack.address('web')}:8000"
    rules = ", ".join([*(f"MAP {site}:80 {web}" for site in SITES), "MAP * ~NOTFOUND"])
    # As https and localhost are: else Chromium complains of Django's headers.
    secure = ",".join(f"http://{site}" for site in SITES)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=[
                f"--host-resolver-rules={rules}",
                "--no-sandbox",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                f"--unsafely-treat-insecure-origin-as-secure={secure}",
            ],
        )
        yield browser
        browser.close()


@contextmanager
def visitor(browser: Browser, name: str, **options: Any) -> Iterator[Page]:
    """A page of a browser with no cookies but those given; its last state is kept as a picture.

    Any failed file and any error on the console is an error. The visitor's address is a proxy's
    word, made of ``name``: what one test does too often, another may still do.
    """
    context = browser.new_context(
        base_url=f"http://{SITES[0]}",
        locale="en-US",
        extra_http_headers={"X-Forwarded-For": client_address(name)},
        **options,
    )
    page = context.new_page()
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(f"script: {error}"))
    page.on(
        "console",
        lambda line: troubles.append(f"console: {line.text}") if line.type == "error" else None,
    )
    page.on(
        "response",
        lambda answer: (
            troubles.append(f"{answer.status}: {answer.url}") if answer.status >= 400 else None
        ),
    )
    try:
        yield page
    finally:
        EVIDENCE.mkdir(exist_ok=True)
        page.screenshot(path=EVIDENCE / f"{name}.png", full_page=True)
        context.close()
    assert troubles == []


def client_address(name: str) -> str:
    """An address for the visitor of a test, out of 10.0.0.0/8."""
    return f"10.{'.'.join(map(str, zlib.crc32(name.encode()).to_bytes(4)[:3]))}"


@pytest.fixture
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A fresh visitor."""
    with visitor(browser, request.node.name) as page:
        yield page


@pytest.fixture
def admin(
    browser: Browser, request: pytest.FixtureRequest, admin_session: StorageState
) -> Iterator[Page]:
    """The administrator, logged in."""
    name = f"{request.node.name}-admin"
    with visitor(browser, name, storage_state=admin_session) as page:
        yield page


@pytest.fixture(scope="session")
def admin_session(browser: Browser, stack: Stack, worker_id: str) -> StorageState:
    """The cookies of the administrator, who logs in once."""
    with visitor(browser, f"admin-logs-in-{worker_id}") as page:
        log_in_as_admin(page, stack)
        return page.context.storage_state()
