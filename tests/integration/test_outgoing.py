"""Mail on its way out: what the Postfix image sends to a real MX or relayhost, by real DNS and TLS.

All of it happens in one internal network. Of the three others in it, ``relay`` is the Internet (see
tests/images/relay), ``core`` hands mail to the MTA as Mailman's core does, and the host, on which
the tests run, is the network's gateway.
"""

import json
import re
import shutil
import subprocess
import sys
import uuid
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email import message_from_string, policy
from email.message import EmailMessage
from pathlib import Path

import pytest

from tests.support import RUN, mail, wait
from tests.support.container import Container, container

IMAGE = "mailman-stack/relay"

PASSWORDS = {
    "quotes": "\"it's\" `so`, 'said' she",
    "shell": "$HOME ${x} $1 $(id) !! ~",
    "postfix": "# 100 %s %% {{/x/ y}} a:b=c, <d>",
    "backslashes": "\\n \\\\ \\",
    "not-ascii": "pässwörd  密碼 🔑",
}
USER = "{}@example.com"

# The operator's lines, to try waiting mail again soon.
SOON = "queue_run_delay = 1s\nminimal_backoff_time = 1s\n"

SEND = """
import smtplib, sys
with smtplib.SMTP(sys.argv[1], 10025) as smtp:
    smtp.sendmail(sys.argv[2], sys.argv[3:], sys.stdin.buffer.read())
"""
ASK = """
import smtplib, sys
with smtplib.SMTP(sys.argv[1], int(sys.argv[2])) as smtp:
    smtp.ehlo("client.example")
    smtp.mail("someone@lists.example.com")
    print(smtp.rcpt("somebody@outside.example")[0])
"""


def docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@dataclass(frozen=True)
class World:
    """The network, who is in it, and what an MTA in it needs."""

    network: str
    folder: Path
    """Holds the authority, the resolver's configuration, and the relay's certificate and users."""

    relay: Container
    core: Container

    @contextmanager
    def mta(
        self,
        settings: Mapping[str, str] = {},
        password: str = "",
        local: Mapping[str, str] = {},
    ) -> Iterator[Container]:
        """Start Postfix, with core's maps."""
        options = (
            f"--network={self.network}",
            f"--volume={self.network}:/var/lib/mailman/data:ro",
            f"--volume={self.folder}/resolv.conf:/etc/resolv.conf:ro",
        )
        secrets = {"smtp_host_password": password}
        with container(
            "mta", settings=settings, secrets=secrets, local=local, options=options
        ) as mta:
            mta.wait_output("starting the Postfix mail system")
            wait.until("SMTP is answered", lambda: healthy(mta))
            yield mta

    def address(self, host: Container) -> str:
        return host.inspect(f'{{{{(index .NetworkSettings.Networks "{self.network}").IPAddress}}}}')

    def send(self, mta: Container, recipient: str, sender: str = "") -> EmailMessage:
        """Hand a message to the MTA as core does."""
        sender = sender or "ant-bounces@lists.example.com"
        post = mail.message("anne@outside.example", "ant@lists.example.com", recipient)
        self.core.exec(
            "python", "-c", SEND, self.address(mta), sender, recipient, stdin=post.as_string()
        )
        return post

    def received(self, recipient: str) -> list[EmailMessage]:
        """What the relay has taken for an address that is its own."""
        find = 'grep -rlx "Delivered-To: $0" /var/mail/inbox/new'
        show = f"for file in $({find}); do cat $file; printf '\\0'; done"
        texts = self.relay.exec("sh", "-c", show, recipient).split("\0")
        return [message_from_string(text, policy=policy.default) for text in texts[:-1]]

    def wait_received(self, recipient: str) -> EmailMessage:
        """The one message to an address, once it is there."""
        (one,) = wait.until(f"mail to {recipient}", lambda: self.received(recipient))
        return one

    def conversations(self, mta: Container) -> list[dict[str, str]]:
        """The commands that an MTA has given to the relay, and how many succeeded of each."""
        # Addresses are used again, by the next MTA.
        log = docker("logs", "--since", mta.inspect("{{.State.StartedAt}}"), self.relay.name)
        client = re.escape(f"unknown[{self.address(mta)}]")
        lines = re.findall(rf"disconnect from {client} (.*)", log)
        return [dict(word.split("=") for word in line.split()) for line in lines]

    def answer(self, recipient: str, reply: str) -> None:
        """Have the relay answer so to a recipient; an empty reply: as to any other."""
        table = "lmdb:/etc/postfix/answers"
        if reply:
            self.relay.exec("postmap", "-i", table, stdin=f"{recipient} {reply}\n")
        else:
            self.relay.exec("postmap", "-d", recipient, table)


