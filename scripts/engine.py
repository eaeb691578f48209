"""A Docker engine that answers, with Compose and buildx: found, started or installed."""

import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from scripts import apt, compose_plugin, docker_cli, host, process
from scripts.console import CommandError, announce

MINIMUM_ENGINE = (20, 10)
MINIMUM_COMPOSE = (2, 24)
DOCKERD_LOG = Path("/var/log/dockerd.log")
SECONDS_TO_START = 60
TRIES_TO_START = 3


def ensure() -> None:
    """Leave with an engine and plugins that work, or raise a CommandError that says what to do."""
    announce("Engine: looking for Docker")
    if not answers():
        _refuse_what_cannot_be_mended()
        if not is_installed():
            release = host.release()
            packages = [*engine_packages(release), *plugin_packages(release)]
            apt.install(packages, _commands_after_packages())
        if not answers():
            _start()
    _ensure_plugins()
    _check_versions()


def answers() -> bool:
    """Tell whether an engine answers this user."""
    try:
        docker_cli.engine()
    except CommandError:
        return False
    return True


def is_installed() -> bool:
    """Tell whether both the engine and its client are on this machine."""
    return bool(shutil.which("docker") and _dockerd())


def engine_packages(release: Mapping[str, str]) -> list[str]:
    """The packages of a release, as os-release(5) describes it, that make an engine."""
    common = ["docker.io", "iptables", "ca-certificates"]
    if release.get("ID") == "ubuntu" or _is_debian_12(release):
        return common
    if release.get("ID") == "debian":
        return [*common, "docker-cli"]
    raise CommandError(
        f"no Docker engine answers, and this can only be mended on Debian 12 or later and Ubuntu; "
        f"install Docker Engine {_dotted(MINIMUM_ENGINE)} or later with Compose "
        f"{_dotted(MINIMUM_COMPOSE)} or later yourself"
    )


def plugin_packages(release: Mapping[str, str]) -> list[str]:
    """The packages of a release that hold Compose 2 and buildx; Debian 12 has none."""
    if _is_debian_12(release):
        return []
    compose = "docker-compose-v2" if release.get("ID") == "ubuntu" else "docker-compose"
    return [compose, "docker-buildx"]


def _refuse_what_cannot_be_mended() -> None:
    if not shutil.which("docker"):
        return
    socket = docker_cli.socket()
    if socket is None:
        raise CommandError(
            "the Docker engine that DOCKER_HOST or the docker context names does not answer"
        )
    if Path(socket).exists() and not os.access(socket, os.R_OK | os.W_OK):
        raise CommandError(
            f"this user may not use the Docker engine; run `usermod -aG docker {_user()}` as root, "
            "log in again, and start again"
        )


def _commands_after_packages() -> list[str]:
    commands = [_start_by_hand()]
    if os.geteuid() != 0:
        commands.append(f"usermod -aG docker {_user()}   # then log in again")
    if _is_debian_12(host.release()):
        commands.append(f"python3 -m {compose_plugin.__name__}   # as the user of docker")
    return commands


def _start_by_hand() -> str:
    if host.runs_systemd():
        return "systemctl start docker"
    return f"service docker start || setsid dockerd >>{DOCKERD_LOG} 2>&1 &"


def _start() -> None:
    if os.geteuid() != 0:
        raise CommandError(f"the Docker engine does not run; as root, run:\n  {_start_by_hand()}")
    starter = ["systemctl", "start", "docker"]
    if not host.runs_systemd():
        starter = ["service", "docker", "start"]
    announce(f"Engine: starting it with `{shlex.join(starter)}`")
    if _succeeds(starter) and _wait_until_it_answers():
        return
    if host.runs_systemd():
        raise CommandError("the Docker engine does not start; see `journalctl -u docker`")
    announce(f"Engine: that did not do; starting dockerd itself, log in {DOCKERD_LOG}")
    _start_dockerd()


def _start_dockerd() -> None:
    """Start dockerd; after one that was killed a moment ago its PID file stops the first tries."""
    for _ in range(TRIES_TO_START):
        if _wait_until_it_answers(_dockerd_process()):
            return
        time.sleep(1)
    raise CommandError(f"dockerd does not start; see {DOCKERD_LOG}")


def _dockerd_process() -> subprocess.Popen[bytes]:
    """A dockerd in a session of its own, so that it outlives this terminal."""
    with DOCKERD_LOG.open("ab") as log:
        return subprocess.Popen(
            [_dockerd() or "dockerd"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _wait_until_it_answers(daemon: subprocess.Popen[bytes] | None = None) -> bool:
    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline:
        if answers():
            return True
        if daemon and daemon.poll() is not None:
            return False
        time.sleep(0.5)
    return False


def _ensure_plugins() -> None:
    if all(_answers_to(plugin) for plugin in ("compose", "buildx")):
        return
    release = host.release()
    if not _is_debian_12(release):
        apt.install(plugin_packages(release))
    elif os.environ.get("INSTALL_ENGINE") == "no":
        raise CommandError(
            "docker has no compose and buildx plugins, and INSTALL_ENGINE=no; run this and start "
            f"again:\n  python3 -m {compose_plugin.__name__}"
        )
    else:
        compose_plugin.install()


def _check_versions() -> None:
    engine = docker_cli.engine()["ServerVersion"]
    compose = docker_cli.output("compose", "version", "--short")
    announce(f"Engine: Docker {engine}, Compose {compose}")
    wrong = []
    if docker_cli.version(engine) < MINIMUM_ENGINE:
        wrong.append(f"Docker {engine} is too old: {_dotted(MINIMUM_ENGINE)} is needed")
    if docker_cli.version(compose) < MINIMUM_COMPOSE:
        wrong.append(f"Compose {compose} is too old: {_dotted(MINIMUM_COMPOSE)} is needed")
    if wrong:
        raise CommandError("\n".join(wrong))


def _is_debian_12(release: Mapping[str, str]) -> bool:
    return (release.get("ID"), release.get("VERSION_ID")) == ("debian", "12")


def _answers_to(plugin: str) -> bool:
    return _succeeds(["docker", plugin, "version"])


def _succeeds(argv: list[str]) -> bool:
    try:
        process.capture(argv)
    except CommandError:
        return False
    return True


def _dockerd() -> str | None:
    """Where dockerd is; the PATH of a user may leave /usr/sbin out."""
    return shutil.which("dockerd", path=os.environ.get("PATH", "") + ":/usr/sbin")


def _user() -> str:
    return os.environ.get("USER", "$USER")


def _dotted(numbers: tuple[int, int]) -> str:
    return f"{numbers[0]}.{numbers[1]}"
