"""Which packages bring an engine and its plugins, release by release."""

import pytest

from scripts import engine
from scripts.console import CommandError

COMMON = ["docker.io", "iptables", "ca-certificates"]


@pytest.mark.parametrize(
    ("name", "version", "engine_packages", "plugin_packages"),
    [
        ("debian", "12", COMMON, []),
        ("debian", "13", [*COMMON, "docker-cli"], ["docker-compose", "docker-buildx"]),
        ("ubuntu", "24.04", COMMON, ["docker-compose-v2", "docker-buildx"]),
    ],
)
def test_packages(
    name: str, version: str, engine_packages: list[str], plugin_packages: list[str]
) -> None:
    release = {"ID": name, "VERSION_ID": version}
    assert engine.engine_packages(release) == engine_packages
    assert engine.plugin_packages(release) == plugin_packages


def test_another_distribution_is_told_what_is_needed() -> None:
    with pytest.raises(CommandError, match=r"Docker Engine 20\.10 or later with Compose 2\.24"):
        engine.engine_packages({"ID": "fedora", "VERSION_ID": "43"})
