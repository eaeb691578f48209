"""django-q's cluster as one process, which forks another when there is something to do.

Its own are five that stay, each with Django in its memory, and ask the database each second.
"""

import logging
import os
import signal
import time
from collections import deque
from contextlib import nullcontext
from dataclasses import dataclass
from math import inf
from multiprocessing import connection, get_context
from multiprocessing.context import ForkProcess
from pathlib import Path
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any

from django.conf import settings
from django.db import Error, connections
from django_q.conf import Conf
from django_q.monitor import monitor
from django_q.scheduler import scheduler
from django_q.worker import worker

from mailman_stack.web.queue import Broker, Due, wake

log = logging.getLogger("django-q")
fork = get_context("fork")

Batch = list[Due]

HEARTBEAT = Path("/tmp/heartbeat")  # noqa: S108 - the container's own
"""Touched at each turn; its age is the healthcheck."""

TURN_SECONDS = 5

SCHEDULE_SECONDS = 30

LOOK_SECONDS = 15
"""How often the queue is looked at when nobody has told of a task."""

BETWEEN_LOOKS = 0.2
"""How often at most."""

ROWS = 500
"""How many rows of the queue are taken at a time."""

OVERTIME = 5
"""Seconds after which a process is killed when the alarm that django-q sets has not ended it."""


def run_tasks(batch: Batch, progress: connection.Connection) -> None:
    """Run tasks one after the other, and save their results; not those behind one out of time.

    At SIGTERM the one that has begun is the last.
    """
    signal.signal(signal.SIGTERM, lambda _signal, _frame: batch.clear())
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    broker = Broker()
    for number, (task, rows, _merges) in enumerate(batch):
        progress.send(number)
        tasks: SimpleQueue[Any] = SimpleQueue()
        results: SimpleQueue[Any] = SimpleQueue()
        tasks.put(task | {"ack_id": rows, "cluster": Conf.CLUSTER_NAME})
        tasks.put("STOP")
        timer = SimpleNamespace(value=-1, get_lock=nullcontext)
        worker(tasks, results, timer, Conf.TIMEOUT)
        results.put("STOP")
        monitor(results, broker)
        if timer.value == 0:
            break
    connections.close_all()


@dataclass
class Child:
    """A process that runs a batch of tasks."""

    batch: Batch
    process: ForkProcess
    progress: connection.Connection
    """From which it can be read which task it begins; its end is the process's."""

    begun: int = 0
    deadline: float = inf

    @property
    def rest(self) -> Batch:
        """What is behind the task that was the last to begin."""
        return self.batch[self.begun + 1 :]

    @classmethod
    def fork(cls, batch: Batch) -> "Child":
        """Begin to run tasks."""
        connections.close_all()  # the child would talk on the parent's
        progress, theirs = fork.Pipe(duplex=False)
        process = fork.Process(target=run_tasks, args=(batch, theirs))
        process.start()
        theirs.close()
        return cls(batch, process, progress)

    def has_ended(self) -> bool:
        """Read what it has begun; kill it if that takes too long."""
        try:
            while self.progress.poll():
                self.begun = self.progress.recv()
                seconds = self.batch[self.begun].task.get("timeout", Conf.TIMEOUT)
                unlimited = seconds in (None, -1)
                self.deadline = inf if unlimited else time.monotonic() + seconds + OVERTIME
        except EOFError:
            self.process.join()
            self.progress.close()
            return True
        if time.monotonic() > self.deadline:
            log.critical("killed, as it took too long: %s", self.batch[self.begun].task["name"])
            self.process.kill()
        return False


class Cluster:
    """Runs what is queued and what is scheduled, until SIGTERM and the end of what has begun."""

    def __init__(self) -> None:
        self._broker = Broker()
        self._children: list[Child] = []
        self._waiting: deque[Batch] = deque()
        self._stopping = False
        self._next_schedule = self._next_look = self._last_look = 0.0
        Path(settings.TASK_PIPE).unlink(missing_ok=True)  # who knows what a backup has made of it
        os.mkfifo(settings.TASK_PIPE)
        # Open for writing too, or each end of a writer would be one of the pipe.
        self._pipe = os.open(settings.TASK_PIPE, os.O_RDWR | os.O_NONBLOCK)

    def run(self) -> None:
        """Return when the cluster has stopped."""
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        while not self._stopping or self._children:
            HEARTBEAT.touch()
            self._reap()
            try:
                self._find()
            except Error as error:
                log.error("no database: %s", error)  # noqa: TRY400 - its end is no mistake of ours
                connections.close_all()
                self._next_look = time.monotonic() + TURN_SECONDS
            self._start()
            self._wait()

    def _stop(self, _signal: int, _frame: object) -> None:
        self._stopping = True
        for child in self._children:
            child.process.terminate()
        wake()

    def _reap(self) -> None:
        for child in [child for child in self._children if child.has_ended()]:
            self._children.remove(child)
            if child.rest:
                self._waiting.appendleft(child.rest)

    def _find(self) -> None:
        """Take what is due. A task that is not HyperKitty's may take long: none waits behind it."""
        now = time.monotonic()
        if not self._stopping and now >= self._next_schedule:
            self._next_schedule = now + SCHEDULE_SECONDS
            scheduler(self._broker)
        if not self._is_free or now < self._next_look:
            return
        self._last_look = now
        seconds = self._broker.next_due()
        if seconds <= 0:
            due = self._broker.take(ROWS)
            if quick := [task for task in due if task.merges]:
                self._waiting.append(quick)
            self._waiting += [[task] for task in due if not task.merges]
            seconds = BETWEEN_LOOKS
        self._next_look = now + min(seconds, LOOK_SECONDS)

    @property
    def _is_free(self) -> bool:
        """Whether what is taken from the queue can begin."""
        return not (self._stopping or self._waiting or len(self._children) >= Conf.WORKERS)

    def _start(self) -> None:
        while self._waiting and not self._stopping and len(self._children) < Conf.WORKERS:
            self._children.append(Child.fork(self._waiting.popleft()))

    def _wait(self) -> None:
        """Until a turn is over, something is due, or somebody tells: a child, or by the pipe."""
        seconds: float = TURN_SECONDS
        if self._is_free:
            seconds = min(seconds, max(self._next_look - time.monotonic(), 0))
        told = connection.wait([self._pipe, *(child.progress for child in self._children)], seconds)
        if self._pipe in told:
            os.read(self._pipe, 2**16)
            self._next_look = min(self._next_look, self._last_look + BETWEEN_LOOKS)
