"""The way to a relayhost, with a scripted one behind real TLS."""

import asyncio
import ssl
import subprocess
from base64 import b64decode, b64encode
from collections.abc import Mapping
from pathlib import Path

import pytest

from mailman_stack.relayhost import Relayhost
from tests.unit.loading import loaded

USER, PASSWORD = "me@example.org", 'pässwörd "$x\\ 🔑'


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key and certificate of localhost in one file."""
    file = tmp_path_factory.mktemp("tls") / "localhost.pem"
    command = "openssl req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256 -subj /CN=x"
    names = ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(file), "-out", f"{file}.2"]
    subprocess.run([*command.split(), *names], check=True, capture_output=True)
    file.write_text(file.read_text() + Path(f"{file}.2").read_text())
    return file


class Scripted:
    """A relayhost that answers by a table, and keeps what it is told."""

    def __init__(self, certificate: Path, replies: Mapping[str, str]) -> None:
        self.replies = replies
        self.told: list[str] = []
        self.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.tls.load_cert_chain(certificate)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220-relay.example\r\n220 ESMTP\r\n")
        while line := (await reader.readline()).decode().strip():
            self.told.append(line)
            writer.write(self.replies[line.split()[0]].encode() + b"\r\n")
            if line == "STARTTLS":
                await writer.drain()
                await writer.start_tls(self.tls)
        writer.close()


def converse(
    tmp_path: Path, certificate: Path, replies: Mapping[str, str], *commands: str, mode: str
) -> tuple[list[str], list[str]]:
    """What an MTA is answered, the greeting first, and what the relayhost has been told."""

    async def run() -> list[str]:
        begin = relayhost.tls if mode == "smtps" else None
        server = await asyncio.start_server(relayhost.serve, "localhost", 0, ssl=begin)
        site = {
            "SMTP_HOST": "localhost",
            "SMTP_PORT": str(server.sockets[0].getsockname()[1]),
            "SMTP_SECURE_MODE": mode,
            "SMTP_HOST_USER": USER,
        }
        settings = loaded(site, {"smtp_host_password": PASSWORD})
        way = asyncio.ensure_future(Relayhost(settings, certificate).listen(tmp_path / "way"))
        while not (tmp_path / "way").exists():
            await asyncio.sleep(0)
        reader, writer = await asyncio.open_unix_connection(tmp_path / "way")
        answers = [(await reader.readline()).decode().strip()]
        for command in commands:
            writer.write(f"{command}\r\n".encode())
            answers.append((await reader.readline()).decode().strip())
        writer.close()
        way.cancel()
        server.close()
        return answers

    relayhost = Scripted(certificate, replies)
    return asyncio.run(run()), relayhost.told


PLAIN = {"EHLO": "250-relay\r\n250-STARTTLS\r\n250 AUTH LOGIN PLAIN", "AUTH": "235 welcome"}


@pytest.mark.parametrize("mode", ["smtps", "starttls"])
def test_what_follows_the_login_is_between_the_two(
    tmp_path: Path, certificate: Path, mode: str
) -> None:
    replies = PLAIN | {"STARTTLS": "220 go", "NOOP": "250 ok", "QUIT": "221 bye"}
    answers, told = converse(tmp_path, certificate, replies, "NOOP", "QUIT", mode=mode)
    assert answers == ["220 relayhost ESMTP", "250 ok", "221 bye"]
    *_, login, noop, leave = told
    assert [noop, leave] == ["NOOP", "QUIT"]
    assert b64decode(login.removeprefix("AUTH PLAIN ")).decode() == f"\0{USER}\0{PASSWORD}"


def test_a_relayhost_may_know_only_the_older_login(tmp_path: Path, certificate: Path) -> None:
    user, password = (b64encode(part.encode()).decode() for part in (USER, PASSWORD))
    replies = {
        "EHLO": "250-auth.example PLAIN\r\n250 auth LOGIN XOAUTH2",
        "AUTH": "334 VXNlcm5hbWU6",
    }
    replies |= {user: "334 UGFzc3dvcmQ6", password: "235 welcome"}
    answers, told = converse(tmp_path, certificate, replies, mode="smtps")
    assert answers == ["220 relayhost ESMTP"]
    assert told[-3:] == ["AUTH LOGIN", user, password]


@pytest.mark.parametrize(
    ("replies", "reason"),
    [
        (PLAIN | {"AUTH": "535 5.7.8 wrong"}, "535 5.7.8 wrong"),
        (PLAIN | {"EHLO": "250 AUTH PLAIN"}, "no STARTTLS"),
        (PLAIN | {"STARTTLS": "454 not now"}, "454 not now"),
        (PLAIN | {"STARTTLS": "220 go\r\n250 AUTH LOGIN"}, "more than a reply to STARTTLS"),
        (PLAIN | {"EHLO": "421 busy"}, "421 busy"),
    ],
)
def test_a_refusal_is_told_as_one_for_now(
    tmp_path: Path, certificate: Path, replies: dict[str, str], reason: str
) -> None:
    replies = {"STARTTLS": "220 go"} | replies
    answers, told = converse(tmp_path, certificate, replies, mode="starttls")
    assert answers == [f"421 4.7.0 localhost: {reason}"]
    assert not any(PASSWORD in line for line in told)
