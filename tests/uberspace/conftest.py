"""The Uberspace guide's topology, with our stack in the place of the programs that it installs."""

import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mailmanclient import MailingList

from tests.support import RUN, evidence
from tests.support.stack import Stack
from tests.uberspace.provider import CATCHALL, FORWARDER, Provider, certify, login

PROJECT = "mailman-stack-test-uberspace"
FILES = ("compose.yaml", "tests/uberspace/compose.yaml")
DOMAIN = "isabell.example"
ENV = f"""\
MAIL_DOMAINS={DOMAIN}
MAILMAN_ADMIN_EMAIL=isabell@outside.example
MAILMAN_ADMIN_USER=isabell

MTA=none
SMTP_HOST=stardust.example
SMTP_PORT=587
SMTP_SECURE_MODE=starttls
SMTP_HOST_USER={FORWARDER}
DEFAULT_FROM_EMAIL={FORWARDER}
MAX_RECIPIENTS=100

COMPOSE_PROFILES=fetchmail
FETCHMAIL_MAILBOXES=imaps://{CATCHALL}@stardust.example/Mailman?envelope=Delivered-To&qvirtual=isabell-
FETCHMAIL_INTERVAL=10

LOCAL_FOLDER={{0}}/local
LOCAL_PROVIDER={{0}}/provider
"""


def prepare(directory: Path) -> None:
    """What the operator has: settings, two mailboxes at the provider, and their passwords."""
    shutil.rmtree(directory, ignore_errors=True)
    for name in ("local/tls", "provider", "secrets"):
        (directory / name).mkdir(parents=True)
    (directory / "env").write_text(ENV.format(directory))
    passwords = {name: secrets.token_urlsafe() for name in (FORWARDER, CATCHALL)}
    users = "".join(login(user, password) for user, password in passwords.items())
    (directory / "provider" / "users").write_text(users)
    (directory / "secrets" / "smtp_host_password").write_text(passwords[FORWARDER])
    (directory / "secrets" / "fetchmail_passwords").write_text(passwords[CATCHALL])
    certify(directory / "provider", directory / "local" / "tls" / "authorities.pem")


def sieve(stack: Stack) -> str:
    """The rule that `make sieve` prints for the provider's web page."""
    show = ("python", "-m", "mailman_stack.show", "sieve")
    return stack.compose("run", "--rm", "--no-deps", "--no-TTY", "web", *show).stdout


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    stack = Stack(PROJECT, RUN / "uberspace", FILES)
    prepare(stack.directory)
    stack.create_secrets()
    try:
        stack.compose("down", "--volumes", "--timeout", "5")
        (stack.directory / "provider" / "active.sieve").write_text(sieve(stack))
        stack.compose("up", "--detach", "stardust")
        Provider(stack).create_folder("Mailman")
        stack.compose("up", "--detach", "--wait", "--wait-timeout", "300")
        yield stack
    except BaseException:
        evidence.collect(stack, "start")
        raise
    finally:
        stack.compose("down", "--volumes", "--timeout", "30", check=False)


@pytest.fixture(scope="session")
def provider(stack: Stack) -> Provider:
    return Provider(stack)


@pytest.fixture
def unique(request: pytest.FixtureRequest) -> str:
    """A word that no other test uses, made of this one's name."""
    return re.sub(r"\W+|_", "-", request.node.name.removeprefix("test_")).lower()[:40].strip("-")


@pytest.fixture
def address(unique: str) -> Callable[[str], str]:
    """Makes mail addresses of people elsewhere, which no other test uses."""
    return lambda person: f"{person}-{unique}@outside.example"


@pytest.fixture
def mailing_list(stack: Stack, unique: str) -> Iterator[MailingList]:
    """A list of this test's own, open to all."""
    address = stack.rest.get_domain(DOMAIN).create_list(unique).fqdn_listname
    yield stack.rest.get_list(address)
    stack.rest.get_list(address).delete()
