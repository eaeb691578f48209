"""How a container starts: refuses, or checks and becomes its daemon."""

import os
import subprocess
import sys
from collections.abc import Mapping
from unittest.mock import patch

import pytest

from mailman_stack.entrypoint import Service
from mailman_stack.failing import EX_CONFIG
from tests.unit.loading import REQUIRED


def refusal(
    service: Service, variables: Mapping[str, str], capsys: pytest.CaptureFixture[str]
) -> list[str]:
    """What a service says that does not start."""
    with (
        patch.dict(os.environ, {**REQUIRED, **variables}, clear=True),
        pytest.raises(SystemExit) as leaving,
    ):
        service.run([])
    assert leaving.value.code == EX_CONFIG == 78
    output = capsys.readouterr()
    assert output.out == ""
    return output.err.splitlines()


def never(_settings: object) -> None:
    raise AssertionError("the daemon was started")


def test_wrong_settings_are_all_named(capsys: pytest.CaptureFixture[str]) -> None:
    service = Service(name="mta", config="none", start=never)
    assert refusal(service, {"TZ": "x", "SMTP_PORT": "y"}, capsys) == [
        "mta: TZ='x': must be a name of the time zone database, like Europe/Berlin",
        "mta: SMTP_PORT='y': input should be a valid integer, unable to parse string as an integer",
    ]


def test_a_check_that_fails_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    checks = [["true"], ["sh", "-c", "echo this; echo that >&2; exit 1"]]
    service = Service(name="mta", config="none", checks=checks, start=never)
    assert refusal(service, {}, capsys) == [
        "mta: sh refuses the configuration:",
        "mta: this",
        "mta: that",
    ]


SCRIPT = """
import sys
from mailman_stack.entrypoint import Service, execute
start = execute(["sh", "-c", "echo the daemon is $$"])
Service(name="mta", config="none", checks=[["true"]], start=start).run(sys.argv[1:])
"""


@pytest.mark.parametrize(
    ("arguments", "output"),
    [([], "the daemon is {pid}\n"), (["sh", "-c", "echo instead: $$"], "instead: {pid}\n")],
)
def test_the_daemon_takes_the_place_of_the_entrypoint(arguments: list[str], output: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, *arguments],
        env={**REQUIRED, "PATH": os.environ["PATH"], "PYTHONPATH": "src"},
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    printed, _ = process.communicate()
    assert (printed, process.returncode) == (output.format(pid=process.pid), 0)


def test_another_command_needs_no_settings() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, "echo", "$HOME", "a b"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": "src"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "$HOME a b\n"
