"""`.env` and the secrets are made once, complete, and with the right modes."""

import re
from pathlib import Path
from stat import S_IMODE

import pytest

from scripts.console import CommandError
from scripts.env_and_secrets import create_env_file, create_secrets, require_env_file


def test_env_file_is_copied_once(tmp_path: Path) -> None:
    example, env_file = tmp_path / ".env.example", tmp_path / ".env"
    example.write_text("A=1\n")
    create_env_file(env_file, example)
    assert env_file.read_text() == "A=1\n"
    assert S_IMODE(env_file.stat().st_mode) == 0o600
    env_file.write_text("A=2\n")
    create_env_file(env_file, example)
    assert env_file.read_text() == "A=2\n"


def test_without_an_env_file(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="make up"):
        require_env_file(tmp_path / ".env")


def test_secrets_are_made_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "secrets"
    project = {
        "secrets": {
            "ours": {"file": str(folder / "ours")},
            "theirs": {"file": str(folder / "theirs"), "labels": {"generate": "false"}},
        }
    }
    create_secrets(project)
    made = (folder / "ours").read_text()
    assert re.fullmatch(r"[\w-]{43}", made)
    assert (folder / "theirs").read_text() == ""
    assert S_IMODE(folder.stat().st_mode) == 0o700
    assert {S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o444}
    assert made not in capsys.readouterr().out

    create_secrets(project)
    assert (folder / "ours").read_text() == made
    assert sorted(path.name for path in folder.iterdir()) == ["ours", "theirs"]
