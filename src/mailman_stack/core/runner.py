"""How a runner works off its queue, in place of the loop in upstream's ``mailman.core.runner``.

Upstream's looks into its queue once a second; whatever it is working on when it is told to stop, or
when the database goes away, it shunts, and there it stays until a person looks; and it takes a
message out of the queue before what was done with it is in the database. Here a runner sleeps until
something is queued, ends what it has begun, and keeps a message until its effects are kept.
"""

import logging
import select
import signal
import socket
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

from inotify_simple import INotify, flags
from mailman.config import config
from mailman.core.i18n import _
from mailman.core.runner import Runner
from mailman.email.message import Message
from mailman.interfaces.listmanager import IListManager
from mailman.interfaces.mailinglist import IMailingList
from mailman.interfaces.runner import RunnerCrashEvent, RunnerInterrupt
from mailman.runners.retry import RetryRunner
from mailman.utilities.modules import find_name
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from zope.component import getUtility
from zope.event import notify

from mailman_stack.core import memo

log = logging.getLogger("mailman.error")

POLL_SECONDS = 60.0
"""In place of upstream's one second, between looks at a queue into which nothing seems to come."""

AGAIN_SECONDS = 1.0
"""Until what could not be done is tried again, since the database or the MTA was away."""

TRIES = 3
"""How often a message may fail by an error of a database that answers."""


def make(name: str, slice_number: int) -> Runner:
    """The runner of a section of mailman.cfg; LMTP's and REST's, which serve, stay as they are."""
    upstream = find_name(getattr(config, f"runner.{name}")["class"])
    if upstream.run is not Runner.run:
        return upstream(name, slice_number)
    return type(upstream.__name__, (Waiting, upstream), {})(name, slice_number)


def database_answers() -> bool:
    """Whether it does, asked by a connection of its own."""
    try:
        with config.db.engine.connect() as connection:
            connection.execute(text("SELECT 1"))
    except SQLAlchemyError:
        return False
    return True


def abort() -> None:
    """Give up the transaction, whose connection may be lost."""
    try:
        config.db.abort()
    except SQLAlchemyError:
        config.db.store.invalidate()


class Sleep:
    """Ended by a signal, or by a file that is moved into a directory, as all are that are queued.

    Where the host has no watch left (inotify(7), max_user_instances) it ends after ``polling``
    seconds.
    """

    def __init__(self, directory: str | None, polling: float) -> None:
        self._limit = float("inf")
        self._signals, written = socket.socketpair()
        self._signals.setblocking(False)
        written.setblocking(False)
        # So that a signal ends a sleep which is about to begin, too.
        signal.set_wakeup_fd(written.detach(), warn_on_full_buffer=False)
        self._poll = select.poll()
        self._poll.register(self._signals, select.POLLIN)
        self._watch: INotify | None = None
        if directory:
            try:
                self._watch = INotify(nonblocking=True)
                self._watch.add_watch(directory, flags.MOVED_TO)
                self._poll.register(self._watch, select.POLLIN)
            except OSError as error:
                log.warning("%s is looked at every %g s: %s", directory, polling, error)
                self._limit = polling

    def __call__(self, seconds: float) -> None:
        self._poll.poll(min(seconds, self._limit) * 1000)

    def whatever_comes(self, seconds: float) -> None:
        """Sleep on when files come."""
        select.select([self._signals], [], [], seconds)

    def forget(self) -> None:
        """Begin anew: what has happened so far ends no sleep."""
        if self._watch:
            self._watch.read(timeout=0)
        with suppress(BlockingIOError):
            self._signals.recv(4096)


