"""The base images are those that the project's files name."""

from scripts import base_images
from scripts.process import ROOT


def test_the_dockerfile_begins_with_it() -> None:
    assert f"FROM {base_images.DEBIAN} AS base\n" in (ROOT / "images" / "Dockerfile").read_text()


def test_the_database_runs_it() -> None:
    assert f"    image: {base_images.MYSQL}\n" in (ROOT / "compose.yaml").read_text()