def healthy(mta: Container) -> bool:
    with suppress(AssertionError):
        mta.exec("healthcheck")
        return True
    return False


def queued(mta: Container, recipient: str) -> str:
    """Why a recipient's mail waits; empty while it does not."""
    entries = (json.loads(line) for line in mta.exec("postqueue", "-j").splitlines())
    recipients = (one for entry in entries for one in entry["recipients"])
    reasons = [one.get("delay_reason", "") for one in recipients if one["address"] == recipient]
    return "".join(reasons)


def wait_queued(mta: Container, recipient: str) -> str:
    return wait.until(f"mail to {recipient} waits", lambda: queued(mta, recipient))


def certify(folder: Path) -> None:
    """Make a certificate for relay.example, and the authority behind it."""
    request = (
        "openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
    )  # fmt: skip
    authority = ("-subj", "/CN=Test", "-keyout", f"{folder}/ca.key", "-out", f"{folder}/ca.pem")
    server = (
        *("-CA", f"{folder}/ca.pem", "-CAkey", f"{folder}/ca.key", "-subj", "/CN=relay.example"),
        *("-addext", "basicConstraints=critical,CA:FALSE"),
        *("-addext", "subjectAltName=DNS:relay.example"),
        *("-keyout", f"{folder}/relay/privkey.pem", "-out", f"{folder}/relay/fullchain.pem"),
    )
    for arguments in (authority, server):
        subprocess.run([*request, *arguments], check=True, capture_output=True)


@pytest.fixture(scope="module")
def name() -> Iterator[str]:
    """Of a network, and of a volume that holds core's maps for one list."""
    name = f"mailman-stack-test-outgoing-{uuid.uuid4().hex[:8]}"
    make = (
        "cd /maps && echo 'ant@lists.example.com lmtp:[core]:8024' >postfix_lmtp"
        " && echo 'lists.example.com lists.example.com' >postfix_domains && : >postfix_vmap"
        " && for map in lmtp domains vmap; do postmap lmdb:postfix_$map; done"
    )
    docker("network", "create", "--internal", name)
    try:
        docker("run", "--rm", f"--volume={name}:/maps", "--entrypoint=sh", IMAGE, "-ec", make)
        yield name
    finally:
        docker("network", "rm", name)
        docker("volume", "rm", "--force", name)


@pytest.fixture(scope="module")
def folder(name: str) -> Iterator[Path]:
    folder = RUN / name
    (folder / "relay").mkdir(parents=True)
    certify(folder)
    users = {USER.format(key): word.encode() for key, word in PASSWORDS.items()}
    lines = [f"{user}:{{PLAIN.b64}}{b64encode(word).decode()}\n" for user, word in users.items()]
    (folder / "relay" / "users").write_text("".join(lines))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def world(name: str, folder: Path) -> Iterator[World]:
    relay = Container(f"{name}-relay")
    with container("core", "sleep", "infinity", options=(f"--network={name}",)) as core:
        world = World(name, folder, relay, core)
        docker(
            "run", "--detach", f"--name={relay.name}", f"--network={name}", "--hostname=relay",
            f"--volume={folder}/relay:/etc/relay:ro",
            IMAGE, f"--host-record=down.example,{world.address(core)}",
        )  # fmt: skip
        try:
            relay.wait_output("daemon started")
            (folder / "resolv.conf").write_text(f"nameserver {world.address(relay)}\n")
            yield world
        finally:
            docker("rm", "--force", "--volumes", relay.name)


@pytest.fixture(scope="module")
def mta(world: World) -> Iterator[Container]:
    """Without a relayhost."""
    with world.mta(local={"main.cf": SOON}) as mta:
        yield mta


