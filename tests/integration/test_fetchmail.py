"""Mail from a mailbox: the real fetchmail, a real Dovecot with Pigeonhole, and Postfix before it.

Core is played by a script (drivers/lmtp.py), as it has to refuse, to wait and to be away when a
test says so; the same script takes the reports in the MTA's place.
"""

import json
import re
import subprocess
import time
import uuid
from base64 import b64decode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any
from urllib.parse import quote

import hypothesis
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailman_stack.fetchmail import account
from mailman_stack.render import environment
from tests.support import ROOT, mailbox, wait
from tests.support.container import SETTINGS, Container, container, docker
from tests.support.mailbox import HOST, Mailbox, Provider
from tests.unit.loading import loaded

DRIVERS = ROOT / "tests" / "integration" / "drivers"
INTERVAL = 10
"""The shortest that may be set, in seconds."""

PASSWORDS = {
    "quotes": "\"it's\" `so`, 'said' she",
    "shell": "$HOME ${x} $1 $(id) !! ~",
    "fetchmail": "# 100 %s \\n \\\\ \\x41 \\065 \\",
    "not-ascii": "pässwörd  密碼 🔑",
}


@dataclass(frozen=True)
class Taken:
    """What core, or the MTA, was handed and has taken."""

    sender: str
    recipient: str
    content: bytes

    @property
    def message(self) -> EmailMessage:
        return message_from_bytes(self.content, policy=policy.default)


@dataclass(frozen=True)
class Core:
    """The script in core's place."""

    container: Container

    def answer(self, recipient: str, reply: str) -> None:
        """Have it answer so from now on; an empty reply: as to any other."""
        new = 'cat >/tmp/new; mv /tmp/new "/tmp/answers/$0"'
        command = new if reply else 'rm "/tmp/answers/$0"'
        self.container.exec("sh", "-c", command, recipient, stdin=reply)

    def taken(self, recipient: str) -> list[Taken]:
        # It may be about to start again, without a file, and the last line may be under way.
        lines = self.container.exec("sh", "-c", "cat /tmp/mail || true").splitlines(keepends=True)
        mails = (json.loads(line) for line in lines if line.endswith("\n"))
        return [
            Taken(mail["sender"], mail["recipient"], b64decode(mail["content"]))
            for mail in mails
            if mail["recipient"] == recipient
        ]

    def wait(self, recipient: str, seconds: float = 30) -> Taken:
        """The one message to a recipient."""
        (one,) = wait.until(f"mail to {recipient}", lambda: self.taken(recipient), seconds)
        return one


@pytest.fixture(scope="module")
def network() -> Iterator[str]:
    with mailbox.network() as network:
        yield network


def rule() -> str:
    template = environment(ROOT / "config" / "sieve").get_template("mailman.sieve.j2")
    mail_domains = "lists.example.com, lists.example.net"
    return template.render(settings=loaded({**SETTINGS, "MAIL_DOMAINS": mail_domains}))


@pytest.fixture(scope="module")
def provider(network: str) -> Iterator[Provider]:
    """With the qmail's prefix, and the rule that is shipped."""
    variables = {"MAILBOX_PREFIX": "isabell-"}
    with mailbox.provider(network, variables, sieve=rule()) as provider:
        yield provider


@contextmanager
def scripted_core(network: str) -> Iterator[Core]:
    options = [
        f"--network={network}", "--network-alias=core", "--network-alias=mta", "--tmpfs=/tmp",
        f"--volume={DRIVERS}:/drivers:ro", "--entrypoint=python",
    ]  # fmt: skip
    name = f"{network}-core"
    try:
        docker(
            "run",
            "--detach",
            f"--name={name}",
            *options,
            "mailman-stack/fetchmail",
            "/drivers/lmtp.py",
        )
        core = Core(Container(name))
        core.container.wait_output("ready")
        yield core
    finally:
        docker("rm", "--force", "--volumes", name)


@pytest.fixture(scope="module")
def core(network: str) -> Iterator[Core]:
    with scripted_core(network) as core:
        yield core


@pytest.fixture
def box(provider: Provider, unique: str) -> Mailbox:
    """A mailbox of the test's own."""
    return provider.add_user(unique, "secret")


@pytest.fixture
def ant(unique: str) -> str:
    """The address of a list of the test's own."""
    return f"ant{unique}@lists.example.com"


