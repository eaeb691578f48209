"""`make bench`: how fast and how large the stack is, beside others; `benchmarks/` says how."""

import os
import sys

from scripts import docker_cli, toolbox
from scripts.console import announce, command

IMAGES = ("benchmark-tools", "benchmark-debian")


def main() -> None:
    """Build what is measured, and measure it; with QUICK=1 in ten minutes."""
    toolbox.ensure()
    toolbox.ensure_stack()
    quick = os.environ.get("QUICK", "")
    for image in IMAGES[:1] if quick else IMAGES:
        build(image)
    sys.exit(toolbox.run(["python", "-m", "benchmarks"], PYTHONPATH="src", QUICK=quick))


def build(target: str) -> None:
    """Build an image that only the benchmark uses."""
    tag = f"mailman-stack/{target}"
    announce(f"Build: {tag}")
    docker_cli.run(
        "build",
        "--file=benchmarks/Dockerfile",
        f"--target={target}",
        f"--tag={tag}",
        *(f"--build-arg={name}" for name in toolbox.BUILD_ARGUMENTS),
        "benchmarks",
    )


if __name__ == "__main__":
    command(main)
