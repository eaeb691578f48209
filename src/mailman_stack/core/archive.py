"""The archive runner: ``[runner.archive] class:`` of mailman.cfg."""

import time

from mailman.config import config
from mailman.runners import archive

RETRY_SECONDS = 60


class ArchiveRunner(archive.ArchiveRunner):
    """Also retries what HyperKitty did not take, which upstream does at the next post only."""

    _retried = 0.0

    def _do_periodic(self) -> None:
        super()._do_periodic()
        if time.monotonic() - self._retried < RETRY_SECONDS:
            return
        self._retried = time.monotonic()
        for archiver in config.archivers:
            if archiver.is_enabled and hasattr(archiver, "process_queue"):
                archiver.process_queue()