def owner(box: Mailbox) -> str:
    """Whom reports go to that concern a test's mailbox."""
    return f"{box.user.split()[0]}@owner.example"


@contextmanager
def fetching(  # noqa: PLR0913 - each is what one test is about
    box: Mailbox,
    *more: Mailbox,
    scheme: str = "imaps",
    rest: str = "",
    passwords: str = "",
    settings: Mapping[str, str] = {},
    secrets: Mapping[str, str] = {},
) -> Iterator[Container]:
    """fetchmail at work on mailboxes; ``rest`` is what follows the host in their URLs."""
    boxes = (box, *more)
    urls = [f"{scheme}://{quote(one.user)}@{one.provider.host}{rest}" for one in boxes]
    given = {
        "COMPOSE_PROFILES": "fetchmail",
        "FETCHMAIL_MAILBOXES": " ".join(urls),
        "FETCHMAIL_INTERVAL": str(INTERVAL),
        "SITE_OWNER": owner(box),
    }
    words = passwords or "\n".join(one.password for one in boxes)
    with container(
        "fetchmail",
        settings={**given, **settings},
        secrets={"fetchmail_passwords": words, **secrets},
        local={"tls/authorities.pem": box.provider.authority},
        options=(f"--network={box.provider.network}",),
    ) as fetchmail:
        try:
            yield fetchmail
        finally:
            print(fetchmail.output())  # pytest shows it if the test fails


def health(fetchmail: Container) -> str:
    """Empty if it is healthy, else what the healthcheck says."""
    command = 'if said=$(healthcheck); then echo; else echo unhealthy: "$said"; fi'
    return fetchmail.exec("sh", "-c", command).strip()


def wait_healthy(fetchmail: Container) -> None:
    wait.until(f"{fetchmail.name} is healthy", lambda: not health(fetchmail))


def post(recipient: str, text: str = "Hello.") -> bytes:
    """A message as a mail server files it."""
    unique = uuid.uuid4().hex
    return (
        f"Delivered-To: {recipient}\r\nReturn-Path: <anne@outside.example>\r\n"
        f"From: Anne <anne@outside.example>\r\nTo: somebody@elsewhere.example\r\n"
        f"Subject: {text}\r\nMessage-ID: <{unique}@outside.example>\r\n\r\n{text}\r\n"
    ).encode()


def wait_empty(box: Mailbox, folder: str = "INBOX") -> None:
    wait.until(f"{folder} is empty", lambda: not box.messages(folder))


# -- What fetchmail reads


