"""Putting a message into one of core's queues once, however often it is handed in.

Whoever hands in a message and does not hear the answer, because one of both dies at that moment,
hands it in again (RFC 1047), and every member would get it twice. Here a message that is known is
answered as before, and not queued again.
"""

import hashlib
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from mailman.config import config
from mailman.core.switchboard import Switchboard
from mailman.email.message import Message

KEPT_SECONDS = 7 * 24 * 3600
"""Longer than a MTA keeps trying."""


def identity(sender: str | None, recipient: str, content: bytes) -> str:
    """What two deliveries of the same message to the same recipient have in common."""
    envelope = f"{sender}\0{recipient}\0".encode(errors="surrogateescape")
    return hashlib.sha256(envelope + content).hexdigest()


class Inbox:
    """Remembers, below ``directory``, what has been queued; all of it on one file system.

    A message is written to ``staging``, its mark is set in ``known``, and then one rename takes it
    out of ``staging`` and into the queue. So a mark without a staged file, and nothing else, means
    that the message was queued, whenever this process died.
    """

    def __init__(self, directory: Path) -> None:
        self._staging = Switchboard("staging", str(directory / "staging"))
        self._known = directory / "known"
        self._known.mkdir(exist_ok=True)

    def enqueue(self, identity: str, queue: str, message: Message, data: dict[str, Any]) -> bool:
        """Queue the message, unless it is known; tell whether it was queued now.

        :raises OSError: when it could not be written; then it is not queued.
        """
        staged = Path(self._staging.queue_directory, f"{identity}.pck")
        mark = self._known / identity
        if mark.exists() and not staged.exists():
            return False
        written = self._staging.enqueue(message, data)
        staged.with_stem(written).rename(staged)
        mark.touch()
        staged.rename(Path(config.switchboards[queue].queue_directory, f"{written}.pck"))
        return True

    def forget_old(self) -> None:
        """Remove the marks of what nobody hands in again, and what was never queued."""
        before = time.time() - KEPT_SECONDS
        for directory in (self._known, Path(self._staging.queue_directory)):
            for path in directory.iterdir():
                # What is being queued at this moment is renamed.
                with suppress(FileNotFoundError):
                    if path.stat().st_mtime < before:
                        path.unlink()