@pytest.fixture
def unique() -> str:
    return uuid.uuid4().hex[:8]


# -- By MX


def test_mail_goes_to_the_mx_by_tls_where_it_is_offered(
    world: World, mta: Container, unique: str
) -> None:
    post = world.send(mta, f"{unique}@outside.example")
    arrived = world.wait_received(f"{unique}@outside.example")
    assert arrived["Message-ID"] == post["Message-ID"]
    assert arrived["Return-Path"] == "<ant-bounces@lists.example.com>"
    assert "using TLSv1.3" in arrived["Received"]


def test_the_second_mx_takes_over(world: World, mta: Container, unique: str) -> None:
    world.send(mta, f"{unique}@second.example")
    world.wait_received(f"{unique}@second.example")
    assert "connect to down.example" in mta.output()


def test_a_domain_that_does_not_exist_bounces(world: World, mta: Container, unique: str) -> None:
    world.send(mta, f"{unique}@nowhere.example", sender=f"{unique}@outside.example")
    assert failure(world, unique)["Status"] == "5.4.4"


def test_mail_waits_for_dns(world: World, mta: Container, unique: str) -> None:
    world.send(mta, f"{unique}@refused.example")
    assert "Host not found, try again" in wait_queued(mta, f"{unique}@refused.example")


# -- What the remote says


def failure(world: World, sender: str) -> EmailMessage:
    """The fields about the recipient in the bounce to a sender (RFC 3464 section 2.3)."""
    bounce = world.wait_received(f"{sender}@outside.example")
    assert bounce["Return-Path"] == "<>"
    assert bounce.get_content_type() == "multipart/report"
    (status,) = (part for part in bounce.walk() if part.get_content_subtype() == "delivery-status")
    fields = status.get_payload(1)
    assert isinstance(fields, EmailMessage)
    return fields


def test_a_temporary_failure_is_tried_again(world: World, mta: Container, unique: str) -> None:
    recipient = f"{unique}@outside.example"
    world.answer(recipient, "450 4.2.0 come back later")
    world.send(mta, recipient)
    assert "450 4.2.0" in wait_queued(mta, recipient)
    world.answer(recipient, "")
    world.wait_received(recipient)
    wait.until("the queue lets go of it", lambda: not queued(mta, recipient))


def test_a_permanent_failure_bounces_to_the_envelope_sender(
    world: World, mta: Container, unique: str
) -> None:
    world.answer(f"no-{unique}@outside.example", "550 5.1.1 nobody here")
    world.send(mta, f"no-{unique}@outside.example", sender=f"{unique}@outside.example")
    fields = failure(world, unique)
    assert fields["Final-Recipient"] == f"rfc822; no-{unique}@outside.example"
    assert fields["Status"] == "5.1.1"


def test_mail_to_a_list_waits_while_core_is_away(world: World, mta: Container, unique: str) -> None:
    """A container that is stopped has no name, and an unknown name is final for other mail."""
    recipient = "ant@lists.example.com"
    world.send(mta, recipient, sender=f"{unique}@outside.example")
    assert "core" in wait_queued(mta, recipient)
    assert not world.received(f"{unique}@outside.example")


# -- By a relayhost

RELAYHOST = {
    "starttls": {"SMTP_HOST": "relay.example", "SMTP_PORT": "587", "SMTP_SECURE_MODE": "starttls"},
    "smtps": {"SMTP_HOST": "relay.example", "SMTP_PORT": "465", "SMTP_SECURE_MODE": "smtps"},
}
KNOWN = "smtp_tls_CAfile = /etc/mailman-stack/local/relay-ca.pem\n"


def known(folder: Path) -> dict[str, str]:
    """What the operator adds to make the authority known."""
    return {"main.cf": KNOWN + SOON, "relay-ca.pem": (folder / "ca.pem").read_text()}


def test_a_relayhost_comes_before_any_mx_and_need_not_have_tls(world: World, unique: str) -> None:
    with world.mta({"SMTP_HOST": "relay.example", "SMTP_PORT": "2587"}) as mta:
        world.send(mta, f"{unique}@second.example")
        arrived = world.wait_received(f"{unique}@second.example")
        assert "connect to down.example" not in mta.output()
    assert "using TLS" not in arrived["Received"]