class Reader:
    """The driver of that name, in fetchmail's image."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def read(self, settings: Mapping[str, str], **secrets: str) -> list[dict[str, Any]]:
        """As the driver describes it."""
        assert self.process.stdin
        assert self.process.stdout
        given = {"settings": settings, "secrets": secrets}
        print(json.dumps(given), file=self.process.stdin, flush=True)
        answer: list[dict[str, Any]] = json.loads(self.process.stdout.readline())
        return answer


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    options = ("--network=none", f"--volume={DRIVERS}:/drivers:ro")
    with container("fetchmail", "sleep", "infinity", options=options) as started:
        driver = ["docker", "exec", "--interactive", started.name, "python"]
        with subprocess.Popen(
            [*driver, "/drivers/fetchmail.py"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            yield Reader(process)


def trimmed(text: str) -> bool:
    return text == text.strip()


# What is not ASCII its dump garbles; see test_any_password.
TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1).filter(trimmed)
LOGINS = st.lists(st.tuples(TEXT, TEXT, TEXT), min_size=1, max_size=3)


@hypothesis.settings(max_examples=100, deadline=None)
@given(LOGINS)
@example([("me", "\\x41\\065\\n\\", "a"), ("#", '"', "'"), ("a,b", "poll x", "user y")])
def test_any_value_arrives_unchanged(reader: Reader, logins: list[tuple[str, str, str]]) -> None:
    urls = [
        f"imaps://{quote(user, safe='')}@{HOST}/F{quote(folder, safe='')}"
        for user, _, folder in logins
    ]
    settings = {"COMPOSE_PROFILES": "fetchmail", "FETCHMAIL_MAILBOXES": " ".join(urls)}
    passwords = "\n".join(password for _, password, _ in logins)
    assert reader.read({**SETTINGS, **settings}, fetchmail_passwords=passwords) == [
        {
            "host": HOST,
            "user": user,
            "password": password,
            "folder": [account.folder(f"F{folder}")],
        }
        for user, password, folder in logins
    ]


# -- Ways to fetch


@pytest.mark.parametrize("scheme", ["imaps", "imap", "pop3s", "pop3"])
def test_mail_is_handed_to_core_and_removed(
    core: Core, box: Mailbox, ant: str, scheme: str
) -> None:
    box.append(post(ant))
    with fetching(box, scheme=scheme) as fetchmail:
        taken = core.wait(ant)
        assert taken.sender == "anne@outside.example"
        assert taken.message["Subject"] == "Hello."
        wait_empty(box)
        wait_healthy(fetchmail)


def test_new_mail_is_there_within_seconds(core: Core, box: Mailbox, ant: str) -> None:
    with fetching(box, settings={"FETCHMAIL_INTERVAL": "3600"}) as fetchmail:
        wait_healthy(fetchmail)
        for number in range(1, 4):
            box.append(post(ant))
            wait.until("mail", lambda: len(core.taken(ant)) == number, 5)  # noqa: B023


def test_without_idle_the_mailbox_is_looked_into(network: str, core: Core, ant: str) -> None:
    variables = {"MAILBOX_IDLE": "no"}
    with mailbox.provider(network, variables, host="polled.example") as provider:
        box = provider.add_user("polled", "secret")
        with fetching(box, settings={"FETCHMAIL_INTERVAL": "10"}) as fetchmail:
            wait_healthy(fetchmail)
            box.append(post(ant))
            core.wait(ant, seconds=INTERVAL + 10)
            wait_healthy(fetchmail)


def test_a_folder_with_any_name(core: Core, box: Mailbox, ant: str) -> None:
    with box.imap() as imap:
        imap.create('"a, b \\"&- M&APw-ll"')
        imap.append('"a, b \\"&- M&APw-ll"', "", "", post(ant))
    with fetching(box, rest=f"/{quote('a, b "& Müll')}"):
        core.wait(ant)


@pytest.mark.parametrize("password", PASSWORDS.values(), ids=PASSWORDS.keys())
def test_any_password(provider: Provider, core: Core, ant: str, password: str, unique: str) -> None:
    box = provider.add_user(f"{unique} {unique}@example.org", password)
    box.append(post(ant))
    core.answer(ant, "550 no such list")
    with fetching(box):
        wait.until("fetched and put back, by two programs", lambda: box.messages("Quarantine"))
    core.answer(ant, "")


def test_many_mailboxes_at_once(provider: Provider, core: Core, ant: str, unique: str) -> None:
    boxes = [provider.add_user(f"{unique}-{number}", f"p{number}") for number in range(10)]
    for box in boxes:
        box.append(post(ant))
    with fetching(*boxes) as fetchmail:
        wait.until("mail of each", lambda: len(core.taken(ant)) == len(boxes))
        wait_healthy(fetchmail)


# -- Whom a message is for


@pytest.mark.parametrize(
    ("header", "options"),
    [
        ("Delivered-To: isabell-", "?qvirtual=isabell-"),
        ("X-Original-To: ", "?envelope=X-Original-To"),
        ("Envelope-To: ", "?envelope=envelope-to"),
    ],
)
def test_the_envelope_header(core: Core, box: Mailbox, ant: str, header: str, options: str) -> None:
    box.append(post(ant).replace(b"Delivered-To: ", header.encode()))
    with fetching(box, rest=options):
        core.wait(ant)


def test_a_message_for_two_lists_reaches_both(core: Core, box: Mailbox, ant: str) -> None:
    message = post("LIST")
    for recipient in (ant, f"bee{ant}"):
        box.append(message.replace(b"LIST", recipient.encode(), 1))
    with fetching(box):
        core.wait(ant)
        core.wait(f"bee{ant}")
        wait_empty(box)


def test_only_the_topmost_envelope_header_counts(core: Core, box: Mailbox, ant: str) -> None:
    box.append(f"Delivered-To: {ant}\r\n".encode() + post(f"forged{ant}"))
    with fetching(box):
        core.wait(ant)
        assert core.taken(f"forged{ant}") == []


def test_without_an_envelope_header_nothing_is_guessed(core: Core, box: Mailbox, ant: str) -> None:
    box.append(post("x").replace(b"Delivered-To: x\r\n", b"").replace(
        b"somebody@elsewhere.example", ant.encode()))  # fmt: skip
    with fetching(box):
        (kept,) = wait.until("in quarantine", lambda: box.messages("Quarantine"))
    assert b"X-Quarantine-Reason: no address in a header Delivered-To\r\n" in kept
    assert core.taken(ant) == []


def test_a_bounce_keeps_its_null_sender(core: Core, box: Mailbox, ant: str) -> None:
    box.append(post(ant).replace(b"<anne@outside.example>\r\nFrom", b"<>\r\nFrom"))
    with fetching(box):
        assert core.wait(ant).sender == ""


# -- What a message consists of


@pytest.mark.parametrize(
    "body",
    [
        b".\r\n..\r\n.dots\r\n\r\n.\r\nend\r\n",
        b"\xe4\xf6\xfc \xff\xfe 8 bits\r\n",
        b"bare\nline\nfeeds\n",
        b"without an end",
        b"",
        b"long " * 5000 + b"\r\n",
        b"." * 30_000 + b"\r\n.\r\n",
        b"From here\r\nand X-Header: there\r\n",
        b"0123456789abcde\r\n" * 300_000,
    ],
    ids=["dots", "8-bit", "bare-lf", "no-end", "empty", "long-line", "long-dots", "from", "5-MB"],
)
def test_a_message_arrives_unchanged(core: Core, box: Mailbox, ant: str, body: bytes) -> None:
    message = post(ant, text="\u00e4").partition(b"\r\n\r\n")[0] + b"\r\n\r\n" + body
    box.append(message)
    (seen,) = box.messages()
    with fetching(box):
        taken = core.wait(ant)
    expected = seen.replace(b"Return-Path: <anne@outside.example>\r\n", b"")
    assert taken.content.removesuffix(b"\r\n") == expected.removesuffix(b"\r\n")


def test_long_headers_arrive_unchanged(core: Core, box: Mailbox, ant: str) -> None:
    names = b", ".join(b"someone%d@elsewhere.example" % number for number in range(2000))
    box.append(post(ant).replace(b"\r\n\r\n", b"\r\nCc: %s\r\nX-Last: yes\r\n\r\n" % names))
    with fetching(box):
        assert b"\r\nCc: %s\r\nX-Last: yes\r\n\r\nHello." % names in core.wait(ant).content


def test_a_message_that_was_read_is_fetched(core: Core, box: Mailbox, ant: str) -> None:
    box.append(post(ant), flags="\\Seen")
    with fetching(box):
        core.wait(ant)


def test_only_what_is_too_large_to_handle_stays(core: Core, box: Mailbox, ant: str) -> None:
    core.answer(ant, "552 5.3.4 too big")
    line = b"x" * 76 + b"\r\n"
    for size in (51_000_000, 54_000_000):
        box.append(post(ant) + line * (size // len(line)))
    with fetching(box) as fetchmail:
        core.wait(owner(box), seconds=120)
        fetchmail.wait_output("oversized")
        wait.until("one is gone", lambda: len(box.messages()) == 1)
        assert len(box.messages("Quarantine")) == 1
    core.answer(ant, "")


# -- What core refuses


def test_what_core_refuses_for_good_is_kept_and_reported_once(
    core: Core, box: Mailbox, ant: str
) -> None:
    core.answer(ant, "550 5.1.1 no such list")
    message = post(ant, "Buy now")
    box.append(message)
    with fetching(box) as fetchmail:
        (kept,) = wait.until("in quarantine", lambda: box.messages("Quarantine"))
        wait_empty(box)
        report = core.wait(owner(box))
        wait_healthy(fetchmail)
    assert "Quarantine" in box.folders()
    assert kept.endswith(message.replace(b"Return-Path: <anne@outside.example>\r\n", b""))
    assert kept.startswith(b"Return-Path: <anne@outside.example>\r\nX-Quarantine-Id: ")
    text = report.message.get_content()
    for words in (ant, "anne@outside.example", "Buy now", "550 5.1.1 no such list", "Quarantine"):
        assert words in text
    assert report.message["Auto-Submitted"] == "auto-generated"
    core.answer(ant, "")


def test_what_is_moved_back_is_delivered(core: Core, box: Mailbox, ant: str) -> None:
    core.answer(ant, "550 5.1.1 no such list")
    box.append(post(f"{ant}, bee{ant}"))
    with fetching(box):
        for times in (1, 2):
            wait.until("in quarantine", lambda: box.messages("Quarantine"))
            wait_empty(box)
            if times == 2:
                core.answer(ant, "")
            box.move("Quarantine", "INBOX")
        message = core.wait(ant)
        wait_empty(box)
    assert message.sender == "anne@outside.example"
    # The other has had it: core, which takes no message twice, can see that it is the same.
    first, *again = core.taken(f"bee{ant}")
    assert again == [first, first]
    assert first.content == message.content


def test_pop3_has_no_folders_so_the_volume_keeps_it(core: Core, box: Mailbox, ant: str) -> None:
    core.answer(ant, "550 5.1.1 no such list")
    box.append(post(ant))
    with fetching(box, scheme="pop3s") as fetchmail:
        core.wait(owner(box))
        wait_empty(box)
        kept = fetchmail.exec("sh", "-c", "cat /var/lib/fetchmail/quarantine/new/*")
    assert f"Delivered-To: {ant}" in kept
    core.answer(ant, "")


def test_what_core_refuses_for_now_stays_and_comes_again(
    core: Core, box: Mailbox, ant: str
) -> None:
    core.answer(ant, "451 4.3.0 not now")
    box.append(post(ant))
    with fetching(box) as fetchmail:
        fetchmail.wait_output("451 4.3.0 not now", times=2)
        assert "451 4.3.0 not now" in health(fetchmail)
        assert len(box.messages()) == 1
        # What came after it does not have to wait.
        box.append(post(f"bee{ant}"))
        core.wait(f"bee{ant}")
        core.answer(ant, "")
        core.wait(ant)
        wait_empty(box)
        wait_healthy(fetchmail)
        assert "connection to localhost" not in fetchmail.output()


def test_one_of_two_recipients_has_to_wait(core: Core, box: Mailbox, ant: str) -> None:
    core.answer(ant, "451 4.3.0 not now")
    box.append(post(f"{ant}, bee{ant}"))
    with fetching(box):
        wait.until("the other", lambda: core.taken(f"bee{ant}"))
        assert len(box.messages()) == 1
        core.answer(ant, "")
        core.wait(ant)
        wait_empty(box)
    assert len({mail.content for mail in core.taken(f"bee{ant}")}) == 1


def test_while_core_is_away_nothing_is_fetched(core: Core, box: Mailbox, ant: str) -> None:
    core.container.stop()
    try:
        box.append(post(ant))
        with fetching(box, settings={"FETCHMAIL_INTERVAL": "3600"}) as fetchmail:
            fetchmail.wait_output("waiting for core")
            assert "core: " in health(fetchmail)
            assert len(box.messages()) == 1
            docker("start", core.container.name)
            core.wait(ant)
            wait_healthy(fetchmail)
    finally:
        docker("start", core.container.name)
        core.container.wait_output("ready", times=2)


def test_the_report_takes_the_way_that_is_configured(
    provider: Provider, core: Core, box: Mailbox, ant: str
) -> None:
    core.answer(ant, "550 5.1.1 no such list")
    box.append(post(ant))
    way = {
        "MTA": "none", "SMTP_HOST": HOST, "SMTP_PORT": "587", "SMTP_SECURE_MODE": "starttls",
        "SMTP_HOST_USER": box.user,
    }  # fmt: skip
    with fetching(box, settings=way, secrets={"smtp_host_password": box.password}) as fetchmail:
        fetchmail.wait_output("1 in quarantine")
        submitted = wait.until("the report", lambda: provider.container.exec(
            "sh", "-c", 'cat $(grep -rl "$0" /var/mail/outside/new) </dev/null',
            owner(box)))  # fmt: skip
    assert "Subject: Mail in quarantine: 1" in submitted
    core.answer(ant, "")


# -- What a person has to mend


@pytest.mark.usefixtures("core")
@pytest.mark.parametrize("scheme", ["imaps", "pop3s"])
def test_a_wrong_password_is_said(box: Mailbox, scheme: str) -> None:
    with fetching(box, scheme=scheme, passwords="wrong") as fetchmail:
        fetchmail.wait_output(f"{box.user}@{HOST}/INBOX: wrong user or password; tried again in 20")
        assert "wrong user or password" in health(fetchmail)
        since = time.monotonic()
        fetchmail.wait_output("wrong user or password; tried again in 40 s")
        assert time.monotonic() - since > 15
        attempts = re.findall(r"tried again in", fetchmail.output())
        assert len(attempts) == 2


@pytest.mark.usefixtures("core")
def test_an_expired_certificate_is_said(network: str) -> None:
    with mailbox.provider(network, host="expired.example") as provider:
        box = provider.add_user("expired", "secret")
        dates = ("-not_before", "20200101000000Z", "-not_after", "20210101000000Z")
        provider.show_certificate(*dates)
        with fetching(box) as fetchmail:
            fetchmail.wait_output("certificate: certificate has expired; tried again in 20 s")
            assert "certificate has expired" in health(fetchmail)


@pytest.mark.usefixtures("core")
def test_an_unknown_authority_is_said(box: Mailbox) -> None:
    elsewhere = container(
        "fetchmail",
        settings={
            "COMPOSE_PROFILES": "fetchmail",
            "FETCHMAIL_MAILBOXES": f"imap://{box.user}@{HOST}",
        },
        secrets={"fetchmail_passwords": box.password},
        options=(f"--network={box.provider.network}",),
    )
    with elsewhere as fetchmail:
        fetchmail.wait_output("certificate: unable to get local issuer certificate")
        assert "certificate" in health(fetchmail)


def test_a_missing_folder_is_said(box: Mailbox, core: Core, ant: str) -> None:
    with fetching(box, rest="/Mailman") as fetchmail:
        fetchmail.wait_output("the folder does not exist or cannot be opened; tried again in 20 s")
        assert "/Mailman: the folder does not exist" in health(fetchmail)
        box.create("Mailman")
        box.append(post(ant), folder="Mailman")
        core.wait(ant)
        wait_healthy(fetchmail)


@pytest.mark.usefixtures("core")
def test_a_host_that_does_not_answer_is_said(box: Mailbox) -> None:
    with fetching(box, rest=":1") as fetchmail:
        fetchmail.wait_output(
            f"connection to {HOST}:1 failed: Connection refused; tried again in 10"
        )
        assert "Connection refused" in health(fetchmail)


def test_one_mailbox_in_trouble_does_not_hold_up_another(
    provider: Provider, core: Core, box: Mailbox, ant: str, unique: str
) -> None:
    other = provider.add_user(f"other-{unique}", "secret")
    other.append(post(ant))
    with fetching(box, other, passwords="wrong\nsecret") as fetchmail:
        core.wait(ant)
        said = health(fetchmail)
    assert f"{box.user}@" in said
    assert f"{other.user}@" not in said


def test_without_mailboxes_it_does_not_start() -> None:
    with container("fetchmail", settings={"COMPOSE_PROFILES": "fetchmail"}) as fetchmail:
        assert fetchmail.exit_code() == 78
        assert fetchmail.output() == "fetchmail: FETCHMAIL_MAILBOXES: is required\n"


# -- Crashes: neither lost nor doubled


@contextmanager
def in_flight(core: Core, box: Mailbox, ant: str) -> Iterator[Container]:
    """fetchmail at work on a message that core has taken, and does not say so."""
    core.answer(ant, "hold")
    box.append(post(ant))
    with fetching(box) as fetchmail:
        core.wait(ant)
        yield fetchmail


SIGNAL = """
import os, pathlib, signal, sys
for path in pathlib.Path("/proc").glob("[0-9]*/comm"):
    if path.read_text() == "fetchmail\\n":
        os.kill(int(path.parent.name), signal.Signals[sys.argv[1]])
