"""The helper for .qmail files, by its contract: qmail-command(8) on one side, LMTP on the other."""

import ast
import io
import os
import re
import shlex
import socket
import subprocess
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import redirect_stderr
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from mailman_stack.render import environment
from scripts import qmail_lmtp
from tests.support import ROOT
from tests.unit.loading import loaded

SCRIPT = ROOT / "scripts" / "qmail_lmtp.py"
OLDEST_PYTHON = (3, 9)

type Variables = Mapping[str, str | bytes | None]
AS_THEY_ARE: Variables = {}

# What qmail-local sets for mail to ant@lists.example.com, a domain that the user mailman controls.
ENVIRONMENT: dict[str, str | bytes] = {
    "USER": "mailman",
    "SENDER": "anne@example.org",
    "RECIPIENT": "mailman-ant@lists.example.com",
    "LOCAL": "mailman-ant",
    "EXT": "ant",
    "EXT2": "",
    "HOST": "lists.example.com",
    "RPLINE": "Return-Path: <anne@example.org>\n",
    "DTLINE": "Delivered-To: mailman-ant@lists.example.com\n",
}
TRACE = b"Return-Path: <anne@example.org>\r\nDelivered-To: mailman-ant@lists.example.com\r\n"
MESSAGE = b"Subject: Hello\n\nHello, all.\n"

HANG_UP = ""
SILENCE = "silence"
REPLIES = {
    "connect": "220 core",
    "LHLO": "250-core\r\n250-SIZE 33554432\r\n250 8BITMIME",
    "MAIL": "250 OK",
    "RCPT": "250 Ok",
    "DATA": "354 End data with <CR><LF>.<CR><LF>",
    ".": "250 Ok",
    "QUIT": "221 Bye",
}


class Core:
    """One conversation with a server of LMTP that answers as a test says."""

    def __init__(self, replies: Mapping[str, str] = {}, address: str = "127.0.0.1") -> None:
        self.replies = {**REPLIES, **replies}
        self.commands: list[str] = []
        self.message = bytearray()
        """As it came, with every dot and line end, but without the last dot."""
        self.listener = socket.create_server((address, 0))
        self.port = str(self.listener.getsockname()[1])
        self.thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listener.close()

    def _serve(self) -> None:
        try:
            connection, _ = self.listener.accept()
        except OSError:
            return
        with connection, connection.makefile("rwb") as stream:
            self._talk(stream)

    def _talk(self, stream: io.BufferedRWPair) -> None:
        going_on = self._answer(stream, "connect")
        while going_on and (line := stream.readline().decode()):
            self.commands.append(line.removesuffix("\r\n"))
            verb = line.split()[0].upper()
            going_on = self._answer(stream, verb)
            if verb == "DATA" and self.replies["DATA"].startswith("354"):
                going_on = self._read(stream) and self._answer(stream, ".")

    def _answer(self, stream: io.BufferedRWPair, verb: str) -> bool:
        reply = self.replies[verb]
        if reply == SILENCE:
            return not stream.read()
        if reply != HANG_UP:
            stream.write(f"{reply}\r\n".encode())
            stream.flush()
        return reply != HANG_UP

    def _read(self, stream: io.BufferedRWPair) -> bool:
        """Whether the message came to its end."""
        for line in stream:
            if line == b".\r\n":
                return True
            self.message += line
        return False


def run(
    *arguments: str, message: Iterable[bytes] = (MESSAGE,), variables: Variables = AS_THEY_ARE
) -> tuple[int, str]:
    """Call it as a process does; return its exit code, and what it says."""
    given = {
        name.encode(): value.encode() if isinstance(value, str) else value
        for name, value in {**ENVIRONMENT, **variables}.items()
        if value is not None
    }
    said = io.StringIO()
    with redirect_stderr(said):
        code = qmail_lmtp.main([*arguments], given, message)
    return code, said.getvalue()


def delivered(
    message: bytes = MESSAGE, parts: str = "1", variables: Variables = AS_THEY_ARE
) -> tuple[list[str], bytes]:
    """Deliver to a core that takes everything; return the commands it got, and the message."""
    with Core() as core:
        assert run(core.port, parts, message=io.BytesIO(message), variables=variables) == (0, "")
    return core.commands, bytes(core.message)


