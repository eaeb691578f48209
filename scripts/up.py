"""`make up`: from nothing, or from anything in between, to a stack that runs and is healthy."""

from typing import Any

from scripts import base_images, docker_cli, engine, env_and_secrets, preflight, summary
from scripts.console import CommandError, announce, command

SECONDS_TO_BE_HEALTHY = 180
LOG_LINES = 30


def main() -> None:
    """Each step finds its work done when it is done already."""
    if not engine.answers():
        preflight.refuse(preflight.network_problems())
    engine.ensure()
    env_and_secrets.create_env_file()
    project = docker_cli.project()
    preflight.check(project)
    env_and_secrets.create_secrets(project)
    base_images.ensure([base_images.DEBIAN, *preflight.images(project)])
    announce("Build: the project's images")
    docker_cli.run("compose", "build")
    check_settings()
    announce("Start: waiting until every service is healthy")
    start()
    print(summary.text(project))


def check_settings() -> None:
    """Have core look at the settings, as every container will: once, rather than in a loop."""
    announce("Settings: checking them")
    check = ["python", "-m", "mailman_stack.check", "core"]
    if docker_cli.status("compose", "run", "--rm", "--no-deps", "--no-TTY", "core", *check):
        raise CommandError("the settings in .env cannot be used; see above")


def start() -> None:
    """Start what does not run yet, and wait; name what does not become healthy."""
    wait = ["--wait", "--wait-timeout", str(SECONDS_TO_BE_HEALTHY)]
    if docker_cli.status("compose", "up", "--detach", "--remove-orphans", *wait) == 0:
        return
    ill = [container for container in docker_cli.containers() if is_ill(container)]
    for container in ill:
        announce(f"The last lines of {container['Service']}:")
        docker_cli.status(
            "compose",
            "--ansi=never",
            "logs",
            "--no-log-prefix",
            f"--tail={LOG_LINES}",
            container["Service"],
        )
    raise CommandError("\n".join(map(_describe, ill)) or "docker compose up failed; see above")


def is_ill(container: dict[str, Any]) -> bool:
    """Tell whether a container that was started is not as it should be."""
    if container["State"] == "running":
        return str(container["Health"]) in ("unhealthy", "starting")
    return container["State"] == "restarting" or bool(container["ExitCode"])


def _describe(container: dict[str, Any]) -> str:
    state = container["Health"] or container["State"]
    code = f" with code {container['ExitCode']}" if container["ExitCode"] else ""
    return f"{container['Service']} is {state}{code}"


if __name__ == "__main__":
    command(main)