"""


def signal(fetchmail: Container, name: str) -> None:
    """Send a signal to fetchmail, not to what started it."""
    fetchmail.exec("python", "-c", SIGNAL, name)


def killed(fetchmail: Container) -> None:
    """Cut off the whole container, and start it anew as Docker does."""
    docker("kill", fetchmail.name)
    docker("start", fetchmail.name)


def assert_same_again(core: Core, box: Mailbox, ant: str) -> None:
    """It comes again, and core, which takes no message twice, can see that it is the same."""
    wait.until("it comes again", lambda: len(core.taken(ant)) == 2)
    wait_empty(box)
    first, second = core.taken(ant)
    assert first == second


def test_fetchmail_is_killed_before_core_answers(core: Core, box: Mailbox, ant: str) -> None:
    with in_flight(core, box, ant) as fetchmail:
        signal(fetchmail, "SIGKILL")
        core.answer(ant, "")
        assert_same_again(core, box, ant)


def test_the_container_is_killed_before_core_answers(core: Core, box: Mailbox, ant: str) -> None:
    with in_flight(core, box, ant) as fetchmail:
        killed(fetchmail)
        core.answer(ant, "")
        assert_same_again(core, box, ant)


def test_the_container_is_killed_before_the_message_is_removed(
    core: Core, box: Mailbox, ant: str
) -> None:
    with in_flight(core, box, ant) as fetchmail:
        signal(fetchmail, "SIGSTOP")
        core.answer(ant, "")
        fetchmail.wait_output("delivered")
        assert len(box.messages()) == 1
        killed(fetchmail)
        assert_same_again(core, box, ant)


def test_the_container_is_stopped_in_between(core: Core, box: Mailbox, ant: str) -> None:
    with in_flight(core, box, ant) as fetchmail:
        fetchmail.stop()
        assert fetchmail.exit_code() == 0
        core.answer(ant, "")
        docker("start", fetchmail.name)
        assert_same_again(core, box, ant)


@pytest.mark.parametrize("lost", ["nothing", "journal.sqlite"])
def test_the_container_is_killed_after_a_message_was_put_into_quarantine(
    core: Core, box: Mailbox, ant: str, lost: str
) -> None:
    with in_flight(core, box, ant) as fetchmail:
        signal(fetchmail, "SIGSTOP")
        core.answer(ant, "550 5.1.1 no such list")
        wait.until("in quarantine", lambda: box.messages("Quarantine"))
        fetchmail.wait_output("1 in quarantine")
        assert len(box.messages()) == 1
        fetchmail.exec("rm", "-f", f"/var/lib/fetchmail/{lost}")
        killed(fetchmail)
        wait_empty(box)
        assert len(box.messages("Quarantine")) == 1
        if lost == "nothing":
            assert len(core.taken(owner(box))) == 1
    core.answer(ant, "")


def test_the_report_is_kept_until_it_can_be_sent(box: Mailbox, core: Core, ant: str) -> None:
    core.answer(ant, "550 5.1.1 no such list")
    core.answer(owner(box), "451 4.3.0 not now")
    box.append(post(ant))
    with fetching(box) as fetchmail:
        fetchmail.wait_output("451")
        wait_empty(box)
        core.answer(owner(box), "")
        killed(fetchmail)
        core.wait(owner(box))
    core.answer(ant, "")


# -- The rule for Sieve, and the whole way of a message


def file(provider: Provider, user: str, recipient: str, to: str) -> None:
    """Deliver as the provider does."""
    message = f"From: anne@outside.example\nTo: {to}\nSubject: {recipient}\n\nHello.\n"
    lda = ("/usr/lib/dovecot/dovecot-lda", "-d", user, "-a", recipient)
    provider.container.exec(*lda, stdin=message)


@pytest.mark.parametrize(
    ("recipient", "to", "folder"),
    [
        ("ant@lists.example.com", "someone@elsewhere.example", "Mailman"),
        ("ANT@Lists.Example.NET", "someone@elsewhere.example", "Mailman"),
        ("me@private.example", "Ant <ant@lists.example.net>", "Mailman"),
        ("me@private.example", "me@private.example", "INBOX"),
        ("me@private.example", "x@sub.lists.example.com.example", "INBOX"),
    ],
)
def test_the_rule_files_list_mail(
    provider: Provider, box: Mailbox, recipient: str, to: str, folder: str
) -> None:
    file(provider, box.user, recipient, to)
    assert len(box.messages(folder)) == 1
    other = {"INBOX": "Mailman", "Mailman": "INBOX"}[folder]
    assert box.messages(other) == []


def test_from_smtp_by_qmails_prefix_and_sieve_to_core(
    provider: Provider, core: Core, ant: str
) -> None:
    box = provider.add_user("catchall", "secret")
    with provider.smtp() as smtp:
        smtp.sendmail("anne@outside.example", [ant, f"bee{ant}"], b"Subject: hi\r\n\r\nHello.\r\n")
    wait.until("filed", lambda: len(box.messages("Mailman")) == 2)
    with fetching(box, rest="/Mailman?qvirtual=isabell-"):
        taken = core.wait(ant)
        core.wait(f"bee{ant}")
        wait_empty(box, "Mailman")
    assert taken.sender == "anne@outside.example"
    assert taken.message["Delivered-To"] == f"isabell-{ant}"
