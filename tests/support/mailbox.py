"""A mail provider (tests/images/mailbox), and its mailboxes as their owners see them."""

import imaplib
import re
import shutil
import smtplib
import ssl
import subprocess
import uuid
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.support import RUN, wait
from tests.support.container import Container, docker

IMAGE = "mailman-stack/mailbox"
HOST = "mailbox.example"


@dataclass(frozen=True)
class Provider:
    """A running provider, reached as ``host`` from its network."""

    host: str
    network: str
    folder: Path
    """Holds the authority `ca.pem`, and below `mailbox` what the container has at /etc/mailbox."""

    container: Container

    @property
    def authority(self) -> str:
        return (self.folder / "ca.pem").read_text()

    @property
    def address(self) -> str:
        networks = f'(index .NetworkSettings.Networks "{self.network}")'
        return self.container.inspect(f"{{{{{networks}.IPAddress}}}}")

    def add_user(self, name: str, password: str) -> "Mailbox":
        """Make a mailbox."""
        with (self.folder / "mailbox" / "users").open("a") as users:
            print(f"{name}:{{PLAIN.b64}}{b64encode(password.encode()).decode()}", file=users)
        # Dovecot looks for a changed file once a second.
        wait.until(f"{name} can log in", lambda: self._accepts(name, password))
        return Mailbox(self, name, password)

    def _accepts(self, name: str, password: str) -> bool:
        with suppress(AssertionError):
            self.container.exec("doveadm", "auth", "test", name, password)
            return True
        return False

    def show_certificate(self, *options: str) -> None:
        """Make a certificate, signed by the authority, and show it from now on."""
        certify(self.folder, self.host, *options)
        self.container.exec("doveadm", "reload")

    def smtp(self) -> smtplib.SMTP:
        """A connection as any sender has it."""
        return smtplib.SMTP(self.address, 25, timeout=30)


@dataclass(frozen=True)
class Mailbox:
    """A mailbox and its password."""

    provider: Provider
    user: str
    password: str

    @contextmanager
    def imap(self) -> Iterator[imaplib.IMAP4]:
        context = ssl.create_default_context(cadata=self.provider.authority)
        context.check_hostname = False
        imap = imaplib.IMAP4_SSL(self.provider.address, ssl_context=context, timeout=30)
        with imap:
            imap.authenticate("PLAIN", lambda _: f"\0{self.user}\0{self.password}".encode())
            yield imap

    def create(self, folder: str) -> None:
        with self.imap() as imap:
            assert imap.create(folder)[0] == "OK"

    def append(self, content: bytes, folder: str = "INBOX", flags: str = "") -> None:
        """Put a message in, as it is."""
        with self.imap() as imap:
            imap.literal = content  # type: ignore[assignment]  # append() would change line ends
            assert imap._simple_command("APPEND", folder, f"({flags})")[0] == "OK"

    def messages(self, folder: str = "INBOX") -> list[bytes]:
        """What is in a folder; nothing if there is none."""
        with self.imap() as imap:
            if imap.select(folder, readonly=True)[0] != "OK":
                return []
            _, parts = imap.uid("FETCH", "1:*", "(BODY.PEEK[])")
        return [part[1] for part in parts if isinstance(part, tuple)]

    def folders(self) -> set[str]:
        """The names of its folders that it is subscribed to."""
        with self.imap() as imap:
            _, lines = imap.lsub()
        return {re.findall(rb"[^ ]+$", line)[0].decode().strip('"')
                for line in lines if isinstance(line, bytes)}  # fmt: skip

    def move(self, source: str, target: str) -> None:
        """Move all messages from one folder to another, as with a mail program."""
        with self.imap() as imap:
            imap.select(source)
            assert imap._simple_command("MOVE", "1:*", target)[0] == "OK"


def certify(folder: Path, host: str, *options: str) -> None:
    """Make a certificate for a host; ``options`` are those of openssl-req(1)."""
    request = (
        "openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
    )  # fmt: skip
    mailbox = folder / "mailbox"
    authority = (
        *("-subj", "/CN=Test", "-addext", "keyUsage=critical,keyCertSign"),
        *("-keyout", f"{folder}/ca.key", "-out", f"{folder}/ca.pem"),
    )
    server = (
        *("-CA", f"{folder}/ca.pem", "-CAkey", f"{folder}/ca.key", "-subj", f"/CN={host}"),
        *("-addext", "basicConstraints=critical,CA:FALSE"),
        *("-addext", f"subjectAltName=DNS:{host}"),
        *("-keyout", f"{mailbox}/privkey.pem", "-out", f"{mailbox}/fullchain.pem", *options),
    )
    if not (folder / "ca.pem").exists():
        subprocess.run([*request, *authority], check=True, capture_output=True)
    subprocess.run([*request, *server], check=True, capture_output=True)


@contextmanager
def network() -> Iterator[str]:
    """A network that leads nowhere else."""
    name = f"mailman-stack-test-mailbox-{uuid.uuid4().hex[:8]}"
    docker("network", "create", "--internal", name)
    try:
        yield name
    finally:
        docker("network", "rm", name)


@contextmanager
def provider(
    network: str, variables: Mapping[str, str] = {}, sieve: str = "", host: str = HOST
) -> Iterator[Provider]:
    """Start a provider; ``variables`` are those of tests/images/mailbox/usr/local/bin/mailbox."""
    name = f"{network}-{uuid.uuid4().hex[:8]}"
    folder = RUN / name
    (folder / "mailbox").mkdir(parents=True)
    certify(folder, host)
    (folder / "mailbox" / "users").touch()
    if sieve:
        (folder / "mailbox" / "active.sieve").write_text(sieve)
    container = Container(name)
    try:
        docker(
            "run", "--detach", f"--name={name}", f"--network={network}", f"--network-alias={host}",
            f"--volume={folder}/mailbox:/etc/mailbox:ro",
            *(f"--env={key}={value}" for key, value in variables.items()), IMAGE,
        )  # fmt: skip
        container.wait_output("daemon started")
        yield Provider(host, network, folder, container)
    finally:
        docker("rm", "--force", "--volumes", name)
        shutil.rmtree(folder)
