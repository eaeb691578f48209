"""A world for one MTA: an internal network with DNS, a relayhost, other hosts, and Mailman's core.

``relay`` (tests/images/relay) answers DNS, takes mail for outside.example and is the relayhost that
wants a login. ``core``, ``remote`` and ``slow`` run tests/support/remote.py: core takes LMTP and
hands mail to the MTA, remote is the MX of scripted.example, slow that of patient.example, which
takes its time. The host, on which the tests run, is the network's gateway, and a stranger.
"""

import json
import re
import shutil
import smtplib
import subprocess
import uuid
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from email import message_from_string, policy
from email.message import EmailMessage
from pathlib import Path

from tests.support import ROOT, RUN, mail, wait
from tests.support.container import Container, container, docker
from tests.support.mta import Program

IMAGE = "mailman-stack/relay"
DOMAIN = "lists.example.com"
TROUBLED = ("greylisted", "interrupted", "deferred", "unanswered")
LISTS = ("ant", *TROUBLED, "unknown")
"""Named after what core does with their mail: see SCRIPTS in tests/support/remote.py."""

SUBADDRESSES = (
    "bounces", "confirm", "join", "leave", "owner", "request", "subscribe", "unsubscribe",
)  # fmt: skip

PASSWORDS = {
    "quotes": "\"it's\" `so`, 'said' she",
    "shell": "$HOME ${x} $1 $(id) !! ~",
    "tables": "# 100 %s %% {{/x/ y}} a:b=c, <d>",
    "expansions": "^a ^^b ; :: <; ${run{id}} }{ \\N",
    "backslashes": "\\n \\ \\",
    "not-ascii": "pässwörd  密碼 🔑",
}
"""Of the relayhost's users: ``USER.format(key)``."""

USER = "{}@example.com"

# All the tables of core's for its lists: Postfix's, Sendmail's (*.db) and Exim's.
MAKE_MAPS = f"""
for list in {" ".join(LISTS)}; do
    mkdir -p lists/$list.{DOMAIN}
    for address in $list {" ".join(f"$list-{name}" for name in SUBADDRESSES)}; do
        echo "$address@{DOMAIN} lmtp:[core]:8024"
    done
done >postfix_lmtp
echo '{DOMAIN} {DOMAIN}' >postfix_domains
echo '{DOMAIN}: {DOMAIN}' >exim_domains
: >postfix_vmap
for type in lmdb hash; do postmap $type:postfix_lmtp $type:postfix_domains $type:postfix_vmap; done
touch written-for-postfix-lmdb written-for-exim written-for-sendmail-hash
"""

SUBMIT = """
import smtplib, sys
with smtplib.SMTP(sys.argv[1], 10025) as smtp:
    smtp.sendmail(sys.argv[2], sys.argv[3:], sys.stdin.read())
"""


@dataclass(frozen=True)
class Transaction:
    """What remote.py tells of a transaction; an empty reply: it cut the connection."""

    sender: str
    recipients: list[str]
    together: int
    """How many recipients the message had in all."""

    reply: str
    message: str

    @property
    def taken(self) -> bool:
        return self.reply.startswith("250")

    @property
    def content(self) -> EmailMessage:
        return message_from_string(self.message, policy=policy.default)


def transactions(scripted: Container, recipient: str) -> list[Transaction]:
    """Every transaction with a recipient, oldest first."""
    lines = scripted.output().splitlines(keepends=True)
    # The last may be under way.
    facts = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("\n")]
    return [Transaction(**one) for one in facts if recipient in one["recipients"]]


def wait_taken(scripted: Container, recipient: str, seconds: float = 30) -> Transaction:
    """The one transaction that brought a recipient's mail, once it is there."""

    def taken() -> list[Transaction]:
        return [one for one in transactions(scripted, recipient) if one.taken]

    (one,) = wait.until(f"{scripted.name} takes mail to {recipient}", taken, seconds)
    return one


