"""Core's daily jobs, as one more runner: ``[runner.jobs] class:`` of mailman.cfg.

A runner has exactly one instance, logs like the others and is watched by the master, so a job runs
once, wherever core runs. A run that was missed while core was down is made up at the next start.
Times are those of the crontab in Mailman's documentation.
"""

import json
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from mailman.commands.cli_digests import digests
from mailman.commands.cli_notify import notify
from mailman.config import config
from mailman.core.runner import Runner
from mailman.database.transaction import transaction

log = logging.getLogger("mailman.task")

Job = Callable[[], object]

DAILY: dict[str, tuple[int, Job]] = {
    "notify": (8, lambda: notify.main([], standalone_mode=False)),
    "digests": (12, lambda: digests.main(["--periodic"], standalone_mode=False)),
}
"""Hour of the day in the site's time zone, and what runs then, by name of the job."""


def last_successes() -> dict[str, datetime]:
    """When each job last succeeded; a job that never did is missing."""
    path = _state()
    times = json.loads(path.read_text()) if path.exists() else {}
    return {name: datetime.fromisoformat(time) for name, time in times.items()}


def due(hour: int, last_success: datetime | None, now: datetime) -> bool:
    """Whether the latest occurrence of ``hour`` is later than the last success."""
    occurrence = now.replace(hour=hour, minute=0, second=0, microsecond=0)
    if occurrence > now:
        occurrence -= timedelta(days=1)
    return last_success is None or last_success < occurrence


def _state() -> Path:
    return Path(config.VAR_DIR) / "jobs.json"


def _note_success(name: str, now: datetime) -> None:
    times = {job: time.isoformat() for job, time in last_successes().items()}
    times[name] = now.isoformat(timespec="seconds")
    new = _state().with_suffix(".new")
    new.write_text(json.dumps(times, indent=1))
    new.rename(_state())


class JobsRunner(Runner):
    """Runs what is due, looking once every ``sleep_time``."""

    is_queue_runner = False

    def _do_periodic(self) -> None:
        for name, (hour, job) in DAILY.items():
            now = datetime.now().astimezone()
            if due(hour, last_successes().get(name), now):
                self._run_job(name, job, now)

    def _run_job(self, name: str, job: Job, now: datetime) -> None:
        try:
            with transaction():
                job()
        except Exception:
            log.exception("job %s failed; it is tried again", name)
        else:
            _note_success(name, now)
            log.info("job %s succeeded", name)


if __name__ == "__main__":
    from mailman.core.initialize import initialize_1

    initialize_1()
    for job_name in DAILY:
        print(f"{job_name:10} last success: {last_successes().get(job_name, 'never')}")
