"""Compose 2 and buildx for Debian 12, from the packages of Debian 13.

Both are single Go binaries that run on Debian 12 as they are. They are taken with a private apt
configuration, so that the system's own package sources stay untouched, and copied into the user's
folder of docker plugins.
"""

import os
import shutil
import tempfile
from pathlib import Path

from scripts import apt, process
from scripts.console import announce, command

PLUGINS = ("docker-compose", "docker-buildx")
PLUGIN_FOLDER = Path("usr/libexec/docker/cli-plugins")
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def install() -> None:
    """Fetch both plugins and copy them into the user's `cli-plugins`."""
    folder = user_folder()
    announce(f"Compose: copying Debian 13's {' and '.join(PLUGINS)} into {folder}")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        _unpack(Path(scratch))
        for plugin in PLUGINS:
            _copy(Path(scratch) / PLUGIN_FOLDER / plugin, folder / plugin)


def user_folder() -> Path:
    """Where docker looks for this user's plugins first."""
    return Path(os.environ.get("DOCKER_CONFIG", Path.home() / ".docker")) / "cli-plugins"


def _unpack(scratch: Path) -> None:
    mirror = apt.mirror("bookworm", apt.DEFAULT_MIRROR)
    (scratch / "sources.list").write_text(f"deb [signed-by={KEYRING}] {mirror} trixie main\n")
    (scratch / "lists").mkdir()
    settings = {
        "Dir::Etc::SourceList": f"{scratch}/sources.list",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::Etc::Preferences": "/dev/null",
        "Dir::Etc::PreferencesParts": "/dev/null",
        "Dir::State::Lists": f"{scratch}/lists",
        "Dir::Cache": f"{scratch}/cache",
        # The user _apt, which apt would change to, may not write into this folder.
        "APT::Sandbox::User": "root",
    }
    options = [f"--option={name}={value}" for name, value in settings.items()]
    process.capture(["apt-get", *options, "update"], cwd=scratch)
    process.capture(["apt-get", *options, "download", *PLUGINS], cwd=scratch)
    for package in scratch.glob("*.deb"):
        process.capture(["dpkg-deb", "--extract", str(package), str(scratch)])


def _copy(source: Path, target: Path) -> None:
    """Copy in one step, as another docker command may be running the plugin."""
    fresh = target.with_suffix(".new")
    shutil.copy(source, fresh)
    fresh.replace(target)


if __name__ == "__main__":
    command(install)
