"""The files that belong to one installation: `.env` and `secrets/`. Made once, never changed.

Compose's own file says which secrets there are. One that only the operator can know carries the
label `generate: false` there, and begins as an empty file; every other one is made at random.
"""

import os
import secrets
import tempfile
from pathlib import Path
from typing import Any

from scripts.console import CommandError, announce
from scripts.docker_cli import Project
from scripts.process import ROOT

ENV_FILE = ROOT / ".env"
ENV_EXAMPLE = ROOT / ".env.example"
RANDOM_BYTES = 32


def create_env_file(path: Path = ENV_FILE, example: Path = ENV_EXAMPLE) -> None:
    """Make the settings file from its example, unless it is there."""
    if not path.exists():
        announce(f"Settings: creating {path.name} from {example.name}")
        _write_once(path, example.read_bytes(), mode=0o600)


def require_env_file(path: Path = ENV_FILE) -> None:
    """Without the settings file there is no project to work on."""
    if not path.exists():
        raise CommandError(f"there is no {path.name}; `make up` makes it")


def create_secrets(project: Project) -> None:
    """Make the file of each secret, unless it is there."""
    for secret in project.get("secrets", {}).values():
        path = Path(secret["file"])
        if path.exists():
            continue
        text = secrets.token_urlsafe(RANDOM_BYTES) if is_generated(secret) else ""
        announce(f"Secrets: creating {path}{'' if text else ', empty: it is yours to fill in'}")
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_once(path, text.encode(), mode=0o444)


def is_generated(secret: dict[str, Any]) -> bool:
    """Tell a secret that is made at random from one that only the operator can know."""
    return bool(secret.get("labels", {}).get("generate") != "false")


def _write_once(path: Path, content: bytes, mode: int) -> None:
    """Write a whole file or none, and never over another."""
    with tempfile.NamedTemporaryFile(dir=path.parent) as scratch:
        scratch.write(content)
        scratch.flush()
        os.fchmod(scratch.fileno(), mode)
        # Fails if the file is there by now.
        os.link(scratch.name, path)