# -- What is delivered


def test_a_message_is_delivered_in_one_transaction() -> None:
    commands, message = delivered()
    assert commands == [
        f"lhlo {socket.gethostname()}",
        "MAIL FROM:<anne@example.org> BODY=8BITMIME",
        "RCPT TO:<ant@lists.example.com>",
        "DATA",
        "quit",
    ]
    assert message == TRACE + b"Subject: Hello\r\n\r\nHello, all.\r\n"


@pytest.mark.parametrize(
    ("stored", "sent"),
    [
        (b"a\nb\n", b"a\r\nb\r\n"),
        (b"a\r\nb\r\n", b"a\r\nb\r\n"),
        (b"a\rb\n", b"a\r\nb\r\n"),
        (b"no end of the last line", b"no end of the last line\r\n"),
        (b"", b""),
        (b"\n\n", b"\r\n\r\n"),
        (b".\n..\n.a\na.\n", b"..\r\n...\r\n..a\r\na.\r\n"),
        (b"\n.\nMAIL FROM:<x>\n", b"\r\n..\r\nMAIL FROM:<x>\r\n"),
        (b"\r.\rQUIT\n", b"\r\n..\r\nQUIT\r\n"),
        (bytes(range(128, 256)) + b"\0\n", bytes(range(128, 256)) + b"\0\r\n"),
        (b"x" * 100_000 + b"\n", b"x" * 100_000 + b"\r\n"),
        (b"." * 2000 + b"\n", b"." * 2001 + b"\r\n"),
    ],
)
def test_the_message_arrives_as_smtp_wants_it(stored: bytes, sent: bytes) -> None:
    assert delivered(stored)[1] == TRACE + sent


def test_a_message_of_30_mb_is_delivered() -> None:
    line = b"A" * 76
    message = delivered((line + b"\n") * 400_000)[1]
    assert message == TRACE + (line + b"\r\n") * 400_000


def test_a_server_without_8bitmime_is_not_asked_for_it() -> None:
    with Core({"LHLO": "250 core"}) as core:
        assert run(core.port, "1") == (0, "")
    assert "MAIL FROM:<anne@example.org>" in core.commands


# -- The envelope


@pytest.mark.parametrize(
    ("sender", "path"),
    [
        ("", ""),
        ("#@[]", ""),
        ("anne+tag=x@example.org", "anne+tag=x@example.org"),
        ("anne@[192.0.2.1]", "anne@[192.0.2.1]"),
        ("anne@[IPv6:2001:db8::1]", "anne@[IPv6:2001:db8::1]"),
        ("root", "root"),
        ("anne lee@example.org", '"anne lee"@example.org'),
        ("a<b>c@example.org", '"a<b>c"@example.org'),
        ('say"\\@example.org', '"say\\"\\\\"@example.org'),
        (".anne.@example.org", '".anne."@example.org'),
        ("a@b@example.org", '"a@b"@example.org'),
    ],
)
def test_the_sender_is_written_as_smtp_does(sender: str, path: str) -> None:
    assert f"MAIL FROM:<{path}> BODY=8BITMIME" in delivered(variables={"SENDER": sender})[0]


@pytest.mark.parametrize(
    ("parts", "local", "ext", "recipient"),
    [
        ("0", "ant", "ant", "ant"),
        ("0", "mailman-ant", "ant", "mailman-ant"),
        ("1", "ant", "ant", "ant"),
        ("1", "mailman-ant", "ant", "ant"),
        ("1", "mailman-ant-owner", "ant-owner", "ant-owner"),
        ("1", "mail-man-ant", "ant", "ant"),
        ("2", "isabell-lists-ant-bounces+anne=example.org", "lists-ant-bounces+anne=example.org",
         "ant-bounces+anne=example.org"),
        ("7", "u-1-2-3-4-5-6-ant-join", "1-2-3-4-5-6-ant-join", "ant-join"),
        ("1", "mailman-ANT", "ANT", "ANT"),
        ("1", "mailman--ant-", "-ant-", "-ant-"),
    ],
)  # fmt: skip
def test_the_parts_are_taken_off_the_recipient(
    parts: str, local: str, ext: str, recipient: str
) -> None:
    commands, _message = delivered(parts=parts, variables={"LOCAL": local, "EXT": ext})
    assert f"RCPT TO:<{recipient}@lists.example.com>" in commands


