"""The web interface's jobs: django-q schedules, so that each runs once, wherever qcluster runs."""

from datetime import datetime
from typing import NamedTuple

from dateutil.relativedelta import relativedelta
from django.conf import settings
from django.core.cache import cache
from django.db.models import Max
from django.utils import timezone
from django_extensions.management.jobs import get_jobs
from django_q.models import Schedule
from hyperkitty.lib.utils import run_with_lock
from hyperkitty.models import Email
from hyperkitty.search_indexes import update_index

LAST_INDEXED = f"last-indexed:{settings.HAYSTACK_CONNECTIONS['default']['PATH']}"


class Job(NamedTuple):
    """What django-q calls, how often, and how far from now the first time is."""

    function: str
    argument: str
    every: str
    first: relativedelta


RUN = "mailman_stack.web.jobs.run"
NEXT_HOUR = relativedelta(hours=+1, minute=0, second=0, microsecond=0)
MIDNIGHT = {"hour": 0, "minute": 0, "second": 0, "microsecond": 0}
NEXT_DAY = relativedelta(days=+1, **MIDNIGHT)
NEXT_MONTH = relativedelta(months=+1, day=1, **MIDNIGHT)
NEXT_YEAR = relativedelta(years=+1, month=1, day=1, **MIDNIGHT)
NOW = relativedelta()
HALF_A_MINUTE = relativedelta(seconds=+30)

INDEX = "mailman_stack.web.jobs.index_new_mail"
JOBS = {
    # django-q looks for what is due every half a minute: one alone might be 90 seconds apart.
    "search-index": Job(INDEX, "", Schedule.MINUTES, NOW),
    "search-index-between": Job(INDEX, "", Schedule.MINUTES, HALF_A_MINUTE),
    "hyperkitty-hourly": Job(RUN, "hourly", Schedule.HOURLY, NEXT_HOUR),
    "hyperkitty-daily": Job(RUN, "daily", Schedule.DAILY, NEXT_DAY),
    "hyperkitty-monthly": Job(RUN, "monthly", Schedule.MONTHLY, NEXT_MONTH),
    "hyperkitty-yearly": Job(RUN, "yearly", Schedule.YEARLY, NEXT_YEAR),
    "expired-sessions": Job(
        "django.core.management.call_command", "clearsessions", Schedule.DAILY, NEXT_DAY
    ),
}
"""The jobs by name; HyperKitty's and their times are those of its documentation's crontab."""


def schedule() -> None:
    """Write the schedules; when one that exists runs next is left as it is."""
    for name, job in JOBS.items():
        options = {"task_name": name, "timeout": settings.LONGEST_JOB_SECONDS}
        row = {
            "func": job.function,
            "args": repr((job.argument,)) if job.argument else None,
            "kwargs": repr({"q_options": options}),
            "schedule_type": job.every,
            "minutes": 1,  # read for Schedule.MINUTES only
        }
        first = {"next_run": timezone.localtime() + job.first}
        Schedule.objects.update_or_create(name=name, defaults=row, create_defaults=row | first)


def run(period: str) -> None:
    """Run HyperKitty's jobs of one period, as the command `runjobs` does.

    That command hides failures, and it also runs django-extensions' job that empties the cache.

    :raises ExceptionGroup: after all have run, with what the failed ones raised.
    """
    failures = []
    for (app, _name), job in sorted(get_jobs(period, only_scheduled=True).items()):
        try:
            if app == "hyperkitty":
                job().execute()
        except Exception as error:  # noqa: BLE001 - one job's failure must not stop the next
            failures.append(error)
    if failures:
        raise ExceptionGroup(f"{period} jobs failed", failures)


def index_new_mail() -> None:
    """Make mail findable within a minute; costs one query while there is none."""
    newest = Email.objects.aggregate(newest=Max("archived_date"))["newest"]
    if newest != cache.get(LAST_INDEXED):
        run_with_lock(_index_up_to, newest)


def _index_up_to(newest: datetime) -> None:
    """Called while no other job writes to the index; what it raises, the caller only logs."""
    update_index()
    cache.set(LAST_INDEXED, newest, timeout=None)
