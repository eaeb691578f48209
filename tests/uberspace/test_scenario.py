"""The scenario, end to end: in by the catch-all mailbox, out by submission, nothing on port 25."""

import hashlib
import re
from base64 import b32encode
from collections.abc import Callable, Iterator
from contextlib import closing
from email.message import EmailMessage, Message
from email.utils import parseaddr
from http.client import HTTPConnection
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

import pytest
from mailmanclient import MailingList

from tests.support import wait
from tests.support.container import Container
from tests.support.lists import subscribe
from tests.support.mail import message
from tests.support.stack import Stack
from tests.uberspace.conftest import DOMAIN
from tests.uberspace.provider import FORWARDER, Provider

OWNER = "isabell@outside.example"


def assert_submitted(mail: EmailMessage) -> None:
    """By STARTTLS and after a login, which Postfix notes in the Received: line."""
    assert "using TLSv1.3" in mail["Received"]
    assert f"(Authenticated sender: {FORWARDER})" in mail["Received"]


# -- Posts


def test_a_post_reaches_members_elsewhere_and_the_archive(
    stack: Stack, provider: Provider, mailing_list: MailingList, address: Callable[[str], str]
) -> None:
    members = [address(f"member{number}") for number in range(101)]
    mailing_list.settings["send_welcome_message"] = False
    mailing_list.settings.save()
    subscribe(mailing_list, *members)
    post = message(members[0], mailing_list.fqdn_listname, "Über Grüße ☃", "Zwölf Boxkämpfer 🥊\n")

    provider.post(post, mailing_list.fqdn_listname)

    wait.until(
        "the post reaches every member",
        lambda: provider.reached(post["Message-ID"]) == sorted(members),
        seconds=60,
    )
    name = mailing_list.list_name
    bounces = f"{name}-bounces@{DOMAIN}"
    assert sorted(provider.transactions(post["Message-ID"])) == sorted(
        [(members[0], 1), (bounces, 1), (bounces, 100)]
    )
    (mail,) = provider.outside(members[0], "Über Grüße ☃")
    assert_submitted(mail)
    assert mail["Return-Path"] == f"<{bounces}>"
    assert f"<{mailing_list.list_id}>" in mail["List-Id"]
    assert "Zwölf Boxkämpfer 🥊" in text(mail)
    link = mail["Archived-At"].strip("<>")
    assert link.startswith(f"https://{DOMAIN}/archives/")
    page = wait.until("the archive link opens", lambda: stack.open(link))
    assert "Zwölf Boxkämpfer 🥊" in page


def text(mail: EmailMessage) -> str:
    """The first plain text of a message."""
    body = mail.get_body(("plain",))
    assert body
    content: str = body.get_content()
    return content


def test_the_mailbox_is_empty_when_all_is_fetched(
    provider: Provider, mailing_list: MailingList, address: Callable[[str], str]
) -> None:
    subscribe(mailing_list, address("anne"))
    provider.post(
        message(address("anne"), mailing_list.fqdn_listname, "Fetched"), mailing_list.fqdn_listname
    )
    provider.wait_outside(address("anne"), "Fetched")
    wait.until("the folder is empty", lambda: provider.folder("Mailman") == 0)
    assert provider.folder("INBOX") == 0


def test_daily_digests_are_sent(
    stack: Stack, provider: Provider, mailing_list: MailingList, address: Callable[[str], str]
) -> None:
    subscribe(mailing_list, address("anne"), address("bart"))
    preferences = mailing_list.get_member(address("bart")).preferences
    preferences["delivery_mode"] = "plaintext_digests"
    preferences.save()
    post = message(address("anne"), mailing_list.fqdn_listname, "For the digest", "Once a day.\n")
    provider.post(post, mailing_list.fqdn_listname)
    provider.wait_outside(address("anne"), "For the digest")

    # What the job `digests` runs at noon.
    stack.exec("core", "mailman", "digests", "--periodic", "--list", mailing_list.fqdn_listname)

    digest = provider.wait_outside(address("bart"), "Digest")
    assert_submitted(digest)
    assert "Once a day." in digest.as_string()
    jobs = stack.exec("core", "python", "-m", "mailman_stack.core.jobs").splitlines()
    assert "digests" in [line.split()[0] for line in jobs]


# -- Members


def test_subscribe_by_mail_with_confirmation(
    provider: Provider, mailing_list: MailingList, address: Callable[[str], str]
) -> None:
    anne, name = address("anne"), mailing_list.list_name
    join = f"{name}-join@{DOMAIN}"
    provider.post(message(anne, join, "", ""), join)

    request = provider.wait_outside(anne, "confirm")
    assert_submitted(request)
    token = parseaddr(str(request["From"]))[1]
    assert re.fullmatch(rf"{re.escape(name)}-confirm\+\w+@{re.escape(DOMAIN)}", token)
    provider.post(message(anne, token, "Re: confirm", ""), token)

    wait.until(
        "anne is a member", lambda: [member.email for member in mailing_list.members] == [anne]
    )
    provider.wait_outside(anne, "Welcome")


# -- Mail for no list


