"""Mail from a mailbox, as far as it needs no mail server: names, recipients, journal, reports."""

import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailman_stack.failing import SettingsError
from mailman_stack.fetchmail import gateway, session
from mailman_stack.fetchmail.account import Account, accounts, folder, quoted
from mailman_stack.fetchmail.quarantine import Journal, Quarantine, Refusal, unmarked
from mailman_stack.fetchmail.report import message
from mailman_stack.settings import Mailbox
from tests.unit.loading import loaded

SITE = {"MAIL_DOMAINS": "lists.example.com", "MAILMAN_ADMIN_EMAIL": "admin@example.org"}
TLS = ssl.create_default_context()


def account(options: str = "", scheme: str = "imaps") -> Account:
    mailbox = Mailbox.from_url(f"{scheme}://me@mail.example{options}")
    return Account(1, mailbox, "secret", "Quarantine")


# -- Names


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_every_other_byte_of_a_string_is_escaped(text: str) -> None:
    inside = quoted(text)[1:-1]
    assert re.fullmatch(r"([A-Za-z0-9./@_-]|\\x[0-9a-f]{2})*", inside)
    read = re.sub(r"\\x(..)", lambda match: chr(int(match[1], 16)), inside)
    assert read.encode("latin-1").decode() == text


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("INBOX", "INBOX"),
        ("R&D", "R&-D"),
        ("Müll", "M&APw-ll"),
        ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),  # RFC 3501 section 5.1.3
        ("🔑", "&2D3dEQ-"),
        ('a "b" \\c', 'a \\"b\\" \\\\c'),
    ],
)
def test_folders_are_in_modified_utf_7(name: str, written: str) -> None:
    assert folder(name) == written


def test_each_mailbox_has_its_password() -> None:
    mailboxes = "imaps://a@mail.example pop3://b@mail.example"
    given = {"FETCHMAIL_MAILBOXES": mailboxes, "COMPOSE_PROFILES": "fetchmail"}
    settings = loaded({**SITE, **given}, {"fetchmail_passwords": "one\ntwo"}, "fetchmail")
    assert [(one.mailbox.user, one.password, one.label) for one in accounts(settings)] == [
        ("a", "one", "mailbox1"),
        ("b", "two", "mailbox2"),
    ]


def test_there_must_be_a_mailbox() -> None:
    with pytest.raises(SettingsError, match="FETCHMAIL_MAILBOXES: is required"):
        accounts(loaded(SITE))


def test_quarantine_is_not_fetched() -> None:
    given = {
        "FETCHMAIL_MAILBOXES": "imaps://a@mail.example/Bad",
        "FETCHMAIL_QUARANTINE": "Bad",
        "COMPOSE_PROFILES": "fetchmail",
    }
    with pytest.raises(SettingsError, match="FETCHMAIL_QUARANTINE: must not be"):
        accounts(loaded({**SITE, **given}))


# -- Recipients


@pytest.mark.parametrize(
    ("options", "lines", "found"),
    [
        ("", "Delivered-To: ant@x.example", ["ant@x.example"]),
        ("", "delivered-to:<Ant@x.example>", ["Ant@x.example"]),
        ("", "A: b\r\nDelivered-To: ant@x.example\r\nDelivered-To: b@x", ["ant@x.example"]),
        ("", "Delivered-To:\r\n ant@x.example,\r\n\tb@x.example", ["ant@x.example", "b@x.example"]),
        ("", "Delivered-To: ant-bounces+me=home.example@x.example",
         ["ant-bounces+me=home.example@x.example"]),
        ("?qvirtual=me-", "Delivered-To: me-ant@x.example", ["ant@x.example"]),
        ("?qvirtual=me-", "Delivered-To: Me-me-@x.example", ["me-@x.example"]),
        ("?qvirtual=me-", "Delivered-To: ant@x.example", ["ant@x.example"]),
        ("?envelope=Envelope-To", "Delivered-To: a@x.example\r\nEnvelope-to: b@x.example",
         ["b@x.example"]),
        ("", "X-Delivered-To: ant@x.example", []),
        ("", "Delivered-To: nobody", []),
        ("", "To: ant@x.example\r\n\r\nDelivered-To: ant@x.example", []),
    ],
)  # fmt: skip
def test_recipients(options: str, lines: str, found: list[str]) -> None:
    content = f"{lines}\r\n\r\nHello.\r\n".encode()
    assert gateway.recipients(content, account(options)) == found


