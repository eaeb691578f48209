"""One container of a service, by itself, under the conditions that compose.yaml gives it."""

import functools
import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mailman_stack.settings import secrets_of
from tests.support import ROOT, RUN, wait

SETTINGS = {"MAIL_DOMAINS": "lists.example.com", "MAILMAN_ADMIN_EMAIL": "admin@example.org"}
"""What every site has to set."""


@functools.cache
def project(*files: str, env_file: str = ".env.example", mta: str = "postfix") -> dict[str, Any]:
    """A project as Compose itself reads it, every variable filled in."""
    command = ["docker", "compose", "--project-directory", str(ROOT), "--env-file", env_file]
    for file in files:
        command += ["--file", file]
    read = subprocess.run(
        [*command, "config", "--format", "json"],
        cwd=ROOT, env=os.environ | {"ENV_FILE": env_file, "MTA": mta, "COMPOSE_PROFILES": "*"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert read.returncode == 0, read.stderr
    # Compose doubles each `$` of what it prints, so that it can be read again as a project.
    described: dict[str, Any] = json.loads(read.stdout.replace("$$", "$"))
    return described


def docker(*arguments: str, stdin: str | None = None) -> str:
    """Run a docker command and return its standard output; all it printed is in any error."""
    done = subprocess.run(
        ["docker", *arguments],
        input=stdin, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
    return done.stdout


@dataclass(frozen=True)
class Container:
    """A container that has been started, and may have ended."""

    name: str

    def exec(self, *command: str, stdin: str | None = None) -> str:
        """Run a command in it and return what it prints to its standard output."""
        return docker("exec", "--interactive", self.name, *command, stdin=stdin)

    def output(self) -> str:
        """Everything it has printed since it was first started."""
        logs = subprocess.run(
            ["docker", "logs", self.name],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True, timeout=60,
        )  # fmt: skip
        return logs.stdout.decode()

    def wait_output(self, text: str, times: int = 1) -> None:
        """Wait until it has printed a text this often."""

        def printed() -> bool:
            assert self.inspect("{{.State.Running}}") == "true", self.output()
            return self.output().count(text) >= times

        wait.until(f"{self.name} prints {text!r}", printed)

    def exit_code(self) -> int:
        """Wait for its end."""
        return int(docker("wait", self.name))

    def stop(self) -> None:
        """As Docker stops it: SIGTERM, and SIGKILL after ten seconds."""
        docker("stop", self.name)

    def restart(self) -> None:
        docker("restart", self.name)

    def inspect(self, template: str) -> str:
        """What the engine knows of it, chosen by a template of `docker inspect`."""
        return docker("inspect", "--format", template, self.name).strip()

    @property
    def address(self) -> str:
        """Its IP address on the engine's default network."""
        return self.inspect("{{.NetworkSettings.Networks.bridge.IPAddress}}")


@contextmanager
def container(
    service: str,
    *command: str,
    settings: Mapping[str, str] = {},
    secrets: Mapping[str, str | bytes] = {},
    local: Mapping[str, str | bytes] = {},
    options: Sequence[str] = ("--network=none",),
) -> Iterator[Container]:
    """Start a service, or the command given instead of it, and remove it in the end.

    ``settings`` are added to SETTINGS, ``secrets`` (by the names of their files) to those that
    `make up` generates; ``local`` are the operator's own files. The image and the conditions of
    the service mta are those of the setting MTA.
    """
    name = f"mailman-stack-test-{service}-{uuid.uuid4().hex[:8]}"
    generated = {key.lower(): key for key, mark in secrets_of(service).items() if mark.generated}
    folders = {"/run/secrets": {**generated, **secrets}, "/etc/mailman-stack/local": local}
    mounts = [
        f"--volume={_folder(RUN / name / target[1:], files)}:{target}:ro"
        for target, files in folders.items()
    ]
    variables = [f"--env={key}={value}" for key, value in {**SETTINGS, **settings}.items()]
    described = project("compose.yaml", mta=settings.get("MTA", "postfix"))["services"][service]
    arguments = [*_conditions(described), *mounts, *variables, *options]
    try:
        docker("run", "--detach", f"--name={name}", *arguments, described["image"], *command)
        yield Container(name)
    finally:
        docker("rm", "--force", "--volumes", name)
        shutil.rmtree(RUN / name)


def _conditions(described: Mapping[str, Any]) -> list[str]:
    """What `docker run` needs to give a container what Compose would give the service."""
    volumes = [volume for volume in described["volumes"] if volume["type"] == "volume"]
    return [
        f"--hostname={described['hostname']}",
        "--read-only",
        f"--memory={described['mem_limit']}",
        *(f"--cap-drop={name}" for name in described["cap_drop"]),
        *(f"--cap-add={name}" for name in described.get("cap_add", ())),
        *(f"--security-opt={option}" for option in described["security_opt"]),
        *(f"--tmpfs={mount}" for mount in described["tmpfs"]),
        # Empty ones of its own; what another service writes is for a test to provide.
        *(f"--volume={volume['target']}" for volume in volumes if not volume.get("read_only")),
    ]


def _folder(path: Path, files: Mapping[str, str | bytes]) -> Path:
    """Make a folder of files that any user may read, as the container's is another."""
    path.mkdir(parents=True)
    for name, content in files.items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        file.chmod(0o444)
    return path
