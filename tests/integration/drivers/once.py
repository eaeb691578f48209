"""Inside core's image: a message is handed in, the process dies at a step, it is handed in again.

Prints as JSON, for each step, whether it died there and how often the message is queued in the end.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

from mailman.config import config
from mailman.core.initialize import initialize_1
from mailman.core.switchboard import Switchboard
from mailman.email.message import Message

from mailman_stack.core.once import Inbox, identity
from mailman_stack.render import render
from mailman_stack.settings import load

STEPS = 12


class Death(BaseException):
    """What no handler of errors may catch."""


def dying_at(step: int) -> Any:
    """Every call that changes the file system counts; the one at ``step`` is not made."""
    calls = iter(range(STEPS))
    real = {name: getattr(os, name) for name in ("open", "rename", "fsync", "utime")}

    def counted(name: str) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            if next(calls) == step:
                raise Death
            return real[name](*arguments, **options)

        return call

    return patch.multiple(os, **{name: counted(name) for name in real})


def outcome(step: int, root: Path) -> tuple[bool, int]:
    queue = Switchboard("in", str(root / "in"))
    with patch.dict(config.switchboards, {"in": queue}):
        died = False
        try:
            with dying_at(step):
                hand_in(root)
        except Death:
            died = True
        hand_in(root)
        hand_in(root)
    return died, len(list(Path(queue.queue_directory).glob("*.pck")))


def hand_in(root: Path) -> None:
    message = Message()
    message["Message-ID"] = "<once@example.org>"
    Inbox(root / "lmtp").enqueue(identity("a@example.org", "ant@x", b"text"), "in", message, {})


def outcomes() -> Iterator[tuple[bool, int]]:
    for step in range(STEPS):
        with TemporaryDirectory() as root:
            yield outcome(step, Path(root))


if __name__ == "__main__":
    list(render("core", load("core")))
    initialize_1("/etc/mailman3/mailman.cfg")
    print(json.dumps(list(outcomes())))