# -- What fetchmail sends


class Recorder(gateway.Gateway):
    """Keeps what it is given."""

    def take(self, sender: str, stuffed: bytes) -> gateway.Reply:
        self.taken = [*getattr(self, "taken", []), (sender, stuffed)]
        return gateway.Reply(250, "ok")


@contextmanager
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    with Recorder(account(), Quarantine("postmaster@lists.example.com", TLS, tmp_path)) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def say(server: gateway.Gateway, words: bytes) -> bytes:
    """What is answered until the connection is closed."""
    with socket.create_connection(("127.0.0.1", server.account.port), timeout=30) as connection:
        connection.sendall(words)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(1000), b""))


HEAD = (
    b"LHLO x\r\nMAIL FROM:<a@x.example> BODY=8BITMIME\r\nRCPT TO:<list@mailbox.invalid>\r\nDATA\r\n"
)


def test_a_message_is_taken_as_it_is(tmp_path: Path) -> None:
    with recorder(tmp_path) as server:
        replies = say(server, HEAD + b"A: b\r\n\r\n..x\nbare\r\n.\r\nQUIT\r\n")
    assert server.taken == [("a@x.example", b"A: b\r\n\r\n..x\nbare\r\n.\r\n")]
    assert [line[:3] for line in replies.splitlines()] == [
        b"220", b"250", b"250", b"250", b"354", b"250", b"221",
    ]  # fmt: skip


def test_half_a_message_is_none(tmp_path: Path) -> None:
    with recorder(tmp_path) as server:
        say(server, HEAD + b"A: b\r\n\r\nhalf")
        assert not hasattr(server, "taken")


def test_a_line_that_fetchmail_has_broken_is_mended(tmp_path: Path) -> None:
    parts = [b"x" * gateway.LONGEST, b"." + b"y" * (gateway.LONGEST - 1), b"end"]
    sent = parts[0] + b"\0ld\0;\r\n." + parts[1] + b"\0;\r\n" + parts[2] + b"\r\n.\r\n"
    with recorder(tmp_path) as server:
        say(server, HEAD + sent)
    assert server.taken == [("a@x.example", b"".join(parts) + b"\r\n.\r\n")]


def test_core_out_of_reach_is_a_deferral(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "CORE", ("127.0.0.1", 1))
    assert gateway.hand_over("a@x.example", "b@x.example", b".\r\n").code == 451


# -- Sessions


class Paused(Exception):  # noqa: N818 - no error
    """The session is followed by a pause."""


@pytest.mark.parametrize(
    ("commands", "deferral"),
    [(["IDLE", "IDLE", "NOOP"], ""), (["NOOP"], ""), (["IDLE"], "451 not now")],
    ids=["after-silence-there-is-none", "without-idle", "where-mail-waits"],
)
def test_pauses_between_sessions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, commands: list[str], deferral: str
) -> None:
    def run(fetchmail: session.Fetchmail) -> tuple[str, bool]:
        """Have a program in fetchmail's place say the next command, and wait."""
        server.deferral = deferral
        said = f"fetchmail: IMAP> A0001 {left.pop(0)}"
        fetchmail.command = ["sh", "-c", f"echo '{said}'; exec sleep 60"]
        return run_really(fetchmail)

    def pause(seconds: float) -> None:
        assert seconds == 3600
        raise Paused

    left = [*commands]
    run_really = session.Fetchmail.run
    monkeypatch.setattr(session.Fetchmail, "run", run)
    monkeypatch.setattr(session, "LONGEST_IDLE", 0.1)
    monkeypatch.setattr(session, "RUN", tmp_path)
    monkeypatch.setattr(session, "STATES", tmp_path / "state")
    monkeypatch.setattr("time.sleep", pause)
    session.STATES.mkdir()
    with recorder(tmp_path) as server, socket.create_server(("127.0.0.1", 0)) as core:
        monkeypatch.setattr(session, "CORE", core.getsockname())
        with pytest.raises(Paused):
            session.fetch(server.account, server, 3600)
    assert left == []


