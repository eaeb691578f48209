#!/opt/mailman-stack/bin/python
"""Tasks and jobs of the web interface: waits for the database, becomes the cluster."""

import signal
import sys

from mailman_stack import database
from mailman_stack.entrypoint import Service, execute
from mailman_stack.settings import Settings


def start(settings: Settings) -> None:
    database.wait_for(settings.web_database)
    # Until it is handled, so that none is lost: the kernel drops what a first process leaves alone.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    execute(["django-admin", "run_qcluster"])(settings)


Service(name="qcluster", config="qcluster", start=start).run(sys.argv[1:])
