"""Upstream's own tests in the images that run, on the project's database, with its settings.

Each suite has a database and a network of its own. What does not pass is in deviations.toml with
the reason; whatever differs from that file is a failure, and so is a deviation that is none.
"""

import shutil
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import RUN, wait
from tests.support.container import docker, project
from tests.support.evidence import EVIDENCE
from tests.upstream import results

HERE = Path(__file__).parent
PASSWORD = "upstream"
SECRETS = {
    "database_root_password": PASSWORD,
    "core_database_password": PASSWORD,
    "web_database_password": PASSWORD,
    "secret_key": PASSWORD,
    "hyperkitty_api_key": PASSWORD,
    # The tests have it from Mailman's schema.cfg.
    "mailman_rest_password": "restpass",
}
# Tests ask for pages under these names.
HOSTS = (
    "testserver",
    "www.example.com",
    "lists.example.com",
    "something-else.example.com",
    "example.org",
    "www.example.org",
    "another-example.com",
    "archives.another-example.com",
    "intranet",
    "extranet",
)
SETTINGS = {
    "MAIL_DOMAINS": "example.com",
    "MAILMAN_ADMIN_EMAIL": "admin@example.org",
    "DJANGO_ALLOWED_HOSTS": ",".join(HOSTS),
}
# Only a crash would tell the difference.
FAST = ("--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=OFF")
NOSE2 = "python /upstream/nose2_core.py"
PYTEST = "python -m pytest -c /upstream/pytest.ini --pyargs"
DJANGO = f"{PYTEST} --ds=upstream_settings --reuse-db"


@dataclass(frozen=True)
class Suite:
    """Tests of one package: the image and the command that run them, and what is known of them."""

    name: str
    package: str
    image: str
    command: str
    known: tuple[str, ...]


SUITES = (
    Suite("core", "mailman", "core", NOSE2, ("core",)),
    Suite("core-ours", "mailman", "core", f"{NOSE2} ours", ("core", "core-ours")),
    *(
        Suite(package, package, "web", f"{DJANGO} {package}", (package,))
        for package in ("postorius", "hyperkitty", "django_mailman3")
    ),
    Suite(
        "mailmanclient", "mailmanclient", "web",
        f"{PYTEST} -p no:django -p upstream_core --run-services --doctest-glob=*.rst mailmanclient",
        ("mailmanclient",),
    ),
)  # fmt: skip


@contextmanager
def database(directory: Path, network: str) -> Iterator[None]:
    """The service as compose.yaml has it, with its data in memory."""
    name = f"{network}-database"
    described = project("compose.yaml")["services"]["database"]
    files = [volume for volume in described["volumes"] if volume["type"] == "bind"]
    arguments = (
        f"--name={name}",
        f"--network={network}",
        "--network-alias=database",
        f"--user={described['user']}",
        "--tmpfs=/var/lib/mysql:uid=999,gid=999",
        *(f"--tmpfs={mount}" for mount in described["tmpfs"]),
        *(f"--volume={file['source']}:{file['target']}:ro" for file in files),
        f"--volume={directory}/secrets:/run/secrets:ro",
        *(f"--env={name}={value}" for name, value in described["environment"].items()),
    )
    check = ("mysql", "--host=127.0.0.1", "--user=core", f"--password={PASSWORD}", "core")

    def answers() -> bool:
        asked = ("docker", "exec", name, *check, "--execute=SELECT 1")
        return subprocess.run(asked, capture_output=True, check=False).returncode == 0

    try:
        docker("run", "--detach", *arguments, described["image"], *FAST)
        wait.until("the database answers", answers)
        yield
    finally:
        docker("rm", "--force", "--volumes", name)


@contextmanager
def surroundings(suite: Suite) -> Iterator[tuple[Path, str]]:
    """A directory with secrets, and a network that leads nowhere with a database in it."""
    network = f"mailman-stack-test-upstream-{uuid.uuid4().hex[:8]}"
    directory = RUN / network
    (directory / "secrets").mkdir(parents=True)
    for name, text in SECRETS.items():
        (directory / "secrets" / name).write_text(text)
    # Another user's container writes into it.
    (directory / "results").mkdir()
    (directory / "results").chmod(0o777)
    docker("network", "create", "--internal", network)
    try:
        with database(directory, network):
            yield directory, network
    finally:
        docker("network", "rm", network)
        keep(directory / "results", EVIDENCE / f"upstream-{suite.name}")
        shutil.rmtree(directory)


def keep(results: Path, evidence: Path) -> None:
    """Keep the log and the results for whoever looks for the cause of a failure."""
    shutil.rmtree(evidence, ignore_errors=True)
    shutil.copytree(results, evidence)


def run(suite: Suite, directory: Path, network: str) -> None:
    """Run a suite; what it prints and what it has found are files in the directory's results."""
    arguments = (
        f"--name={network}-suite",
        f"--network={network}",
        "--tmpfs=/tmp",
        "--workdir=/tmp",
        # Tests have a configuration of their own.
        "--env=MAILMAN_CONFIG_FILE",
        "--env=MAILMAN_EXTRA_TESTING_CFG=/upstream/testing.cfg",
        "--env=HOME=/tmp",
        *(f"--env={name}={value}" for name, value in SETTINGS.items()),
        f"--volume={HERE}/inside:/upstream:ro",
        f"--volume={directory}/secrets:/run/secrets:ro",
        f"--volume={directory}/results:/results",
    )
    command = ["docker", "run", *arguments, f"mailman-stack/{suite.image}-upstream"]
    try:
        with (directory / "results" / "output.txt").open("w") as output:
            subprocess.run(
                [*command, "/upstream/run", *suite.command.split()],
                stdout=output, stderr=output, check=False,
            )  # fmt: skip
    finally:
        docker("rm", "--force", "--volumes", f"{network}-suite")


def version(suite: Suite) -> str:
    """The version of the package that is tested, as the image has it."""
    program = f"import importlib.metadata as m; print(m.version('{suite.package}'))"
    image = f"mailman-stack/{suite.image}-upstream"
    return docker("run", "--rm", "--network=none", image, "python", "-c", program).strip()


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
def test_upstream(suite: Suite, record_property: Callable[[str, object], None]) -> None:
    known = results.known(HERE / "deviations.toml", *suite.known)
    start = time.monotonic()
    with surroundings(suite) as (directory, network):
        run(suite, directory, network)
        report = directory / "results" / "junit.xml"
        assert report.is_file(), (directory / "results" / "output.txt").read_text()[-5000:]
        outcomes = results.read(report)
    counts = [list(outcomes.values()).count(outcome) for outcome in ("passed", "failed", "skipped")]
    seconds = round(time.monotonic() - start)
    row = (suite.name, version(suite), len(outcomes), counts[0], sum(counts[1:]), seconds)
    record_property("suite", row)
    if problems := results.differences(outcomes, known):
        pytest.fail("\n".join(problems), pytrace=False)
