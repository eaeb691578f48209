"""The provider of the scenario, as the world and its customer see it."""

import re
import smtplib
import subprocess
from base64 import b64encode
from dataclasses import dataclass
from email import message_from_string, policy
from email.message import EmailMessage
from pathlib import Path

from tests.support import wait
from tests.support.stack import Stack

HOST = "stardust.example"
FORWARDER = "forwarder@isabell.example"
CATCHALL = "isabell-catchallbox"


def certify(provider: Path, authorities: Path) -> None:
    """Make the provider's certificate, and the file of the authority behind it (openssl-req(1))."""
    request = (
        "openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
    )  # fmt: skip
    key = provider.with_suffix(".key")
    authority = (
        *("-subj", "/CN=Test", "-addext", "keyUsage=critical,keyCertSign"),
        *("-keyout", str(key), "-out", str(authorities)),
    )
    server = (
        *("-CA", str(authorities), "-CAkey", str(key), "-subj", f"/CN={HOST}"),
        *("-addext", "basicConstraints=critical,CA:FALSE"),
        *("-addext", f"subjectAltName=DNS:{HOST}"),
        *("-keyout", f"{provider}/privkey.pem", "-out", f"{provider}/fullchain.pem"),
    )
    for arguments in (authority, server):
        subprocess.run([*request, *arguments], check=True, capture_output=True)


def login(user: str, password: str) -> str:
    """A line of the provider's file of users."""
    return f"{user}:{{PLAIN.b64}}{b64encode(password.encode()).decode()}\n"


@dataclass(frozen=True)
class Provider:
    """The service ``stardust`` of a stack."""

    stack: Stack

    def post(self, message: EmailMessage, recipient: str) -> None:
        """Hand in a message on port 25, as a stranger's server does."""
        with smtplib.SMTP(self.stack.address("stardust"), 25, timeout=30) as smtp:
            smtp.send_message(message, to_addrs=[recipient])

    def outside(self, recipient: str, subject: str = "") -> list[EmailMessage]:
        """What was submitted for an address of another domain, oldest first."""
        find = 'grep -rlxF "Delivered-To: $0" /var/mail/outside/new | sort'
        show = f"for file in $({find}); do cat $file; printf '\\0'; done"
        texts = self.stack.exec("stardust", "sh", "-c", show, recipient).split("\0")
        mails = [message_from_string(text, policy=policy.default) for text in texts[:-1]]
        return [mail for mail in mails if subject in mail["Subject"]]

    def wait_outside(self, recipient: str, subject: str = "", seconds: float = 60) -> EmailMessage:
        """The newest of them, as soon as there is one."""
        what = f"mail to {recipient} with {subject!r} in the subject"
        return wait.until(what, lambda: self.outside(recipient, subject), seconds)[-1]

    def reached(self, message_id: str) -> list[str]:
        """The addresses of other domains that a message was submitted for, sorted."""
        find = 'grep -rlF "$0" /var/mail/outside/new'
        # The first such header is the latest.
        show = f"for file in $({find}); do grep -m 1 '^Delivered-To:' $file; done"
        lines = self.stack.exec("stardust", "sh", "-c", show, message_id).splitlines()
        return sorted(line.partition(": ")[2] for line in lines)

    def create_folder(self, name: str) -> None:
        """Make a folder of the catch-all mailbox, as soon as its server runs."""
        command = ("doveadm", "mailbox", "create", "-s", "-u", CATCHALL, name)
        wait.until(
            f"the folder {name} is made",
            lambda: self.stack.try_exec("stardust", *command).returncode == 0,
        )

    def folder(self, name: str) -> int:
        """How many messages a folder of the catch-all mailbox holds; 0 if there is none."""
        command = ("doveadm", "-f", "flow", "mailbox", "status", "-u", CATCHALL, "messages", name)
        done = self.stack.try_exec("stardust", *command)
        return int(done.stdout.rpartition("=")[2]) if done.returncode == 0 else 0

    def transactions(self, message_id: str) -> list[tuple[str, int]]:
        """Envelope sender and number of recipients of each transaction that carried a message."""
        log = self.stack.logs("stardust")
        ids = re.findall(rf"cleanup\[\d+\]: (\w+): message-id={re.escape(message_id)}", log)
        envelope = rf"qmgr\[\d+\]: (?:{'|'.join(ids)}): from=<(.*?)>, size=\d+, nrcpt=(\d+) "
        return [(sender, int(number)) for sender, number in re.findall(envelope, log)]
