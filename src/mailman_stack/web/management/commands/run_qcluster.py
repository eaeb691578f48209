"""``run_qcluster``: the cluster, with what its tasks need loaded before it forks."""

import signal
import sys

from django.core.management import BaseCommand
from django.db import connections
from django.utils import timezone
from django_q.models import OrmQ

from mailman_stack import forking
from mailman_stack.web import jobs, schema  # noqa: F401 - what tasks need, loaded before the fork
from mailman_stack.web.cluster import Cluster


class Command(BaseCommand):
    """Wait for web's migrations, then become the cluster."""

    help = __doc__
    requires_system_checks = ()  # they load every page's code; web runs them

    def handle(self, **_options: object) -> None:
        """Returns when the cluster has stopped."""
        signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])  # the entrypoint blocks it
        schema.wait_until_current()
        self.stdout.write("qcluster: the schema is current, starting")
        # There is one cluster, and it starts now: what a killed one had begun is free again.
        OrmQ.objects.update(lock=timezone.now())
        connections.close_all()
        forking.share()
        Cluster().run()