# -- Quarantine and reports


def test_the_journal_tells_each_entry_once(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    journal.add("1", "first")
    journal.add("2", "second")
    assert journal.unreported() == {"1": "first", "2": "second"}
    journal.report(["1"])
    journal.add("1", "again")
    assert Journal(tmp_path / "journal.sqlite").unreported() == {"2": "second"}


def test_a_message_is_kept_once_in_the_maildir(tmp_path: Path) -> None:
    quarantine = Quarantine("postmaster@lists.example.com", TLS, tmp_path)
    refusal = Refusal(account(scheme="pop3s"), "a@x", "ant@y", "Grüße", "550 no\u00e4")
    for _ in range(2):
        quarantine.keep(refusal, b"Subject: x\r\n\r\nHello.\r\n")
    (file,) = (tmp_path / "quarantine" / "new").iterdir()
    assert file.read_bytes() == (
        b"Return-Path: <a@x>\r\nX-Quarantine-Id: %s\r\nX-Quarantine-Recipient: ant@y\r\n"
        b"X-Quarantine-Reason: 550 no\xe4\r\nSubject: x\r\n\r\nHello.\r\n" % file.name.encode()
    )
    assert len(quarantine.journal.unreported()) == 1


def test_marks_of_quarantine_are_taken_off_as_often_as_they_were_put_on() -> None:
    marks = b"X-Quarantine-Id: %s\r\nX-Quarantine-Recipient:%s\r\nX-Quarantine-Reason: 550\r\n"
    original = b"Delivered-To: x\r\nX-Quarantine-Reason: forged\r\n\r\n"
    once, twice = marks % (b"a" * 64, b""), marks % (b"b" * 64, b" ant@x\xe4")
    for put_on in (b"", once, twice + once):
        assert unmarked(put_on + original) == original


def test_what_is_moved_back_and_refused_again_is_kept_again(tmp_path: Path) -> None:
    quarantine = Quarantine("postmaster@lists.example.com", TLS, tmp_path)
    refusal = Refusal(account(scheme="pop3s"), "a@x", "ant@y", "Hello", "550")
    quarantine.keep(refusal, b"A: b\r\n\r\n")
    (first,) = (tmp_path / "quarantine" / "new").iterdir()
    _return_path, _, moved_back = first.read_bytes().partition(b"\r\n")
    quarantine.keep(refusal, moved_back)
    (second,) = set((tmp_path / "quarantine" / "new").iterdir()) - {first}
    assert unmarked(second.read_bytes().partition(b"\r\n")[2]) == b"A: b\r\n\r\n"


def test_a_bounce_of_a_report_is_not_reported(tmp_path: Path) -> None:
    quarantine = Quarantine("postmaster@lists.example.com", TLS, tmp_path)
    to = "postmaster@lists.example.com"
    quarantine.keep(Refusal(account(scheme="pop3s"), "", to, "Failed", "550"), b"A: b\r\n\r\n")
    assert len(list((tmp_path / "quarantine" / "new").iterdir())) == 1
    assert quarantine.journal.unreported() == {}


def test_a_report_shows_a_hundred() -> None:
    entries = {str(number): f"entry {number}\n" for number in range(120)}
    mail = message(loaded({**SITE, "SITE_OWNER": "owner@example.org"}), entries)
    assert mail["To"] == "owner@example.org"
    assert mail["From"] == "Mailman <postmaster@lists.example.com>"
    assert mail["Subject"] == "Mail in quarantine: 120"
    assert "entry 99\n" in mail.get_content()
    assert "entry 100\n" not in mail.get_content()
    assert "20 more" in mail.get_content()