@pytest.mark.parametrize(
    "name", ["SENDER", "LOCAL", "HOST"],
)  # fmt: skip
@pytest.mark.parametrize(
    "what", [b"\r", b"\n", b"\r\nRCPT TO:<x>", b"\t", b"\x7f", b"\xff", "é".encode()]
)
def test_an_address_that_cannot_be_one_is_refused(name: str, what: bytes) -> None:
    with Core() as core:
        value = b"a" + what if name == "HOST" else b"a" + what + b"@example.org"
        code, reason = run(core.port, "0", variables={name: value})
    assert code == 100
    assert "core can do nothing with the address b'" in reason
    assert core.commands == []


@pytest.mark.parametrize("host", ["", "a b", "a>", "<a", "[a", "a@"])
def test_a_domain_that_cannot_be_one_is_refused(host: str) -> None:
    with Core() as core:
        assert run(core.port, "1", variables={"HOST": host})[0] == 100
    assert core.commands == []


# -- What core answers


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA", "."])
@pytest.mark.parametrize(
    ("reply", "code"),
    [("550 No such list", 100), ("451 Not now", 111), ("421 Closing down", 111), ("999 ?", 111)],
)
def test_a_refusal_is_passed_on_with_its_reason(verb: str, reply: str, code: int) -> None:
    with Core({verb: reply}) as core:
        done, reason = run(core.port, "1")
    subject = "anne@example.org" if verb == "MAIL" else "ant@lists.example.com"
    assert (done, reason) == (code, f"qmail-lmtp: core says of <{subject}>: {reply}\n")


@pytest.mark.parametrize("reply", ["550-No\r\n550 such list", "550 No\x07 such\tlist\xff"])
def test_the_reason_is_one_line(reply: str) -> None:
    with Core({"RCPT": reply}) as core:
        code, reason = run(core.port, "1")
    assert code == 100
    assert re.fullmatch(r"qmail-lmtp: [ -~]+\n", reason)


@pytest.mark.parametrize("verb", ["connect", "LHLO"])
@pytest.mark.parametrize("reply", ["554 No", "500 No", "421 No", "what?"])
def test_a_server_that_is_not_core_bounces_nothing(verb: str, reply: str) -> None:
    with Core({verb: reply}) as core:
        assert run(core.port, "1")[0] == 111


@pytest.mark.parametrize("verb", ["connect", "LHLO", "MAIL", "RCPT", "DATA", "."])
def test_a_dropped_connection_bounces_nothing(verb: str) -> None:
    with Core({verb: HANG_UP}) as core:
        assert run(core.port, "1")[0] == 111


def test_a_connection_dropped_in_the_message_bounces_nothing() -> None:
    with Core({"DATA": "354-Go\r\n354 on", ".": HANG_UP}) as core:
        assert run(core.port, "1", message=[MESSAGE] * 100_000)[0] == 111


@pytest.mark.parametrize("reply", ["421 Closing down", HANG_UP])
def test_what_core_has_taken_is_delivered_whatever_follows(reply: str) -> None:
    with Core({"QUIT": reply}) as core:
        assert run(core.port, "1") == (0, "")


@pytest.mark.parametrize("verb", ["connect", "LHLO", "MAIL", "RCPT", "DATA", "."])
def test_a_silent_server_bounces_nothing(verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qmail_lmtp, "TIMEOUT_SECONDS", 0.1)
    with Core({verb: SILENCE}) as core:
        code, reason = run(core.port, "1")
    assert code == 111
    assert "timed out" in reason


def test_a_message_that_cannot_be_read_to_its_end_is_not_delivered() -> None:
    def broken() -> Iterator[bytes]:
        yield b"Subject: Hello\n"
        raise OSError("input/output error")

    with Core() as core:
        assert run(core.port, "1", message=broken()) == (111, "qmail-lmtp: input/output error\n")
    assert core.commands[-1] == "DATA"
    assert core.message == TRACE + b"Subject: Hello\r\n"


def test_a_core_that_is_away_bounces_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = str(unused.getsockname()[1])
    code, reason = run(port, "1", "127.0.0.1")
    assert code == 111
    assert "Connection refused" in reason


# -- Arguments and environment


