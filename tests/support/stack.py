"""A running stack, as tests drive it: Compose, addresses of containers, core's REST, SMTP."""

import json
import os
import smtplib
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mailmanclient import Client

from scripts.env_and_secrets import create_secrets
from tests.support import ROOT, wait
from tests.support.catcher import Catcher
from tests.support.mta import PROGRAMS, Program

FILES = ("compose.yaml", "compose.dev.yaml", "tests/compose.yaml")


@dataclass(frozen=True)
class Stack:
    """One Compose project made from this checkout."""

    project: str
    directory: Path
    """Holds `env`, the settings of this stack, and `secrets/`."""

    files: tuple[str, ...] = FILES

    @property
    def compose_command(self) -> list[str]:
        """``docker compose`` for this project; it needs `environment`."""
        command = ["docker", "compose", "--project-directory", str(ROOT), "-p", self.project]
        command += ["--env-file", str(self.directory / "env")]
        return [*command, *(f"--file={ROOT / file}" for file in self.files)]

    @property
    def environment(self) -> dict[str, str]:
        """Where Compose finds the settings and the secrets of this stack."""
        files = {"ENV_FILE": self.directory / "env", "SECRETS_DIR": self.directory / "secrets"}
        # To Compose a variable would count for more than the file.
        own = {name: value for name, value in os.environ.items() if name != "MTA"}
        return own | {name: str(path) for name, path in files.items()}

    def compose(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run ``docker compose`` on this project; its output is in any error."""
        result = subprocess.run(
            [*self.compose_command, *arguments], env=self.environment,
            capture_output=True, check=False, text=True,
        )  # fmt: skip
        if check and result.returncode:
            raise AssertionError(f"{arguments} failed:\n{result.stdout}\n{result.stderr}")
        return result

    def create_secrets(self) -> None:
        """Make the secrets of this stack, as `make up` does."""
        create_secrets(json.loads(self.compose("config", "--format", "json").stdout))

    def container(self, service: str) -> str:
        """The name of a service's container, as Compose makes it."""
        return f"{self.project}-{service}-1"

    def exec(self, service: str, *command: str) -> str:
        """Run a command in a service's container and return what it prints."""
        result = self.try_exec(service, *command)
        assert result.returncode == 0, (command, result.stdout, result.stderr)
        return result.stdout

    def try_exec(self, service: str, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in a service's container that may fail."""
        command = ("docker", "exec", self.container(service), *command)
        return subprocess.run(command, capture_output=True, check=False, text=True)

    def logs(self, service: str) -> str:
        """All that a service's container has said, by the engine: many tests ask often."""
        command = ["docker", "logs", self.container(service)]
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True, text=True
        )
        return done.stdout

    def inspect(self, service: str) -> Any:
        """What the engine knows of a service's container (docker inspect)."""
        command = ["docker", "inspect", self.container(service)]
        return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)[0]

    def address(self, service: str, network: str = "mail") -> str:
        """The IP address of a service; it may change when the container is started anew."""
        networks = self.inspect(service)["NetworkSettings"]["Networks"]
        return str(networks[f"{self.project}_{network}"]["IPAddress"])

    def health(self, service: str) -> str:
        """`healthy`, `unhealthy` or `starting`."""
        return str(self.inspect(service)["State"]["Health"]["Status"])

    def wait_healthy(self, *services: str, seconds: float = 120) -> None:
        for service in services:
            self._wait_healthy(service, seconds)

    def _wait_healthy(self, service: str, seconds: float) -> None:
        wait.until(f"{service} is healthy", lambda: self.health(service) == "healthy", seconds)

    @property
    def mta(self) -> Program:
        """What stands behind the service mta."""
        return PROGRAMS[self.inspect("mta")["Config"]["Image"].removeprefix("mailman-stack/")]

    def wait_deferred(self, recipient: str) -> None:
        """Wait until the MTA has tried in vain to deliver a recipient's mail, and keeps it."""
        wait.until(
            f"mail to {recipient} waits",
            lambda: self.mta.deferrals(self.logs("mta"), recipient),
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

    def post_raw(self, content: bytes | str, *recipients: str, sender: str) -> None:
        """Hand over what Python would write otherwise; of a text the lines end as in SMTP."""
        with self.smtp() as smtp:
            smtp.sendmail(sender, recipients, content)

    def open(self, url: str) -> str:
        """The page behind a public link of the web interface; empty where there is none (404)."""
        parts = urlsplit(url)
        connection = HTTPConnection(self.address("web"), 8000, timeout=30)
        connection.request("GET", parts.path, headers={"Host": parts.netloc})
        response = connection.getresponse()
        page = response.read().decode()
        connection.close()
        assert response.status in (200, 404), (response.status, page)
        return page if response.status == 200 else ""
