"""Every call of the docker command goes through here."""

import json
import os
import re
from typing import Any

from scripts import host, process
from scripts.console import CommandError

Project = dict[str, Any]
"""The Compose project as `docker compose config --format json` prints it."""


def environment() -> dict[str, str]:
    """The environment of each docker command: BuildKit, and the CA bundle that builds trust."""
    return os.environ | {"DOCKER_BUILDKIT": "1", "BUILD_CA_BUNDLE": str(host.ca_bundle())}


def run(*arguments: str, **variables: str) -> None:
    """Run a docker command that shows its own progress, with extra environment variables."""
    process.run(["docker", *arguments], environment() | variables)


def status(*arguments: str) -> int:
    """Run a docker command that shows its own progress; return its exit code."""
    return process.status(["docker", *arguments], environment())


def output(*arguments: str, seconds: float = 60) -> str:
    """Run a docker command silently and return what it prints."""
    return process.capture(["docker", *arguments], environment(), seconds=seconds).strip()


def lines(*arguments: str) -> list[str]:
    """Run a docker command silently and return the lines it prints."""
    return output(*arguments).splitlines()


def has_image(reference: str) -> bool:
    """Tell whether the engine has an image already."""
    return bool(output("image", "ls", "--quiet", reference))


def engine() -> dict[str, Any]:
    """What `docker info` tells about the engine that answers."""
    info: dict[str, Any] = json.loads(output("info", "--format", "{{json .}}", seconds=20))
    if not info.get("ServerVersion"):
        raise CommandError("no Docker engine answers")
    return info


def socket() -> str | None:
    """Path of the engine's socket; None if the engine runs on another machine."""
    address = output("context", "inspect", "--format", "{{.Endpoints.docker.Host}}")
    scheme, _, path = address.partition("://")
    return path if scheme == "unix" else None


def project() -> Project:
    """Read the Compose project, with the settings of `.env` filled in."""
    try:
        text = output("compose", "config", "--format", "json")
    except CommandError as error:
        raise CommandError(_unknown_mta(str(error)) or str(error)) from None
    # Compose doubles each `$` of what it prints, so that it can be read again as a project.
    config: Project = json.loads(text.replace("$$", "$"))
    return config


def _unknown_mta(reason: str) -> str:
    """What to say when Compose misses the file of an MTA; empty when that is not it."""
    missing = re.search(r"/images/([^/]*)/compose\.yaml: no such file", reason)
    if not missing:
        return ""
    choices = sorted(path.parent.name for path in process.ROOT.glob("images/*/compose.yaml"))
    return f"MTA={missing[1]!r}: there is no such MTA; choose one of {', '.join(choices)}"


def is_off(service: dict[str, Any]) -> bool:
    """Tell whether a service of the project is switched off: it has no replicas."""
    return bool(service.get("deploy", {}).get("replicas") == 0)


def containers() -> list[dict[str, Any]]:
    """The project's containers, stopped ones included, as `docker compose ps` describes them."""
    return [json.loads(line) for line in lines("compose", "ps", "--all", "--format", "json")]


def volumes(project_name: str) -> list[str]:
    """Names of a project's volumes, those of services that are switched off included."""
    label = f"label=com.docker.compose.project={project_name}"
    return lines("volume", "ls", "--quiet", "--filter", label)


def version(text: str) -> tuple[int, int]:
    """Major and minor number of a version such as `v2.26.1-4`."""
    numbers = re.search(r"(\d+)\.(\d+)", text)
    if not numbers:
        raise CommandError(f"not a version: {text!r}")
    return int(numbers[1]), int(numbers[2])
