"""Which containers are told to be ill when a start fails."""

import pytest

from scripts import up


@pytest.mark.parametrize(
    ("state", "health", "exit_code", "ill"),
    [
        ("running", "healthy", 0, False),
        ("running", "", 0, False),
        ("running", "starting", 0, True),
        ("running", "unhealthy", 0, True),
        ("created", "", 0, False),
        ("exited", "", 0, False),
        ("exited", "", 3, True),
        ("restarting", "", 0, True),
    ],
)
def test_is_ill(state: str, health: str, exit_code: int, ill: bool) -> None:
    container = {"State": state, "Health": health, "ExitCode": exit_code}
    assert up.is_ill(container) is ill