@pytest.mark.parametrize(
    ("mode", "key"),
    [*(("starttls", key) for key in PASSWORDS), ("smtps", "quotes"), ("smtps", "not-ascii")],
)
def test_the_relayhost_accepts_the_login(world: World, mode: str, key: str, unique: str) -> None:
    user = USER.format(key)
    settings = RELAYHOST[mode] | {"SMTP_HOST_USER": user}
    with world.mta(settings, PASSWORDS[key], known(world.folder)) as mta:
        world.send(mta, f"{unique}@outside.example")
        received = world.wait_received(f"{unique}@outside.example")["Received"]
    assert "using TLSv1.3" in received
    assert f"(Authenticated sender: {user})" in received


def test_a_wrong_password_is_corrected_without_loss(world: World, unique: str) -> None:
    recipient = f"{unique}@outside.example"
    settings = RELAYHOST["starttls"] | {"SMTP_HOST_USER": USER.format("quotes")}
    with world.mta(settings, "wrong", known(world.folder)) as mta:
        world.send(mta, recipient)
        assert "SASL authentication failed" in wait_queued(mta, recipient)
        assert "SASL authentication failed" in mta.output()
        said = wait.until("the conversation's end", lambda: world.conversations(mta))
        assert said[0]["auth"] == "0/1"
        assert "mail" not in said[0]
        secret = RUN / mta.name / "run" / "secrets" / "smtp_host_password"
        secret.unlink()
        secret.write_text(PASSWORDS["quotes"])
        mta.restart()
        world.wait_received(recipient)


@pytest.mark.parametrize(
    ("settings", "local", "reason"),
    [
        (RELAYHOST["starttls"], False, "untrusted issuer"),
        (RELAYHOST["smtps"], False, "untrusted issuer"),
        (RELAYHOST["starttls"] | {"SMTP_HOST": "alias.example"}, True, "hostname mismatch"),
        (RELAYHOST["smtps"] | {"SMTP_HOST": "alias.example"}, True, "hostname mismatch"),
        (
            RELAYHOST["starttls"] | {"SMTP_PORT": "2587"},
            True,
            "TLS is required, but was not offered",
        ),
    ],
    ids=["authority-starttls", "authority-smtps", "name-starttls", "name-smtps", "no-starttls"],
)
def test_nothing_is_told_to_a_relayhost_that_may_be_another(
    world: World, settings: dict[str, str], local: bool, reason: str, unique: str
) -> None:
    settings |= {"SMTP_HOST_USER": USER.format("quotes")}
    with world.mta(settings, PASSWORDS["quotes"], known(world.folder) if local else {}) as mta:
        world.send(mta, f"{unique}@outside.example")
        wait_queued(mta, f"{unique}@outside.example")
        assert reason in mta.output()
        said = wait.until("the conversation's end", lambda: world.conversations(mta))
    assert {command for one in said for command in one} <= {"ehlo", "starttls", "quit", "commands"}
    assert not world.received(f"{unique}@outside.example")


def test_mail_waits_for_a_relayhost_that_does_not_exist(world: World, unique: str) -> None:
    with world.mta({"SMTP_HOST": "nowhere.example"}) as mta:
        world.send(mta, f"{unique}@outside.example")
        wait_queued(mta, f"{unique}@outside.example")


# -- Who may send


@pytest.mark.parametrize(
    ("client", "port", "code"),
    [
        ("core", 10025, 250),
        ("core", 25, 554),
        ("gateway", 10025, 554),
        ("gateway", 25, 554),
        ("mta", 10025, 554),
        ("mta", 25, 554),
    ],
)
def test_who_may_relay(world: World, mta: Container, client: str, port: int, code: int) -> None:
    if client == "gateway":
        command = [sys.executable, "-c", ASK, world.address(mta), str(port)]
        asked = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    elif client == "mta":
        asked = mta.exec("python", "-c", ASK, "127.0.0.1", str(port))
    else:
        asked = world.core.exec("python", "-c", ASK, world.address(mta), str(port))
    assert int(asked) == code
