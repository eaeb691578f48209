"""django-q's queue in the database, without a poll: ``Q_CLUSTER["broker_class"]``."""

import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.db import transaction
from django.db.models import Min
from django.utils import timezone
from django_q.brokers.orm import ORM
from django_q.conf import Conf
from django_q.models import OrmQ
from django_q.signing import SignedPackage
from hyperkitty import tasks as hyperkitty

log = logging.getLogger("django-q")

Task = dict[str, Any]

DELAY = timedelta(seconds=2)
"""What follows from a message may wait this long, so that what follows from the next goes along."""

RETRY = timedelta(minutes=10)
"""When HyperKitty's tasks, which may run twice at a time, are tried again if they have failed."""


class Due(NamedTuple):
    """A task to run."""

    task: Task
    rows: list[int]
    """The rows of the queue that it settles."""

    merges: bool
    """Whether it is HyperKitty's: those bring something up to date, so that one does for equals."""


_collected: ContextVar[list[Task]] = ContextVar("collected")


@contextmanager
def collected() -> Iterator[list[Task]]:
    """Have what is queued meanwhile by this thread in a list, and not in the queue."""
    tasks: list[Task] = []
    token = _collected.set(tasks)
    try:
        yield tasks
    finally:
        _collected.reset(token)


class Broker(ORM):
    """django-q's own, which hands out what is due, HyperKitty's equal tasks as one."""

    def enqueue(self, package: str) -> int | None:
        """See django-q; whoever waits for tasks is told when the transaction has ended."""
        with suppress(LookupError):
            _collected.get().append(SignedPackage.loads(package))
            return None
        row: int = super().enqueue(package)
        transaction.on_commit(wake, using=Conf.ORM)
        return row

    def enqueue_later(self, tasks: Iterable[Task]) -> None:
        """Queue tasks that may wait a little, in one statement."""
        lock = timezone.now() + DELAY
        packages = [SignedPackage.dumps(task) for task in tasks]
        rows = [OrmQ(key=self.list_key, payload=package, lock=lock) for package in packages]
        self.get_connection().bulk_create(rows)
        transaction.on_commit(wake, using=Conf.ORM)

    def next_due(self) -> float:
        """How many seconds from now the first task is due."""
        queue = self.get_connection().filter(key=self.list_key)
        first = queue.aggregate(first=Min("lock"))["first"]
        return (first - timezone.now()).total_seconds() if first else float("inf")

    def take(self, limit: int) -> list[Due]:
        """Mark tasks as begun, those that may wait a little too."""
        now = timezone.now()
        with transaction.atomic(using=Conf.ORM):
            queue = self.get_connection().filter(key=self.list_key, lock__lt=now + DELAY)
            rows = list(queue.select_for_update(skip_locked=True).order_by("id")[:limit])
            due = list(_merged(row for row in rows if "func" in row.task))
            for merges, lock in ((True, now + RETRY), (False, self.timeout(None))):
                ids = [row for task in due if task.merges is merges for row in task.rows]
                self.get_connection().filter(pk__in=ids).update(lock=lock)
            if unreadable := [row.pk for row in rows if "func" not in row.task]:
                log.error("%d queued tasks cannot be read, and are removed", len(unreadable))
                self.delete(unreadable)
        return due

    def delete(self, task_id: list[int]) -> None:
        """See django-q; here a task has several rows."""
        self.get_connection().filter(pk__in=task_id).delete()


def _merged(rows: Iterable[OrmQ]) -> Iterator[Due]:
    groups: dict[object, Due] = {}
    for row in rows:
        task = row.task
        merges = getattr(task["func"], "__module__", "") == hyperkitty.__name__
        what = (task["func"], repr(task["args"])) if merges else row.pk
        if merges:  # a success is put on record only where it may mend a failure
            task["save"] = task["started"] < timezone.now() - RETRY
        groups.setdefault(what, Due(task, [], merges)).rows.append(row.pk)
    yield from groups.values()


def wake() -> None:
    """Tell the cluster that there is a task."""
    with suppress(OSError):  # it does not run, or has been told already
        pipe = os.open(settings.TASK_PIPE, os.O_WRONLY | os.O_NONBLOCK)
        try:
            os.write(pipe, b"\n")
        finally:
            os.close(pipe)