def test_core_may_be_on_another_host() -> None:
    with Core(address="127.0.0.2") as core:
        assert run(core.port, "1", "127.0.0.2") == (0, "")
        assert run(core.port, "1", "nowhere.invalid")[0] == 111


@pytest.mark.parametrize(
    "arguments",
    [[], ["8024"], ["8024", "x"], ["8024", "-1"], ["lmtp", "1"], ["8024", "1", "localhost", "x"]],
)
def test_wrong_arguments_bounce_nothing(arguments: list[str]) -> None:
    assert run(*arguments) == (111, "qmail-lmtp: usage: qmail-lmtp PORT PARTS [HOST]\n")


@pytest.mark.parametrize("port", ["0", "99999"])
def test_a_port_that_is_none_bounces_nothing(port: str) -> None:
    assert run(port, "1")[0] == 111


@pytest.mark.parametrize("name", ["SENDER", "EXT", "HOST", "RPLINE", "DTLINE"])
def test_a_variable_that_is_missing_bounces_nothing(name: str) -> None:
    with Core() as core:
        code, reason = run(core.port, "1", variables={name: None})
    assert (code, core.commands) == (111, [])
    assert f"{name} is not set" in reason


@pytest.mark.parametrize(("parts", "ext"), [("1", ""), ("2", "ant"), ("2", "lists-"), ("9", "ant")])
def test_too_few_parts_bounce_nothing(parts: str, ext: str) -> None:
    with Core() as core:
        code, reason = run(core.port, parts, variables={"EXT": ext})
    assert (code, core.commands) == (111, [])
    assert "mailman-ant@lists.example.com has nothing after" in reason


# -- On the host


@pytest.mark.parametrize(("reply", "code"), [("250 Ok", 0), ("550 No", 100), ("451 No", 111)])
def test_it_runs_as_qmail_local_starts_it(tmp_path: Path, reply: str, code: int) -> None:
    message = tmp_path / "message"
    message.write_bytes(b"Subject: \xff\n")
    variables = os.environ | ENVIRONMENT | {"LOCAL": b"\xff"}
    with Core({".": reply}) as core, message.open("rb") as stdin:
        command = ["/bin/sh", "-c", f"{SCRIPT} {core.port} 1"]
        done = subprocess.run(
            command, stdin=stdin, env=variables, cwd=tmp_path, capture_output=True, check=False
        )
    assert done.returncode == code
    assert done.stdout == b""
    assert len(done.stderr.splitlines()) == (code > 0)
    assert core.message == TRACE + b"Subject: \xff\r\n"


def test_it_needs_no_more_than_an_old_python() -> None:
    ast.parse(SCRIPT.read_text(), feature_version=OLDEST_PYTHON)


def test_the_lines_for_qmail_call_it() -> None:
    with Core() as core:
        site = loaded(
            {
                "MTA": "none",
                "HOST_MTA": "qmail",
                "SMTP_HOST": "mail.example.com",
                "COMPOSE_FILE": "compose.yaml:compose.host-mta.yaml",
                "LMTP_PUBLISH": f"127.0.0.1:{core.port}",
                "MAIL_DOMAINS": "lists.example.com, lists.example.net",
                "SITE_OWNER": "owner@example.org",
            }
        )
        template = environment(ROOT / "config" / "host").get_template("qmail.j2")
        networks = [
            "!172.18.0.1",
            "172.18.0.0/16",
            "192.168.0.0/20",
            "10.1.2.128/25",
            "198.51.100.7/32",
        ]
        lines = template.render(settings=site, networks=networks).splitlines()
        (command,) = (shlex.split(line[1:]) for line in lines if line.startswith("|"))
        assert command[0] == "/usr/local/bin/qmail-lmtp"
        assert run(*command[1:]) == (0, "")
    expected = {
        "lists.example.com",
        "lists.example.net",
        "lists.example.com:mailman",
        "lists.example.net:mailman",
        "&owner@example.org",
        '172.18.:allow,RELAYCLIENT=""',
        '192.168.0-15.:allow,RELAYCLIENT=""',
        '10.1.2.128-255:allow,RELAYCLIENT=""',
        '198.51.100.7:allow,RELAYCLIENT=""',
    }
    assert {line for line in lines if line and line[0] not in "#|"} == expected
