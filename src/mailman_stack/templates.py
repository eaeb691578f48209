"""The operator's own texts of mails and pages, below ``local/templates``."""

import os
from collections.abc import Callable
from pathlib import Path

from mailman_stack import LOCAL

MAIL = LOCAL / "templates" / "mail"
WEB = LOCAL / "templates" / "web"


def problems(directory: Path, use: Callable[[Path], object]) -> list[str]:
    """Use each file below a directory, and say with which that failed, and why.

    ``use`` gets a path relative to the directory. What editors leave beside a file is not used.
    """
    wrong: list[str] = []

    def note(path: Path, reason: object) -> None:
        wrong.append(f"{path.relative_to(LOCAL.parent)}: {reason}")

    def note_folder(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            note(Path(error.filename), error.strerror)

    for folder, _folders, names in os.walk(directory, onerror=note_folder):
        for path in (Path(folder, name) for name in names if not _is_leftover(name)):
            try:
                use(path.relative_to(directory))
            except OSError as error:
                note(path, error.strerror)
            except ValueError as error:
                note(path, error)
    return sorted(wrong)


def _is_leftover(name: str) -> bool:
    return name.startswith(".") or name.endswith("~")
