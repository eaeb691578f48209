"""A real browser, for which the stack's public names lead to its web container."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.support.evidence import EVIDENCE
from tests.support.stack import Stack


@pytest.fixture(scope="session")
def browser(stack: Stack) -> Iterator[Browser]:
    """Debian's Chromium, headless."""
    rules = f"MAP *.example.com:80 {stack.address('web')}:8000, MAP * ~NOTFOUND"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=[
                f"--host-resolver-rules={rules}",
                "--no-sandbox",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                # As https and localhost are: else Chromium complains of Django's headers.
                "--unsafely-treat-insecure-origin-as-secure=http://www.example.com",
            ],
        )
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A fresh visitor, whose last page is kept as a picture.

    Any failed file and any error on the console fails the test.
    """
    context = browser.new_context(base_url="http://www.example.com", locale="en-US")
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
    yield page
    EVIDENCE.mkdir(exist_ok=True)
    page.screenshot(path=EVIDENCE / f"{request.node.name}.png", full_page=True)
    context.close()
    assert troubles == []
