"""A running stack, as tests drive it: Compose, addresses of containers, core's REST, SMTP."""

import json
import os
import smtplib
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from functools import cached_property
from pathlib import Path

from mailmanclient import Client
from tests.support.catcher import Catcher

from scripts.env_and_secrets import create_secrets
from tests.support import wait

ROOT = Path(__file__).parents[2]
FILES = ("compose.yaml", "compose.dev.yaml", "tests/compose.yaml")


@dataclass(frozen=True)
class Stack:
    """One Compose project made from this checkout."""

    project: str
    directory: Path
    """Holds `env`, the settings of this stack, and `secrets/`."""

    files: tuple[str, ...] = FILES

    def compose(
        self, *arguments: str, check: bool = True, stdin: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run ``docker compose`` on this project; its output is in any error."""
        command = ["docker", "compose", "--project-directory", str(ROOT), "-p", self.project]
        command += ["--env-file", str(self.directory / "env")]
        for file in self.files:
            command += ["-f", str(ROOT / file)]
        environment = {
            **os.environ,
            "ENV_FILE": str(self.directory / "env"),
            "SECRETS_DIR": str(self.directory / "secrets"),
        }
        result = subprocess.run(
            [*command, *arguments], env=environment,
            capture_output=True, check=False, input=stdin, text=True,
        )  # fmt: skip
        if check and result.returncode:
            raise AssertionError(f"{arguments} failed:\n{result.stdout}\n{result.stderr}")
        return result

    def create_secrets(self) -> None:
        """Make the secrets of this stack, as `make up` does."""
        create_secrets(json.loads(self.compose("config", "--format", "json").stdout))

    def exec(self, service: str, *command: str, check: bool = True) -> str:
        """Run a command in a service's container and return what it prints."""
        return self.compose("exec", "-T", service, *command, check=check).stdout

    def logs(self, service: str) -> str:
        return self.compose("logs", "--no-color", "--no-log-prefix", service).stdout

    def inspect(self, service: str) -> dict[str, object]:
        """What the engine knows of a service's container (docker inspect)."""
        container = self.compose("ps", "--all", "--quiet", service).stdout.strip()
        found = subprocess.run(["docker", "inspect", container], capture_output=True, check=True)
        details: dict[str, object] = json.loads(found.stdout)[0]
        return details

    def address(self, service: str, network: str = "mail") -> str:
        """The IP address of a service; it changes when the container is started anew."""
        container = self.compose("ps", "--quiet", service).stdout.strip()
        template = f'{{{{(index .NetworkSettings.Networks "{self.project}_{network}").IPAddress}}}}'
        found = subprocess.run(
            ["docker", "inspect", "--format", template, container],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        return found.stdout.strip()

    def health(self, service: str) -> str:
        """`healthy`, `unhealthy` or `starting`."""
        state = self.inspect(service)["State"]
        assert isinstance(state, dict)
        return str(state["Health"]["Status"])

    def wait_healthy(self, *services: str, seconds: float = 120) -> None:
        for service in services:
            wait.until(
                f"{service} is healthy", lambda s=service: self.health(s) == "healthy", seconds
            )

    def secret(self, name: str) -> str:
        return (self.directory / "secrets" / name).read_text().rstrip("\n")

    @property
    def rest(self) -> Client:
        """Core's REST interface, by Mailman's own client."""
        url = f"http://{self.address('core')}:8001/3.1"
        return Client(url, "restadmin", self.secret("mailman_rest_password"))

    @property
    def catcher(self) -> Catcher:
        """All mail that left the stack."""
        return Catcher(f"http://{self.address('catcher')}:1080")

    @contextmanager
    def smtp(self) -> Iterator[smtplib.SMTP]:
        """A conversation with the MTA, as a stranger from outside has it."""
        with smtplib.SMTP(self.address("mta"), 25, timeout=30) as smtp:
            smtp.ehlo("outside.example.net")
            yield smtp

    def post(self, message: EmailMessage, *recipients: str, sender: str | None = None) -> None:
        """Hand a message to the MTA from outside."""
        with self.smtp() as smtp:
            smtp.send_message(message, sender, recipients or None)

    @cached_property
    def web_host(self) -> str:
        return "www.example.com"