def test_mail_for_no_list_is_kept_and_reported_once(
    provider: Provider, unique: str, address: Callable[[str], str]
) -> None:
    nobody = f"{unique}@{DOMAIN}"
    provider.post(message(address("anne"), nobody, "To nobody"), nobody)

    wait.until("it is in quarantine", lambda: provider.folder("Quarantine") == 1)
    report = provider.wait_outside(OWNER, "quarantine")
    assert_submitted(report)
    assert parseaddr(str(report["From"]))[1] == FORWARDER
    assert nobody in text(report)
    wait.until("it is fetched no more", lambda: provider.folder("Mailman") == 0)
    assert len(provider.outside(OWNER, "quarantine")) == 1
    assert provider.outside(address("anne")) == []


# -- Moving, by the commands of docs/migrating-from-uberspace.md


def test_a_list_is_taken_over(stack: Stack, unique: str) -> None:
    core, web = (Container(stack.container(service)) for service in ("core", "web"))
    address = f"{unique}@{DOMAIN}"
    core.exec("mailman", "create", address)
    core.exec("mailman", "admins", "--add", OWNER, "--role", "owner", address)
    for mode, member in {"regular": "Anne <anne@a.example>", "mime": "bart@a.example"}.items():
        command = ("mailman", "addmembers", "-W", "-d", mode, "-", address)
        core.exec(*command, stdin=f"{member}\n")
    post = message("anne@a.example", address, "From the old archive", "Long ago.\n")
    import_it = (
        f"cat >/tmp/mbox && django-admin hyperkitty_import -l {address} /tmp/mbox; rm /tmp/mbox"
    )
    web.exec("sh", "-c", import_it, stdin=post.as_string(unixfrom=True))
    stack.exec("qcluster", "django-admin", "update_index_one_list", address)

    taken_over = stack.rest.get_list(address)
    assert [owner.email for owner in taken_over.owners] == [OWNER]
    assert stack.exec("core", "mailman", "members", "-d", "mime", address) == "bart@a.example\n"
    assert stack.exec("core", "mailman", "members", "-r", address) == "Anne <anne@a.example>\n"
    digest = hashlib.sha1(post["Message-ID"].strip("<>").encode(), usedforsecurity=False).digest()
    link = f"https://{DOMAIN}/hyperkitty/list/{address}/message/{b32encode(digest).decode()}/"
    assert "Long ago." in stack.open(link)
    taken_over.delete()


# -- The web interface


def test_the_web_interface_and_its_static_files_are_served(stack: Stack) -> None:
    page = stack.open(f"https://{DOMAIN}/accounts/login/")
    assert 'name="login"' in page
    sheets = re.findall(r'href="(/static/[^"]+\.css)"', page)
    assert sheets
    assert all(stack.open(f"https://{DOMAIN}{sheet}") for sheet in sheets)


def test_the_web_interface_sends_as_the_provider_wants_it(stack: Stack, provider: Provider) -> None:
    page = f"https://{DOMAIN}/accounts/password/reset/"
    form = request(stack, "GET", page)
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form.text)
    cookie = form.headers["Set-Cookie"].partition(";")[0]
    assert token
    fields = urlencode({"csrfmiddlewaretoken": token[1], "email": OWNER})
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Referer": page}
    answer = request(stack, "POST", page, fields, Cookie=cookie, **headers)
    assert answer.status == 302

    mail = provider.wait_outside(OWNER, "Password Reset")
    assert_submitted(mail)
    assert parseaddr(str(mail["From"]))[1] == FORWARDER
    assert mail["Return-Path"] == f"<{FORWARDER}>"
    assert f"https://{DOMAIN}/accounts/password/reset/key/" in text(mail)


class Answer(NamedTuple):
    """What the web interface answers to a request."""

    status: int
    headers: Message
    text: str


def request(stack: Stack, method: str, url: str, body: str = "", **headers: str) -> Answer:
    """What the TLS proxy before the web interface asks it."""
    proxy = {"Host": DOMAIN, "X-Forwarded-Proto": "https"}
    with closing(HTTPConnection(stack.address("web"), 8000, timeout=30)) as connection:
        connection.request(method, url.removeprefix(f"https://{DOMAIN}"), body, proxy | headers)
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read().decode())


# -- The login at the provider


@pytest.fixture
def password(stack: Stack) -> Iterator[Path]:
    """The file with the password for submission, which is right again after the test."""
    path = stack.directory / "secrets" / "smtp_host_password"
    right = path.read_text()
    yield path
    if path.read_text() != right:
        path.write_text(right)
        restart_core(stack)


def restart_core(stack: Stack) -> None:
    stack.compose("restart", "core")
    stack.wait_healthy("core")


def test_a_post_waits_for_the_right_password(
    stack: Stack,
    provider: Provider,
    mailing_list: MailingList,
    address: Callable[[str], str],
    password: Path,
) -> None:
    subscribe(mailing_list, address("anne"))
    right = password.read_text()
    password.write_text("wrong")
    restart_core(stack)
    post = message(address("anne"), mailing_list.fqdn_listname, "Patience")
    provider.post(post, mailing_list.fqdn_listname)
    refused = f"{post['Message-ID']} smtp error: (535"
    wait.until("the provider refuses the login", lambda: refused in stack.logs("core"), seconds=60)
    assert provider.outside(address("anne"), "Patience") == []

    password.write_text(right)
    restart_core(stack)
    provider.wait_outside(address("anne"), "Patience", seconds=120)
