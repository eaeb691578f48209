"""The two images that the project's own are based on: pulled, or made from Debian's packages.

An image that the engine has already is left alone.
"""

import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from scripts import apt, docker_cli, host, process
from scripts.console import CommandError, announce

DEBIAN = "debian:trixie-slim"
MYSQL = "mysql:9.7"
MYSQL_FOLDER = process.ROOT / "images" / "mysql"
SECONDS_FOR_A_REGISTRY = 15

# What the official image's "slim" variants leave out.
SLIM = (
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/lintian/*",
    "path-exclude=/usr/share/locale/*",
    "path-include=/usr/share/locale/locale.alias",
    "path-exclude=/usr/share/man/*",
)
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ACCEPT_EXPIRED = '--aptopt=Acquire::Check-Valid-Until "false"'


def ensure(used: Iterable[str]) -> None:
    """See to it that the engine has each of the base images among those that are used."""
    wanted = set(used)
    for reference, make in {DEBIAN: make_debian, MYSQL: make_mysql}.items():
        if reference in wanted and not docker_cli.has_image(reference) and not pull(reference):
            _check_that_it_can_be_made(reference)
            make(reference)


def pull(reference: str, seconds: float = SECONDS_FOR_A_REGISTRY) -> bool:
    """Pull an image; give up unless the registry has answered within the given seconds."""
    announce(f"Base image {reference}: asking the registry for it")
    client = subprocess.Popen(
        ["docker", "pull", reference],
        env=docker_cli.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    answered = threading.Event()
    shown = threading.Thread(target=_show, args=(client, answered))
    shown.start()
    if not answered.wait(seconds):
        client.kill()
    shown.join()
    return client.wait() == 0


def make_debian(reference: str) -> None:
    """Make Debian 13, with its updates' sources, as small as the official slim image."""
    archive, security = _mirrors()
    sources = [
        f"deb {archive} trixie main",
        f"deb {archive} trixie-updates main",
        f"deb {security} trixie-security main",
    ]
    options = ["--variant=minbase", *(f"--dpkgopt={line}" for line in SLIM)]
    _make(reference, "trixie", sources, options, ['CMD ["bash"]'])


def make_mysql(reference: str) -> None:
    """Make an image that honours the official one's contract, from what images/mysql holds.

    Debian has MySQL in its unstable suite only.
    """
    archive, _ = _mirrors()
    options = [
        "--variant=essential",
        "--include=mysql-server-core,mysql-client-core,tzdata",
        f"--dpkgopt={MYSQL_FOLDER}/dpkg.cfg",
        f"--customize-hook={MYSQL_FOLDER}/customize.sh",
        # The directories of /run are part of the image.
        "--skip=cleanup/run",
    ]
    metadata = [
        'ENTRYPOINT ["docker-entrypoint.sh"]',
        'CMD ["mysqld"]',
        "VOLUME /var/lib/mysql",
        "EXPOSE 3306 33060",
    ]
    _make(reference, "sid", [archive], options, metadata)


def _mirrors() -> tuple[str, str]:
    """Return this machine's mirrors of Debian and of its security updates."""
    codename = host.release().get("VERSION_CODENAME", "")
    archive = apt.mirror(codename, apt.DEFAULT_MIRROR)
    return archive, apt.mirror(f"{codename}-security", apt.DEFAULT_SECURITY_MIRROR)


def _check_that_it_can_be_made(reference: str) -> None:
    if docker_cli.socket() is None:
        raise CommandError(f"no registry has {reference}, and the engine is not on this machine")
    if not shutil.which("mmdebstrap"):
        apt.install(["mmdebstrap", "debian-archive-keyring"])


def _show(client: subprocess.Popen[str], answered: threading.Event) -> None:
    """Copy docker's progress; its first line says that the registry has the image."""
    for line in client.stdout or ():
        answered.set()
        print(f"    {line}", end="", flush=True)
    answered.set()


def _make(
    reference: str,
    suite: str,
    sources: Sequence[str],
    options: Sequence[str],
    metadata: Iterable[str],
) -> None:
    """Bootstrap a suite and import it under a name, with Dockerfile instructions as metadata."""
    announce(f"Base image {reference}: making it from Debian's packages (about a minute)")
    # Not /tmp, which may be in memory and small.
    scratch = os.environ.get("TMPDIR") or Path("/var", "tmp")
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        tar = Path(folder) / "root.tar"
        # A hook may look at the series, the part of the reference behind the colon.
        environ = os.environ | {"TMPDIR": folder, "LC_ALL": "C", "SERIES": reference.split(":")[1]}
        _bootstrap([*options, suite, str(tar)], sources, environ)
        changes = [f"--change={line}" for line in ("ENV PATH=" + PATH, *metadata)]
        docker_cli.output("import", *changes, str(tar), reference, seconds=600)


def _bootstrap(
    arguments: Sequence[str], sources: Sequence[str], environ: Mapping[str, str]
) -> None:
    """Run mmdebstrap with this machine's sources, then with its own where those do not serve.

    A mirror's copy of a suite may be past its date; only then the date is not asked for.
    """
    reason = ""
    for chosen in (sources, ()):
        for leniency in ((), (ACCEPT_EXPIRED,)):
            done = subprocess.run(
                ["mmdebstrap", *leniency, *arguments, *chosen],
                env=environ,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode == 0:
                return
            reason = _reason(done.stderr)
            if "is expired" not in done.stderr:
                break
    raise CommandError(f"mmdebstrap fails: {reason}")


def _reason(log: str) -> str:
    """The first error that mmdebstrap or apt names, or the last line."""
    lines = log.strip().splitlines() or ["no reason given"]
    return next((line for line in lines if line.startswith("E: ")), lines[-1])
