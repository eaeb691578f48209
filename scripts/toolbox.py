"""The image `tests`: Python, the linters, a browser and the docker command, for whom has none.

    python3 -m scripts.toolbox COMMAND [ARGUMENT…]

runs a command in it, in the project's folder and as the calling user.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from scripts import base_images, docker_cli, engine, host, process
from scripts.console import CommandError, announce, command

IMAGE = "mailman-stack/tests"
COMPOSE_FILES = ("compose.yaml", "compose.dev.yaml")
MTAS = ("postfix", "exim", "sendmail")
TEST_IMAGES = ("relay", "mailbox", *(f"host-{mta}" for mta in MTAS))
UPSTREAM_IMAGES = ("core-upstream", "web-upstream")
BUILD_ARGUMENTS = ("http_proxy", "https_proxy", "no_proxy")


def ensure() -> None:
    """Have an engine and the image."""
    engine.ensure()
    base_images.ensure([base_images.DEBIAN])
    build("tests")


def ensure_stack() -> None:
    """Have every image of the project, for tests that start it."""
    base_images.ensure([base_images.MYSQL])
    announce("Build: the project's images")
    # The operator's own settings have no part in the tests, and need not be there.
    example = ".env.example"
    files = [f"--file={name}" for name in COMPOSE_FILES]
    compose = ["compose", f"--env-file={example}", *files, "--profile=*"]
    first, *others = MTAS
    docker_cli.run(*compose, "build", ENV_FILE=example, MTA=first)
    for mta in others:
        docker_cli.run(*compose, "build", "mta", ENV_FILE=example, MTA=mta)
    for image in TEST_IMAGES:
        build(image)


def ensure_upstream() -> None:
    """Have the images of core and web with upstream's own tests in them."""
    base_images.ensure([base_images.MYSQL])
    for image in UPSTREAM_IMAGES:
        build(image)


def build(target: str) -> None:
    """Build an image that only tests use."""
    tag = f"mailman-stack/{target}"
    announce(f"Build: {tag}")
    docker_cli.run(
        "build",
        "--file=images/Dockerfile",
        f"--target={target}",
        f"--tag={tag}",
        f"--secret=id=ca,src={host.ca_bundle()}",
        *(f"--build-arg={name}" for name in BUILD_ARGUMENTS),
        ".",
    )


def run(argv: Sequence[str], **variables: str) -> int:
    """Run a command in the image, with extra environment variables, and return its exit code."""
    socket = docker_cli.socket()
    if socket is None:
        raise CommandError(
            "the tests need an engine on this machine: they mount the project's folder"
        )
    folder = str(process.ROOT)
    interactive = sys.stdin.isatty() and sys.stdout.isatty()
    return docker_cli.status(
        "run",
        "--rm",
        *(["--interactive", "--tty"] if interactive else []),
        "--network=host",
        f"--volume={socket}:/var/run/docker.sock",
        f"--volume={folder}:{folder}",
        f"--workdir={folder}",
        f"--user={os.getuid()}:{os.getgid()}",
        f"--group-add={Path(socket).stat().st_gid}",
        # The caller's own home is not there; programs keep their caches here.
        "--env=HOME=/tmp",
        "--env=CI",
        *(f"--env={name}={value}" for name, value in variables.items()),
        *trust(host.ca_bundle()),
        IMAGE,
        *argv,
    )


def trust(bundle: Path) -> list[str]:
    """Options that let programs in the image trust the host's CAs, where a proxy inspects TLS."""
    if not bundle.is_file():
        return []
    inside = "/etc/ssl/host-ca.pem"
    return [f"--volume={bundle}:{inside}:ro", f"--env=SSL_CERT_FILE={inside}"]


def main() -> None:
    """Run the command that the arguments name."""
    ensure()
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    command(main)
