"""The scheduled jobs: who runs each, and when each last succeeded."""

from tests.support import wait
from tests.support.stack import Stack

HYPERKITTY = {"hyperkitty-hourly", "hyperkitty-daily", "hyperkitty-monthly", "hyperkitty-yearly"}


def test_jobs_of_core_run_once_and_say_when(stack: Stack) -> None:
    def report() -> str:
        lines = stack.exec("core", "python", "-m", "mailman_stack.core.jobs")
        return lines if "never" not in lines else ""

    lines = wait.until("core's jobs have succeeded", report).splitlines()
    assert {line.split()[0] for line in lines} == {"notify", "digests"}
    # Those of today have run at the start. Further starts leave them alone.
    log = stack.logs("core")
    assert log.count("job notify succeeded") <= 1
    assert log.count("job digests succeeded") <= 1
    runners = stack.exec("core", "ls", "/run/mailman/runners").split()
    assert [name for name in runners if name.startswith("jobs:")] == ["jobs:0:1"]


def test_each_job_of_the_archive_is_scheduled_once(stack: Stack) -> None:
    lines = stack.exec("qcluster", "django-admin", "jobs").splitlines()
    names = [line.split()[0] for line in lines]
    assert set(names) >= HYPERKITTY
    assert len(names) == len(set(names))
