"""Fixtures that every kind of test may use."""

import os
import re
import secrets
import shutil
import zlib
from collections.abc import Callable, Generator, Iterator

import pytest
from mailmanclient import MailingList

from tests.support import ROOT, RUN, evidence
from tests.support.lists import DOMAIN
from tests.support.sharing import shared, turn
from tests.support.stack import FILES, Stack

PROJECT = "mailman-stack-test"
ENV = f"""\
MTA={os.environ.get("MTA", "postfix")}
MAIL_DOMAINS=lists.example.com, lists.example.net=archive.example.net
MAILMAN_ADMIN_EMAIL=admin@example.org
SITE_OWNER=owner@example.org
"""
STACK = Stack(PROJECT, RUN / "stack")
LOCKS = RUN / "stack-users"
SHARING = {"e2e", "lists", "browser"}
"""The folders of the tests that share this stack."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mix the tests that share a stack: some wait, for mail, while others work, in a browser.

    The order is the same each time. Those that need the stack for themselves come last, and of them
    those that stop parts of it: what they leave may still be coming back.
    """

    def place(item: pytest.Item) -> tuple[bool, bool, int]:
        folder, alone = item.path.parent.name, item.get_closest_marker("alone") is not None
        mixed = zlib.crc32(item.nodeid.encode()) if folder in SHARING else 0
        return alone, alone and folder == "e2e", mixed

    items.sort(key=place)


@pytest.fixture(scope="session")
def docker_compose_command() -> str:
    return f"docker compose --project-directory {ROOT} --env-file {STACK.directory}/env"


@pytest.fixture(scope="session")
def docker_compose_file() -> list[str]:
    return [str(ROOT / file) for file in FILES]


@pytest.fixture(scope="session")
def docker_compose_project_name() -> str:
    return PROJECT


@pytest.fixture(scope="session")
def docker_setup() -> list[str]:
    # What an earlier run that was cut off has left would make this one a different test.
    return ["down --volumes --timeout 5", "up --detach --wait --wait-timeout 300"]


@pytest.fixture(scope="session")
def docker_cleanup() -> list[str]:
    return []  # by whoever is the last to use it


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """The whole stack, started once for all tests of all processes."""

    def start() -> None:
        write_settings()
        try:
            request.getfixturevalue("docker_services")
        except BaseException:
            # pytest-docker leaves a project that failed to start as it is, and shows nothing of it.
            evidence.collect(STACK, "start")
            stop()
            raise

    def stop() -> None:
        STACK.compose("down", "--volumes", "--timeout", "30", check=False)

    os.environ.update(STACK.environment)
    with shared(LOCKS, start, stop):
        assert (STACK.directory / "env").read_text() == ENV, "a stack of other settings is running"
        yield STACK


def write_settings() -> None:
    """Settings and secrets of the stack, below the checkout, where the engine sees them."""
    shutil.rmtree(STACK.directory, ignore_errors=True)
    STACK.directory.mkdir(parents=True)
    (STACK.directory / "env").write_text(ENV)
    STACK.create_secrets()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Let a test that is marked `alone` have the stack for itself, fixtures included."""
    if "stack" not in getattr(item, "fixturenames", ()):
        return (yield)
    with turn(LOCKS, alone=item.get_closest_marker("alone") is not None):
        return (yield)


@pytest.fixture
def unique(request: pytest.FixtureRequest) -> str:
    """A word that no other test uses, made of this one's name."""
    name = re.sub(r"\W+|_", "-", request.node.name.removeprefix("test_")).strip("-").lower()
    return f"{name[:40]}-{secrets.token_hex(3)}"


@pytest.fixture
def address(unique: str) -> Callable[[str], str]:
    """Makes mail addresses of people outside, which no other test uses."""
    return lambda person: f"{person}-{unique}@example.org"


@pytest.fixture
def mailing_list(stack: Stack, unique: str) -> Iterator[MailingList]:
    """A list of this test's own, open to all."""
    address = stack.rest.get_domain(DOMAIN).create_list(unique).fqdn_listname
    yield stack.rest.get_list(address)
    # Asked for anew: core may have another address by now.
    stack.rest.get_list(address).delete()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep what a failed test leaves: logs, queues, rendered files, the mail that was seen."""
    report = yield
    stack = getattr(item, "funcargs", {}).get("stack")
    if report.failed and isinstance(stack, Stack):
        report.sections.append(("evidence", str(evidence.collect(stack, item.name))))
    return report
