"""The scheduled jobs: who runs each, and when each last succeeded."""

from tests.support import wait
from tests.support.stack import Stack

HYPERKITTY = {"hyperkitty-hourly", "hyperkitty-daily", "hyperkitty-monthly", "hyperkitty-yearly"}


def test_jobs_of_core_have_run_once_and_say_when(stack: Stack) -> None:
    def report() -> str:
        lines = stack.exec("core", "python", "-m", "mailman_stack.core.jobs")
        return lines if "never" not in lines else ""

    lines = wait.until("core's jobs have succeeded", report).splitlines()
    assert {line.split()[0] for line in lines} == {"notify", "digests"}
    assert stack.exec("core", "sh", "-c", "ls /run/mailman/runners").split().count("jobs:0:1") == 1


def test_each_job_of_the_archive_is_scheduled_once(stack: Stack) -> None:
    lines = stack.exec("qcluster", "django-admin", "jobs").splitlines()
    names = [line.split()[0] for line in lines]
    assert set(names) >= HYPERKITTY
    assert len(names) == len(set(names))
