"""The distribution's packages: installing them, and which mirror this machine takes them from."""

import os
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from scripts import process
from scripts.console import CommandError, announce

UPDATE = ["apt-get", "update"]
INSTALL = ["apt-get", "install", "--yes", "--no-install-recommends"]
DEFAULT_MIRROR = "http://deb.debian.org/debian"
DEFAULT_SECURITY_MIRROR = "http://security.debian.org/debian-security"


class Source(NamedTuple):
    """One suite of one package archive."""

    uri: str
    suite: str
    components: tuple[str, ...]


def install(packages: Sequence[str], afterwards: Sequence[str] = ()) -> None:
    """Install packages, or refuse and print the commands.

    `afterwards` are the shell commands to print besides apt's, for the person who is refused.
    """
    if reason := refusal():
        commands = [shlex.join(UPDATE), shlex.join([*INSTALL, *packages]), *afterwards]
        listing = "".join(f"\n  {command}" for command in commands)
        raise CommandError(f"{reason}; as root, run this and start again:{listing}")
    announce(f"Packages: installing {' '.join(packages)} with apt-get")
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    # A third party's broken archive fails the update, but need not fail what is wanted here.
    process.status([*UPDATE, "-qq"], quiet)
    process.capture([*INSTALL, "-qq", *packages], quiet)


def refusal() -> str | None:
    """Why nothing may be installed on this machine; None if it may."""
    if os.environ.get("INSTALL_ENGINE") == "no":
        return "packages are missing, and INSTALL_ENGINE=no"
    if os.geteuid() != 0:
        return "packages are missing, and only root can install them"
    return None


def mirror(codename: str, default: str, etc: Path = Path("/etc/apt")) -> str:
    """The archive that this machine takes a suite's `main` from."""
    found = (source.uri for source in sources(etc) if source.suite == codename)
    return next(found, default)


def sources(etc: Path = Path("/etc/apt")) -> Iterator[Source]:
    """Every enabled HTTP source of binary packages with a `main` part (sources.list(5))."""
    folder = etc / "sources.list.d"
    for path in [etc / "sources.list", *sorted(folder.glob("*.list"))]:
        if path.is_file():
            yield from _usable(_one_line_style(path.read_text()))
    for path in sorted(folder.glob("*.sources")):
        yield from _usable(_deb822_style(path.read_text()))


def _usable(found: Iterator[Source]) -> Iterator[Source]:
    for source in found:
        if source.uri.startswith(("http://", "https://")) and "main" in source.components:
            yield source._replace(uri=source.uri.rstrip("/"))


def _one_line_style(text: str) -> Iterator[Source]:
    for line in text.splitlines():
        kind, _, rest = line.partition("#")[0].strip().partition(" ")
        if rest.lstrip().startswith("["):
            rest = rest.partition("]")[2]
        match [kind, *rest.split()]:
            case ["deb", uri, suite, *components]:
                yield Source(uri, suite, tuple(components))


def _deb822_style(text: str) -> Iterator[Source]:
    for stanza in _stanzas(text):
        if "deb" not in stanza.get("types", ()) or stanza.get("enabled") == ["no"]:
            continue
        for uri in stanza.get("uris", ()):
            for suite in stanza.get("suites", ()):
                yield Source(uri, suite, tuple(stanza.get("components", ())))


def _stanzas(text: str) -> Iterator[dict[str, list[str]]]:
    """Each stanza's fields by lower-case name, their values split into words (deb822(5))."""
    stanza: dict[str, list[str]] = {}
    field: list[str] = []
    for line in [*text.splitlines(), ""]:
        if line.startswith("#"):
            continue
        if not line.strip():
            if stanza:
                yield stanza
            stanza = {}
        elif line[0].isspace():
            field += line.split()
        else:
            name, _, value = line.partition(":")
            field = stanza[name.lower()] = value.split()
