"""Reading what docker prints."""

import pytest

from scripts import docker_cli
from scripts.console import CommandError


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("20.10.24+dfsg1", (20, 10)), ("2.26.1-4", (2, 26)), ("v2.40.3", (2, 40))],
)
def test_version(text: str, numbers: tuple[int, int]) -> None:
    assert docker_cli.version(text) == numbers


def test_what_is_no_version_is_named() -> None:
    with pytest.raises(CommandError, match="dev"):
        docker_cli.version("dev")


def test_an_unknown_mta_is_named_with_the_choices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MTA", "exmi")
    with pytest.raises(CommandError) as caught:
        docker_cli.project()
    choices = "exim, none, postfix, sendmail"
    assert str(caught.value) == f"MTA='exmi': there is no such MTA; choose one of {choices}"