@dataclass(frozen=True)
class World:
    """The network, who is in it, and what an MTA in it needs."""

    network: str
    folder: Path
    """Holds the authority, the resolver's configuration, and what the relay knows."""

    relay: Container
    core: Container
    remote: Container
    slow: Container

    def address(self, host: Container) -> str:
        return host.inspect(f'{{{{(index .NetworkSettings.Networks "{self.network}").IPAddress}}}}')

    def name(self, name: str, host: Container) -> None:
        """Let DNS know a host by a name."""
        (self.folder / "relay" / "names" / name).write_text(f"{self.address(host)} {name}\n")

    @contextmanager
    def core_away(self, instead: Container | None = None) -> Iterator[None]:
        """Core's container is stopped, so its name unknown; or the name leads to another host."""
        (self.folder / "relay" / "names" / "core").unlink()
        if instead:
            self.name("core", instead)
        try:
            yield
        finally:
            self.name("core", self.core)

    @contextmanager
    def mta(
        self,
        program: Program,
        settings: Mapping[str, str] = {},
        password: str = "",
        local: Mapping[str, str] = {},
    ) -> Iterator[Container]:
        """Start an MTA, with core's maps."""
        options = (
            f"--network={self.network}",
            f"--volume={self.network}:/var/lib/mailman/data:ro",
            f"--volume={self.folder}/resolv.conf:/etc/resolv.conf:ro",
        )
        settings = {"MTA": program.name, "SITE_OWNER": "owner@outside.example", **settings}
        secrets = {"smtp_host_password": password}
        with container(
            "mta", settings=settings, secrets=secrets, local=local, options=options
        ) as mta:
            wait_answering(mta)
            yield mta

    @contextmanager
    def stranger(self, mta: Container) -> Iterator[smtplib.SMTP]:
        """A conversation from outside, on port 25."""
        with smtplib.SMTP(self.address(mta), 25, timeout=30) as smtp:
            smtp.ehlo("stranger.example")
            yield smtp

    def send(self, mta: Container, *recipients: str, sender: str | None = None) -> EmailMessage:
        """Hand a message to the MTA as core does."""
        sender = f"ant-bounces@{DOMAIN}" if sender is None else sender
        post = mail.message("anne@outside.example", f"ant@{DOMAIN}", recipients[0])
        self.core.exec(
            "python", "-c", SUBMIT, self.address(mta), sender, *recipients, stdin=post.as_string()
        )
        return post

    def received(self, recipient: str) -> list[EmailMessage]:
        """What the relay has taken for an address of outside.example."""
        find = 'grep -rlx "Delivered-To: $0" /var/mail/inbox/new'
        show = f"for file in $({find}); do cat $file; printf '\\0'; done"
        texts = self.relay.exec("sh", "-c", show, recipient).split("\0")
        return [message_from_string(text, policy=policy.default) for text in texts[:-1]]

    def wait_received(self, recipient: str) -> EmailMessage:
        """The one message to such an address, once it is there."""
        (one,) = wait.until(f"mail to {recipient}", lambda: self.received(recipient))
        return one

    def conversations(self, mta: Container) -> list[dict[str, str]]:
        """The commands that an MTA has given to the relay, and how many succeeded of each."""
        # Addresses are used again, by the next MTA.
        log = docker("logs", "--since", mta.inspect("{{.State.StartedAt}}"), self.relay.name)
        client = re.escape(f"unknown[{self.address(mta)}]")
        lines = re.findall(rf"disconnect from {client} (.*)", log)
        return [dict(word.split("=") for word in line.split()) for line in lines]


def answers(mta: Container) -> bool:
    """Whether its healthcheck says that it does its job."""
    assert mta.inspect("{{.State.Running}}") == "true", mta.output()
    with suppress(AssertionError):
        mta.exec("healthcheck")
        return True
    return False


def wait_answering(mta: Container) -> None:
    wait.until(f"{mta.name} answers", lambda: answers(mta))


def queued(mta: Container, address: str) -> bool:
    """Whether mail of or to an address is in its queue."""
    return address in mta.exec("mailq")


