"""`make clean`: delete the project's containers, networks and volumes, after asking."""

import os

from scripts import docker_cli, env_and_secrets
from scripts.console import CommandError, announce, command


def main() -> None:
    """Ask, unless FORCE=yes, and delete."""
    env_and_secrets.require_env_file()
    name = docker_cli.project()["name"]
    print(f"This deletes the containers and networks of {name}, and with these volumes all its")
    print("lists, members, archives and mail in queues:")
    print("".join(f"  {volume}\n" for volume in docker_cli.volumes(name)) or "  (none)")
    if os.environ.get("FORCE") != "yes" and not _confirmed():
        raise CommandError("nothing was deleted")
    announce(f"Clean: deleting the containers, networks and volumes of {name}")
    docker_cli.run("compose", "down", "--volumes", "--remove-orphans")
    # Compose forgets the volumes of services that are switched off.
    if left := docker_cli.volumes(name):
        docker_cli.output("volume", "rm", *left)
    print("Images, .env and the secrets stay; the next `make up` uses them again.")


def _confirmed() -> bool:
    try:
        return input("Type yes to go on: ") == "yes"
    except EOFError:
        return False


if __name__ == "__main__":
    command(main)
