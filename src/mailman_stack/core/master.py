"""Core's master: loads Mailman once and forks the runners from itself, without exec.

Upstream's master starts every runner as a new program, and each loads all of Mailman again: twelve
times the start-up work and twelve times the memory. Here they share both. Restarts, signals, the
master's lock and its PID file stay upstream's.
"""

import logging
import os
import random
import signal
import sys
import traceback
from pathlib import Path
from typing import NoReturn

import setproctitle
import zope.event
from lazr.config import as_boolean
from mailman.bin import master
from mailman.config import config
from mailman.config.config import external_configuration
from mailman.core.initialize import initialize_2, initialize_3
from mailman.interfaces.domain import DomainDeletedEvent
from mailman.utilities.modules import call_name, find_name

from mailman_stack import forking
from mailman_stack.core import archivers, domains, rehearsal, runner

RUNNERS = Path("/run/mailman/runners")
"""A file for each runner, holding its process id: what the healthcheck compares with reality."""

HANDLED = (signal.SIGHUP, signal.SIGUSR1, signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)


class Watch(master.Loop):
    """Upstream's control loop; only how a runner is started differs."""

    def _start_runner(self, spec: str) -> int:
        pid = os.fork()
        if pid == 0:
            become_runner(spec)
        (RUNNERS / spec).write_text(f"{pid}\n")
        return pid


def become_runner(spec: str) -> NoReturn:
    """Turn this forked process into the runner ``name:slice:count``, as upstream's bin/runner."""
    status: int | str | None = 1
    try:
        signal.alarm(0)
        for number in HANDLED:
            signal.signal(number, signal.SIG_DFL)
        random.seed()
        config.db.engine.dispose(close=False)  # the connections are the master's
        name, slice_number, _count = spec.split(":")
        setproctitle.setproctitle(f"mailman: runner {name}:{slice_number}")
        process = runner.make(name, int(slice_number))
        process.set_signals()
        process.run()
        status = process.status
    except SystemExit as leaving:
        status = leaving.code
    except BaseException:  # noqa: BLE001 - whatever it was, this process must not return
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status if isinstance(status, int) else int(bool(status)))


def write_maps() -> None:
    """Bring up to date what the MTA reads: lists may have changed while core was down.

    The mark tells an MTA that this was written for it, and is no leftover of another's.
    """
    call_name(config.mta.incoming).regenerate()
    name = external_configuration(config.mta.configuration)["stack"]["mark"]
    for old in Path(config.DATA_DIR).glob("written-for-*"):
        old.unlink()
    Path(config.DATA_DIR, name).touch()


def follow_domains(event: object) -> None:
    """Upstream tells nobody of the lists that go with a domain which is removed."""
    if isinstance(event, DomainDeletedEvent):
        call_name(config.mta.incoming).regenerate()


def load_runners() -> None:
    """Import every runner's code before the first is forked, so that they share it."""
    for section in config.runner_configs:
        if as_boolean(section.start):
            find_name(section["class"])


def run() -> None:
    """Run core until it is told to stop; the configuration has been loaded already."""
    initialize_2()
    initialize_3()
    domains.add_missing()
    archivers.complete()
    write_maps()
    zope.event.subscribers.append(follow_domains)
    load_runners()
    rehearsal.rehearse()
    RUNNERS.mkdir()
    logging.getLogger("mail.log").setLevel(logging.WARNING)  # aiosmtpd's, six lines a connection
    config.db.sessionmaker.remove()
    config.db.engine.dispose()
    forking.share()
    lock = master.acquire_lock(force=True)
    Path(config.PID_FILE).write_text(f"{os.getpid()}\n")
    setproctitle.setproctitle("mailman: master")
    watch = Watch(lock, restartable=True, config_file=config.filename)
    watch.install_signal_handlers()
    try:
        watch.start_runners()
        watch.loop()
    finally:
        watch.cleanup()
        Path(config.PID_FILE).unlink()
        lock.unlock()
