"""Loading the settings from nothing but what a test gives."""

import os
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import pytest

from mailman_stack.failing import SettingsError
from mailman_stack.settings import Settings, load

REQUIRED = {"MAIL_DOMAINS": "lists.example.com", "MAILMAN_ADMIN_EMAIL": "admin@example.org"}

# A service that gets no secret that it cannot do without, so that a test sees its own errors alone.
WITHOUT_SECRETS = "mta"


def loaded(
    variables: Mapping[str, str] | None = None,
    secrets: Mapping[str, str | bytes] | None = None,
    service: str = WITHOUT_SECRETS,
) -> Settings:
    """The settings of one service; ``variables`` are added to REQUIRED, ``secrets`` are files."""
    with TemporaryDirectory() as directory:
        for name, content in (secrets or {}).items():
            text = content.encode() if isinstance(content, str) else content
            (Path(directory) / name).write_bytes(text)
        with patch.dict(os.environ, {**REQUIRED, **(variables or {})}, clear=True):
            return load(service, Path(directory))


def problems(
    variables: Mapping[str, str] | None = None,
    secrets: Mapping[str, str | bytes] | None = None,
    service: str = WITHOUT_SECRETS,
) -> list[str]:
    """What is wrong with these settings, line by line."""
    with pytest.raises(SettingsError) as caught:
        loaded(variables, secrets, service)
    return str(caught.value).splitlines()
