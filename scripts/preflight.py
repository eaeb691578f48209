"""What would make a start fail half-way, found before anything is built or started."""

import errno
import os
import shutil
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from scripts import docker_cli, host
from scripts.console import CommandError, announce
from scripts.docker_cli import Project
from scripts.env_and_secrets import is_generated

GIB = 1024**3
DISK_TO_BUILD = 4 * GIB
DISK_TO_RUN = 1 * GIB
MEMORY = GIB * 3 // 2
SECONDS_FOR_A_PROXY = 5


class Port(NamedTuple):
    """A port of this machine that a service publishes; no address stands for all of them."""

    service: str
    address: str
    number: int
    protocol: str


def check(project: Project) -> None:
    """Raise a CommandError with one line for each thing that is in the way."""
    announce("Preflight: ports, disk, memory, proxies, CA bundles, secrets")
    own = docker_cli.containers()
    problems = [
        *network_problems(),
        *disk_problems(project),
        *port_problems(project, own),
        *secret_problems(project),
    ]
    if not any(container["State"] == "running" for container in own):
        problems += memory_problems()
    refuse(problems)


def refuse(problems: Iterable[str]) -> None:
    """Raise a CommandError if there are any problems."""
    if text := "\n".join(problems):
        raise CommandError(text)


def network_problems() -> Iterator[str]:
    """Proxies that do not answer and CA bundles that are not there."""
    for name, url in host.proxies().items():
        if reason := _unreachable(url):
            yield f"{name} names a proxy that does not answer: {_without_password(url)}: {reason}"
    for name, path in host.named_ca_bundles().items():
        if not path.is_file():
            yield f"{name} names a CA bundle that is not there: {path}"


def disk_problems(project: Project) -> Iterator[str]:
    """Too little room where the engine keeps images and volumes."""
    root = Path(docker_cli.engine()["DockerRootDir"])
    if docker_cli.socket() is None or not root.parent.exists():
        return
    built = all(docker_cli.has_image(image) for image in images(project))
    needed = DISK_TO_RUN if built else DISK_TO_BUILD
    free = shutil.disk_usage(root).free
    if free < needed:
        yield f"{root} has {_gib(free)} free; {_gib(needed)} are needed"


def memory_problems() -> Iterator[str]:
    """Too little memory for the services."""
    available = host.available_memory()
    if available < MEMORY:
        yield f"{_gib(available)} of memory are available; {_gib(MEMORY)} are needed"


def port_problems(project: Project, containers: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Ports to publish that something other than this project holds."""
    if docker_cli.socket() is None:
        return
    held = {
        publisher["PublishedPort"]
        for container in containers
        for publisher in container.get("Publishers") or ()
    }
    for port in published_ports(project):
        if port.number not in held and (reason := unavailable(port)):
            yield (
                f"port {port.number} of {port.address or 'any address'} for {port.service}: "
                f"{reason}{_holder(port.number)}; set {_setting(port)} in .env"
            )


def secret_problems(project: Project) -> Iterator[str]:
    """Data of an earlier installation whose passwords are gone."""
    generated = filter(is_generated, project["secrets"].values())
    files = [Path(secret["file"]) for secret in generated]
    if not any(path.exists() for path in files) and docker_cli.volumes(project["name"]):
        yield (
            f"the volumes of {project['name']} hold data, but the secrets they were made with are "
            f"not in {files[0].parent}; put those back, or delete the data with `make clean`"
        )


def published_ports(project: Project) -> Iterator[Port]:
    """Every port that the project's services publish at a fixed number."""
    running = {name: one for name, one in project["services"].items() if not docker_cli.is_off(one)}
    for name, service in running.items():
        for port in service.get("ports", ()):
            first, _, last = port.get("published", "0").partition("-")
            numbers = range(int(first), int(last or first) + 1)
            for number in filter(None, numbers):
                yield Port(name, port.get("host_ip", ""), number, port["protocol"])


def images(project: Project) -> list[str]:
    """Every image that a service runs."""
    running = [one for one in project["services"].values() if not docker_cli.is_off(one)]
    return sorted({one["image"] for one in running if "image" in one})


def unavailable(port: Port) -> str | None:
    """Why a port cannot be bound; None if it can."""
    family = socket.AF_INET6 if ":" in port.address else socket.AF_INET
    kind = socket.SOCK_DGRAM if port.protocol == "udp" else socket.SOCK_STREAM
    with socket.socket(family, kind) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((port.address, port.number))
        except PermissionError:
            # A low port, and not root: only a connection can tell.
            in_use = probe.connect_ex((port.address, port.number)) == 0
            return os.strerror(errno.EADDRINUSE) if in_use else None
        except OSError as error:
            return error.strerror
    return None


def _setting(port: Port) -> str:
    """What core publishes is its LMTP."""
    return f"{'LMTP' if port.service == 'core' else port.service.upper()}_PUBLISH"


def _holder(number: int) -> str:
    names = docker_cli.lines("ps", "--filter", f"publish={number}", "--format", "{{.Names}}")
    return f" by container {names[0]}" if names else ""


def _unreachable(url: str) -> str | None:
    """Why nothing can connect to a proxy; None if it answers."""
    parts = urlsplit(url if "://" in url else f"http://{url}")
    try:
        address = (parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
        with socket.create_connection(address, SECONDS_FOR_A_PROXY):
            return None
    except (OSError, ValueError) as error:
        return getattr(error, "strerror", None) or str(error)


def _without_password(url: str) -> str:
    return url.rpartition("@")[2]


def _gib(size: int) -> str:
    return f"{size / GIB:.1f} GiB"
