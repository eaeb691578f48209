"""Fixtures that every kind of test may use."""

import os
import shutil
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.support import ROOT, RUN, evidence
from tests.support.stack import FILES, Stack

PROJECT = "mailman-stack-test"
ENV = f"""\
MTA={os.environ.get("MTA", "postfix")}
MAIL_DOMAINS=lists.example.com, lists.example.net=archive.example.net
MAILMAN_ADMIN_EMAIL=admin@example.org
SITE_OWNER=owner@example.org
"""


@pytest.fixture(scope="session")
def stack_directory() -> Path:
    """Settings and secrets of the test stack, below the checkout, where the engine sees them."""
    directory = RUN / "stack"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    (directory / "env").write_text(ENV)
    os.environ.update(ENV_FILE=str(directory / "env"), SECRETS_DIR=str(directory / "secrets"))
    return directory


@pytest.fixture(scope="session")
def docker_compose_command(stack_directory: Path) -> str:
    return f"docker compose --project-directory {ROOT} --env-file {stack_directory}/env"


@pytest.fixture(scope="session")
def docker_compose_file() -> list[str]:
    return [str(ROOT / file) for file in FILES]


@pytest.fixture(scope="session")
def docker_compose_project_name() -> str:
    return PROJECT


@pytest.fixture(scope="session")
def docker_setup() -> list[str]:
    # What an earlier run that was cut off has left would make this one a different test.
    return ["down --volumes --timeout 5", "up --detach --wait --wait-timeout 300"]


@pytest.fixture(scope="session")
def docker_cleanup() -> list[str]:
    return ["down --volumes --timeout 30"]


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest, stack_directory: Path) -> Stack:
    """The whole stack, started once for all tests."""
    stack = Stack(PROJECT, stack_directory)
    stack.create_secrets()
    try:
        request.getfixturevalue("docker_services")
    except BaseException:
        # pytest-docker leaves a project that failed to start as it is, and shows nothing of it.
        evidence.collect(stack, "start")
        stack.compose("down", "--volumes", "--timeout", "5", check=False)
        raise
    return stack


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep what a failed test leaves: logs, queues, rendered files, the mail that was seen."""
    report = yield
    stack = getattr(item, "funcargs", {}).get("stack")
    if report.failed and isinstance(stack, Stack):
        report.sections.append(("evidence", str(evidence.collect(stack, item.name))))
    return report