class Waiting(Runner):
    """Comes before upstream's class of a runner, and does what `Runner.run` does."""

    def __init__(self, name: str, slice: int | None = None) -> None:  # noqa: A002 - upstream's
        super().__init__(name, slice)
        memo.install()
        # What is to be tried again later is not looked at when it comes.
        self._later = isinstance(self, RetryRunner)
        self._seconds = self.sleep_float if self.sleep_float > 1 else POLL_SECONDS
        self._sleep = Sleep(None if self._later else self.queue_directory, self.sleep_float)
        self._tries: dict[str, int] = {}
        self._kept = False

    def run(self) -> None:
        """See `IRunner`."""
        while not self._stop:
            self._sleep.forget()
            worked = self._work_off_queue()
            self._work_periodically()
            if self._stop:
                break
            if self._kept:
                self._sleep.whatever_comes(AGAIN_SECONDS)
            elif self._later or not worked:
                self._sleep(self._seconds)
        self._clean_up()

    def signal_handler(self, number: int, frame: FrameType | None) -> None:
        """Upstream's, which sets a flag, without the interruption of whatever is going on."""
        with suppress(RunnerInterrupt):
            super().signal_handler(number, frame)

    def _process_one_file(self, msg: Message, msgdata: dict[str, Any]) -> None:
        """Upstream's, but the first runner's look for the sender's language is the last."""
        known = {"lang", "listid"} <= msgdata.keys()
        # A moderator may have taken weeks.
        fresh = known and "moderator_approved" not in msgdata
        mlist = fresh and getUtility(IListManager).get_by_list_id(msgdata["listid"])
        if not mlist:
            super()._process_one_file(msg, msgdata)
            return
        with _.using(msgdata["lang"]):
            try:
                kept = self._dispose(mlist, msg, msgdata)
            except Exception as error:
                notify(RunnerCrashEvent(self, mlist, msg, msgdata, error))
                raise
        if kept:
            self.switchboard.enqueue(msg, msgdata)

    def _dispose(self, mlist: IMailingList, msg: Message, msgdata: dict[str, Any]) -> bool:
        """Note that a message is kept: upstream would look at it again at once."""
        kept = bool(super()._dispose(mlist, msg, msgdata))
        self._kept |= kept
        return kept

    def _work_off_queue(self) -> bool:
        """Tell whether something was queued."""
        self._kept = False
        names = self.switchboard.files if self.switchboard else []
        for name in names:
            if self._stop or self._kept:
                break
            self._process(name)
        return bool(names)

    def _process(self, name: str) -> None:
        try:
            message, data = self.switchboard.dequeue(name)
        except Exception:
            log.exception("Preserved in queue/bad, since it cannot be read: %s", name)
            self.switchboard.finish(name, preserve=True)
            return
        try:
            self._process_one_file(message, data)
            config.db.commit()
        except Exception as error:  # noqa: BLE001 - logged by both
            abort()
            if self._is_for_later(name, error):
                self._put_back(name)
            else:
                self._shunt(name, message, data)
        else:
            self.switchboard.finish(name)
            self._tries.pop(name, None)

    def _is_for_later(self, name: str, error: Exception) -> bool:
        """Whether the database was at fault rather than the message."""
        if not isinstance(error, SQLAlchemyError):
            return False
        if name not in self._tries:
            log.error("%s runner: %s is tried again: %s", self.name, name, error)
        self._tries[name] = self._tries.get(name, 0) + database_answers()
        return self._tries[name] < TRIES

    def _put_back(self, name: str) -> None:
        Path(self.queue_directory, f"{name}.bak").rename(Path(self.queue_directory, f"{name}.pck"))
        self._kept = True

    def _shunt(self, name: str, message: Message, data: dict[str, Any]) -> None:
        """Leave a message that cannot be processed to a person (`mailman unshunt`), as upstream."""
        log.exception("Uncaught runner exception")
        data["whichq"] = self.switchboard.name
        try:
            shunted = config.switchboards["shunt"].enqueue(message, data)
        except Exception:
            log.exception("SHUNTING FAILED, preserved in queue/bad: %s", name)
            self.switchboard.finish(name, preserve=True)
        else:
            log.error("SHUNTING: %s", shunted)
            self.switchboard.finish(name)

    def _work_periodically(self) -> None:
        try:
            self._do_periodic()
            config.db.commit()
        except Exception:
            abort()
            log.exception("%s runner: its periodic work is tried again", self.name)