def wait_deferred(program: Program, mta: Container, recipient: str) -> str:
    """What the MTA says in its log of a recipient's mail that waits, at the latest try."""
    return wait.until(
        f"mail to {recipient} waits", lambda: program.deferrals(mta.output(), recipient)
    )[-1]


def wait_gone(mta: Container, address: str) -> None:
    wait.until(f"the queue has nothing about {address}", lambda: not queued(mta, address))


def certify(folder: Path) -> None:
    """Make a certificate for relay.example, and the authority behind it."""
    request = (
        "openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
    )  # fmt: skip
    authority = (
        *("-subj", "/CN=Test", "-addext", "keyUsage=critical,keyCertSign"),
        *("-keyout", f"{folder}/ca.key", "-out", f"{folder}/ca.pem"),
    )
    server = (
        *("-CA", f"{folder}/ca.pem", "-CAkey", f"{folder}/ca.key", "-subj", "/CN=relay.example"),
        *("-addext", "basicConstraints=critical,CA:FALSE"),
        *("-addext", "subjectAltName=DNS:relay.example"),
        *("-keyout", f"{folder}/relay/privkey.pem", "-out", f"{folder}/relay/fullchain.pem"),
    )
    for arguments in (authority, server):
        subprocess.run([*request, *arguments], check=True, capture_output=True)


@contextmanager
def _network(name: str) -> Iterator[None]:
    """A network, and a volume of the same name that holds core's tables."""
    docker("network", "create", "--internal", name)
    try:
        make = ("--entrypoint=sh", "--workdir=/maps", IMAGE, "-ec", MAKE_MAPS)
        docker("run", "--rm", f"--volume={name}:/maps", *make)
        yield
    finally:
        docker("network", "rm", name)
        docker("volume", "rm", "--force", name)


@contextmanager
def _folder(name: str) -> Iterator[Path]:
    folder = RUN / name
    (folder / "relay" / "names").mkdir(parents=True)
    certify(folder)
    words = {USER.format(key): b64encode(word.encode()).decode() for key, word in PASSWORDS.items()}
    lines = (f"{user}:{{PLAIN.b64}}{word}\n" for user, word in words.items())
    (folder / "relay" / "users").write_text("".join(lines))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def _relay(name: str, folder: Path) -> Iterator[Container]:
    relay = Container(f"{name}-relay")
    docker(
        "run", "--detach", f"--name={relay.name}", f"--network={name}", "--hostname=relay",
        f"--volume={folder}/relay:/etc/relay:ro", IMAGE,
    )  # fmt: skip
    try:
        relay.wait_output("daemon started")
        yield relay
    finally:
        docker("rm", "--force", "--volumes", relay.name)


@contextmanager
def _scripted(name: str, arguments: Sequence[str]) -> Iterator[Container]:
    options = (f"--network={name}", f"--volume={ROOT}/tests/support/remote.py:/remote.py:ro")
    with container("core", "python", "/remote.py", *arguments, options=options) as scripted:
        scripted.wait_output("ready")
        yield scripted


@contextmanager
def world() -> Iterator[World]:
    """Make a world."""
    name = f"mailman-stack-test-world-{uuid.uuid4().hex[:8]}"
    with ExitStack() as stack:
        stack.enter_context(_network(name))
        folder = stack.enter_context(_folder(name))
        made = World(
            name,
            folder,
            relay=stack.enter_context(_relay(name, folder)),
            core=stack.enter_context(_scripted(name, ["8024", "--lmtp"])),
            remote=stack.enter_context(_scripted(name, ["25"])),
            slow=stack.enter_context(_scripted(name, ["25", "--greets-after", "5"])),
        )
        (folder / "resolv.conf").write_text(f"nameserver {made.address(made.relay)}\n")
        hosts = {
            "core": made.core,
            "remote.example": made.remote,
            "slow.example": made.slow,
            # It takes no mail.
            "down.example": made.core,
        }
        for host, of in hosts.items():
            made.name(host, of)
        yield made
